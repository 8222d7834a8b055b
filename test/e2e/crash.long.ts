import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Address } from '../../src/common/address.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { isLong } from '../support/long.ts';
import { seededRandom } from '../support/random.ts';
import { TextClient } from '../support/text-client.ts';

/** Kills come up to so long after a drop: longer than a swap takes, so that they hit all of it. */
const KILL_AFTER_MS_MAX = 120;
const KILLS = isLong ? 50 : 8;
const KEYS = ['a', 'b', 'c'];

function version(v: number): string {
  return JSON.stringify(Object.fromEntries(KEYS.map((key) => [key, `${v}:${key}`])));
}

/** Which version is served, 0 for none; fails when the records are not all of one version. */
async function servedVersion(address: Address): Promise<number> {
  const client = await TextClient.connect(address);
  const hits = await client.get(KEYS);
  client.close();
  if (hits.length === 0) return 0;
  const served = Number.parseInt(hits[0].value.toString(), 10);
  expect(hits.map((hit) => hit.value.toString())).toEqual(KEYS.map((key) => `${served}:${key}`));
  return served;
}

test(`serves the newest complete generation after each of ${KILLS} kills during a swap`, async () => {
  const seed = Date.now() >>> 0;
  const random = seededRandom(seed);
  const folder = temporaryFolder();
  const file = join(folder, 'data.json');
  const args = ['-addr', '127.0.0.1:0', '-file', file];
  let served = 0;
  let dropped = 0;
  let killsBeforeTheSwitch = 0;
  for (let kill = 1; kill <= KILLS; kill++) {
    const context = `seed ${seed}, kill ${kill}`;
    const goromdb = new GoromdbProcess(args);
    const address = await goromdb.address();
    // What a client has seen served is not taken back, and what was dropped is not lost.
    const atStart = await servedVersion(address);
    expect(atStart, context).toBeGreaterThanOrEqual(served);
    await expect
      .poll(() => servedVersion(address), { interval: 5, message: context })
      .toBe(dropped);
    served = dropped;

    dropped++;
    drop(file, version(dropped));
    await delay(random() * KILL_AFTER_MS_MAX);
    const atKill = await servedVersion(address);
    await goromdb.kill('SIGKILL');
    if (atKill === served) killsBeforeTheSwitch++;
    served = atKill;
  }
  // The kills are spread over the swap: some came before the threads swapped, some after.
  expect(killsBeforeTheSwitch, `seed ${seed}`).toBeGreaterThan(0);
});
