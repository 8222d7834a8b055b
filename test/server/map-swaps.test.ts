import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { expect, onTestFinished, test } from 'vitest';
// Serving threads are files of the build.
import { Threads } from '../../dist/server/threads.js';
import { MAP_NAME, nameForServing, removeServingName } from '../../src/loader/slot-map.ts';
import { silentLogger } from '../../src/log.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { temporaryFolder } from '../support/folder.ts';
import { infoOf } from '../support/storages.ts';
import { TextClient } from '../support/text-client.ts';
import { vitalsOf } from '../support/vitals.ts';

const MIB = 1024 * 1024;
const SWAPS = 1000;
/** What the threads take once is there by then. */
const WARM_UP = 200;

/** Far below a map of 0.3 MB in each thread a swap. */
const LASTING_BYTES_MAX = 96 * MIB;

test(`${SWAPS} swaps of maps in two threads leave no descriptor, no memory and no file behind`, async () => {
  const base = temporaryFolder();
  const made = join(base, 'made.mdb');
  await writeMap(made);
  const threads = new Threads({
    ...{ threads: 2, protocol: 'memcached', handler: 'simple', limits: DEFAULT_LIMITS },
    ...{ access: { allow: [] }, loudRefusals: false, shutdown: undefined, settings: {} },
    logger: silentLogger,
    onFailure: (error) => {
      throw error;
    },
    restore: () => Promise.reject(new Error('nothing is to be restored')),
  });
  onTestFinished(() => threads.close());
  const address = await threads.listen({ kind: 'unix', path: join(base, 'socket') });
  const client = await TextClient.connect(address);
  onTestFinished(() => client.close());

  const slots = ['data00', 'data01'].map((name) => join(base, name));
  for (const slot of slots) mkdirSync(slot);
  let before: ReturnType<typeof vitalsOf>;
  for (let generation = 1; generation <= SWAPS; generation++) {
    const slot = slots[generation % 2];
    // Over the file that served two generations ago, as a new one: its inode must not be the old one.
    copyFileSync(made, join(slot, 'incoming'));
    renameSync(join(slot, 'incoming'), join(slot, MAP_NAME));
    const path = await nameForServing(slot, join(slot, MAP_NAME));
    await threads.swap('', { path, layout: 'plain', keys: 3, bytes: 0 }, infoOf(3, 0, generation));
    await removeServingName(path);
    const hits = await client.get(['key-1', 'key-9', 'key-2'], 'gets');
    expect(hits.map(({ key, cas }) => [key, cas])).toEqual([
      ['key-1', generation],
      ['key-2', generation],
    ]);
    if (generation === WARM_UP) before = vitalsOf(process.pid);
  }
  expect(slots.map((slot) => readdirSync(slot))).toEqual([[MAP_NAME], [MAP_NAME]]);
  if (before === undefined) return;
  const after = vitalsOf(process.pid)!;
  expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
  expect(after.residentBytes - before.residentBytes).toBeLessThan(LASTING_BYTES_MAX);
  const mapped = readFileSync('/proc/self/maps', 'utf8').match(/serving-.*/g) ?? [];
  expect(mapped.length).toBeLessThanOrEqual(2);
}, 300_000);

async function writeMap(path: string): Promise<void> {
  const binary = { keyEncoding: 'binary', encoding: 'binary' } as const;
  const db = open<Buffer, Buffer>({ path, noSubdir: true, ...binary });
  for (let i = 1; i <= 3; i++) await db.put(Buffer.from(`key-${i}`), Buffer.alloc(100_000, 'v'));
  await db.close();
}
