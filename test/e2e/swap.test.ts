import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { isLong } from '../support/long.ts';
import { type Hit, TextClient } from '../support/text-client.ts';

const KEYS = Array.from({ length: 20 }, (_, i) => `key-${i}`);
/** A value so large that a reply with it is sent in parts, over several turns. */
const LARGE_BYTES = 100_000;

/** Between two requests of a client, so that clients leave the machine to the server. */
const PACE_MS = 4;

/** Generation g of the data: every value begins with g, and small and large ones are mixed. */
function generation(g: number): string {
  const entries = KEYS.map((key, i) => {
    return [key, `${g}:${key}:`.padEnd(valueBytes(i), '.')];
  });
  return JSON.stringify(Object.fromEntries(entries));
}

function valueBytes(i: number): number {
  return i === 10 ? LARGE_BYTES : 20 + i;
}

/** Asks all the time and checks that each reply is whole and from one generation. */
async function load(client: TextClient, isOver: () => boolean): Promise<number> {
  let replies = 0;
  let newest = 0;
  while (!isOver()) {
    const hits = await client.get(KEYS, 'gets');
    const cas = hits[0]?.cas ?? 0;
    // No `expect` for what is right: it takes longer than the reply.
    if (cas < newest || !isOfGeneration(hits, cas)) expect.fail(describe(hits, newest));
    newest = cas;
    replies++;
    await delay(PACE_MS);
  }
  return replies;
}

/** Whether these are all keys, in order, each with its value of this generation. */
function isOfGeneration(hits: readonly Hit[], g: number): boolean {
  return (
    hits.length === KEYS.length &&
    hits.every(
      ({ key, cas, value }, i) =>
        key === KEYS[i] &&
        cas === g &&
        value.length === valueBytes(i) &&
        value.toString('latin1', 0, 40).startsWith(`${g}:${key}:`),
    )
  );
}

function describe(hits: readonly Hit[], newest: number): string {
  const found = hits.map(({ key, cas, value }) => {
    return `${key} of ${cas}: ${value.length} bytes, ${value.toString('latin1', 0, 20)}`;
  });
  return `expected all keys of one generation from ${newest} on, found:\n${found.join('\n')}`;
}

test.each([
  { threads: 1, swaps: isLong ? 1000 : 50 },
  { threads: 3, swaps: isLong ? 100 : 20 },
])(
  'swaps $swaps times under load on $threads thread(s) without one wrong reply',
  async ({ threads, swaps }) => {
    const folder = temporaryFolder();
    const file = join(folder, 'data.json');
    drop(file, generation(1));
    const goromdb = new GoromdbProcess([
      ...['-addr', '127.0.0.1:0', '-storage', 'json', '-file', file],
      ...['-threads', String(threads)],
    ]);
    const address = await goromdb.address();
    const serves = (g: number): Promise<unknown> =>
      goromdb.says(new RegExp(`generation ${g} serves from slot data0${(g + 1) % 2}`));
    await serves(1);

    let isOver = false;
    const clients = await Promise.all(KEYS.slice(0, 2).map(() => TextClient.connect(address)));
    const loads = clients.map((client) => load(client, () => isOver));
    for (let g = 2; g <= swaps + 1; g++) {
      drop(file, generation(g));
      // A wrong reply ends this at once.
      await Promise.race([serves(g), ...loads]);
    }
    isOver = true;
    const replies = await Promise.all(loads);
    for (const client of clients) client.close();
    expect(Math.min(...replies)).toBeGreaterThan(swaps / 4);
    expect(goromdb.stderr.match(/^\S+ (?:warn|error) .*$/gm)).toBeNull();

    const slot = join(folder, swaps % 2 === 0 ? 'data00' : 'data01');
    expect(readFileSync(join(slot, 'data.db'), 'utf8')).toBe(generation(swaps + 1));
    expect(await goromdb.kill('SIGTERM')).toBe(0);
  },
);
