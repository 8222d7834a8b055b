import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { collectGarbage } from '../../src/common/collect-garbage.ts';
import { silentLogger } from '../../src/common/log.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { Threads } from '../../src/server/threads/threads.ts';
import { openTableMap } from '../../src/storage/table/table-map.ts';
import { temporaryFolder } from '../support/folder.ts';
import { infoOf } from '../support/storages.ts';
import { writeTable } from '../support/table-file.ts';
import { TextClient } from '../support/text-client.ts';
import { type Vitals, vitalsOf } from '../support/vitals.ts';

const SWAPS = 1000;
/** What the threads take once is there by then. */
const WARM_UP = 200;

const VALUE_BYTES = 100_000;
const KEYS = 3;

/**
 * Well below what one thread would hold that kept each table, 240 MB, and above the garbage that lies
 * about in the threads: 20 to 45 MB on an idle machine, 110 MB with Node 24 on a busy one (2026-11-28).
 */
const LASTING_BYTES_MAX = ((SWAPS - WARM_UP) * KEYS * VALUE_BYTES * 2) / 3;

test(`${SWAPS} swaps of tables in two threads leave no descriptor, no memory and no file behind`, async () => {
  const base = temporaryFolder();
  const made = join(base, 'made.mdb');
  const value = Buffer.alloc(VALUE_BYTES, 'v');
  await writeTable(
    made,
    [1, 2, 3].map((i) => [`key-${i}`, value]),
  );
  const threads = new Threads({
    ...{ threads: 2, protocol: 'memcached', handler: 'simple', limits: DEFAULT_LIMITS },
    ...{ access: { allow: [] }, sessions: {}, shutdown: undefined, settings: {} },
    logger: silentLogger,
    onFailure: (error) => {
      throw error;
    },
  });
  onTestFinished(() => threads.close());
  const address = await threads.listen({ kind: 'unix', path: join(base, 'socket') });
  const client = await TextClient.connect(address);
  onTestFinished(() => client.close());

  const slots = ['data00', 'data01'].map((name) => join(base, name));
  for (const slot of slots) mkdirSync(slot);
  let before: Vitals | undefined;
  for (let generation = 1; generation <= SWAPS; generation++) {
    const slot = slots[generation % 2];
    // Over the file that served two generations ago, as a new one: its inode must not be the old one.
    copyFileSync(made, join(slot, 'incoming'));
    renameSync(join(slot, 'incoming'), join(slot, 'table.mdb'));
    const map = await openTableMap(join(slot, 'table.mdb'));
    await threads.swap('', map, infoOf(KEYS, 0, generation));
    map.release();
    const hits = await client.get(['key-1', 'key-9', 'key-2'], 'gets');
    expect(hits.map(({ key, cas }) => [key, cas])).toEqual([
      ['key-1', generation],
      ['key-2', generation],
    ]);
    if (generation === WARM_UP) before = await settledVitals(base);
  }
  expect(slots.map((slot) => readdirSync(slot))).toEqual([['table.mdb'], ['table.mdb']]);
  if (before === undefined) return;
  const after = (await settledVitals(base))!;
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
  expect(after.residentBytes - before.residentBytes).toBeLessThan(LASTING_BYTES_MAX);
});

/** @returns undefined on other systems than Linux. */
async function settledVitals(folder: string): Promise<Vitals | undefined> {
  if (process.platform !== 'linux') return undefined;
  // The threads tell that they are done with a table; until then one more is mapped, with its descriptors.
  await expect.poll(() => mapsIn(folder)).toBe(1);
  // How much garbage lies about depends on the version of Node and on how busy the machine is.
  collectGarbage();
  return vitalsOf(process.pid);
}

function mapsIn(folder: string): number {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return lines.filter((line) => line.includes(folder) && !line.includes('-lock')).length;
}
