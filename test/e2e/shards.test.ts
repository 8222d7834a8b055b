import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { shardFunctionOf } from '../../src/shards/shards.ts';
import { slotsOf } from '../../src/shards/slots.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { writeTable } from '../support/table-file.ts';
import { TextClient } from '../support/text-client.ts';

// In the slots of shard 1 and of shard 0, of two.
const [FIRST, OTHER] = ['foo', 'bar'];

/** Keys of each of four shards. Shard 0 of two has those of 0 and 2. */
const QUARTERS = [0, 1, 2, 3].map((idx) => {
  const { shardOf } = shardFunctionOf({
    hash: 'slots',
    shards: [0, 1, 2, 3].map((idx) => ({ idx, slots: slotsOf(idx, 4) })),
  });
  const keys = Array.from({ length: 100 }, (_, i) => `key${i}`);
  return keys.filter((key) => shardOf(Buffer.from(key), 0, key.length) === idx);
});

function shardsFile(count = 2): string {
  const path = join(temporaryFolder(), 'shards.toml');
  const tables = Array.from({ length: count }, (_, i) => {
    return `[[shards]]\nname = "s${i}"\nidx = ${i}\naddress = "127.0.0.1:${7 + i}"\n`;
  });
  writeFileSync(path, tables.join(''));
  return path;
}

function start(shard: string, file: string, count = 2): GoromdbProcess {
  const flags = ['-addr', '127.0.0.1:0', '-file', file, '-basedir', `${file}.state`];
  return new GoromdbProcess([...flags, '-shards', shardsFile(count), '-shard', shard]);
}

async function valueIn(goromdb: GoromdbProcess, key: string): Promise<string | undefined> {
  const client = await TextClient.connect(await goromdb.address());
  const [hit] = await client.get([key]);
  client.close();
  return hit?.value.toString();
}

async function tableWith(key: string, value: string): Promise<Buffer> {
  const path = join(temporaryFolder(), 'table.mdb');
  await writeTable(path, [[key, Buffer.from(value)]]);
  return readFileSync(path);
}

test('a file with a key of another shard is rejected, and what serves keeps serving', async () => {
  const file = join(temporaryFolder(), 'data.db');
  const goromdb = start('s1', file);
  drop(file, JSON.stringify({ [FIRST]: '1' }));
  await goromdb.says(/generation 1 serves/);
  drop(file, JSON.stringify({ [FIRST]: '2', [OTHER]: '3' }));
  await goromdb.says(
    /expected only keys of s1, found "bar", at byte \d+, of s0: drop each shard's/,
  );
  await goromdb.says(/SHARD_MISMATCH/);

  drop(file, await tableWith(OTHER, '4'));
  await goromdb.says(/found "bar", at byte \d+, of s0.*\n[\s\S]*found "bar", at byte \d+, of s0/);
  expect(await valueIn(goromdb, FIRST)).toBe('1');

  drop(file, await tableWith(FIRST, '5'));
  await goromdb.says(/generation 2 serves/);
  expect(await valueIn(goromdb, FIRST)).toBe('5');
});

test('a base folder of another shard is not served', async () => {
  const file = join(temporaryFolder(), 'data.db');
  const before = start('s1', file);
  drop(file, JSON.stringify({ [FIRST]: '1' }));
  await before.says(/generation 1 serves/);
  await before.kill('SIGTERM');
  const after = start('s0', file);
  await after.says(/expected only keys of s0, found "foo"/);
  await after.says(/listens on .*no slot can be served/);
});

test('a table of another part of the keys is rejected, also when each of its keys is right', async () => {
  const file = join(temporaryFolder(), 'data.db');
  const goromdb = start('s0', file);
  const path = join(temporaryFolder(), 'table.mdb');
  await writeTable(path, [[QUARTERS[0][0], Buffer.from('1')]], { part: 'slots 0-4095' });
  drop(file, readFileSync(path));
  await goromdb.says(
    /expected the keys of slots 0-8191, .*s0, found a table of "slots 0-4095": split/,
  );
  drop(file, gzipSync(readFileSync(path)));
  await goromdb.says(/found a table of "slots 0-4095"[\s\S]*found a table of "slots 0-4095"/);
  await writeTable(`${path}.0`, [[QUARTERS[0][0], Buffer.from('1')]], { part: 'slots 8192-16383' });
  drop(file, readFileSync(`${path}.0`));
  await goromdb.says(/found a table of "slots 8192-16383": it is the file of s1: drop it there/);
  await writeTable(`${path}.1`, [[QUARTERS[0][0], Buffer.from('1')]], { part: 'a\nb' });
  drop(file, readFileSync(`${path}.1`));
  await goromdb.says(/found a table of "a\\nb": split/);
  await writeTable(`${path}.2`, [[QUARTERS[0][0], Buffer.from('2')]], { part: 'slots 0-8191' });
  drop(file, readFileSync(`${path}.2`));
  await goromdb.says(/generation 1 serves/);
});

test('when shards are split, a base folder serves what stays, and leaves out what leaves', async () => {
  const file = join(temporaryFolder(), 'data.db');
  const state = `${file}.state`;
  const [stays, leaves] = [QUARTERS[0], QUARTERS[2]];
  const records = (value: string): [string, Buffer][] =>
    [...stays, ...leaves].map((key) => [key, Buffer.from(value)]);
  const before = start('s0', file);
  drop(file, JSON.stringify(Object.fromEntries([...stays, ...leaves].map((key) => [key, '1']))));
  await before.says(/generation 1 serves/);
  const path = join(temporaryFolder(), 'table.mdb');
  await writeTable(path, records('2'), { part: 'slots 0-8191' });
  drop(file, readFileSync(path));
  await before.says(/generation 2 serves/);
  await before.kill('SIGTERM');

  const after = start('s0', file, 4);
  await after.says(new RegExp(`${leaves.length} records of other shards are left out`));
  expect(await valueIn(after, stays[0])).toBe('2');
  await expect(valueIn(after, leaves[0])).rejects.toThrow(/s2 does not answer/);
  expect(await new GoromdbProcess(['rollback', '-basedir', state]).exit()).toBe(0);
  expect(await valueIn(after, stays[0])).toBe('1');
  await expect(valueIn(after, leaves[0])).rejects.toThrow(/s2 does not answer/);
  await after.kill('SIGKILL');

  // Its table is there; then it is damaged, and made anew of the file that has more.
  const again = start('s0', file, 4);
  expect(await valueIn(again, stays[1])).toBe('1');
  expect(again.stderr).not.toMatch(/made anew/);
  await again.kill('SIGTERM');
  for (const slot of ['data00', 'data01']) truncateSync(join(state, slot, 'table.mdb'), 100_000);
  const last = start('s0', file, 4);
  await last.says(/the table is made anew/);
  expect(await valueIn(last, stays[1])).toBe('1');
  await expect(valueIn(last, leaves[1])).rejects.toThrow(/s2 does not answer/);
  await last.kill('SIGTERM');

  const second = start('s2', file, 4);
  await expect(valueIn(second, stays[0])).rejects.toThrow(/s0 does not answer/);
  expect(await valueIn(second, leaves[0])).toBe('1');
  await second.kill('SIGTERM');
  const other = start('s1', file, 4);
  await other.says(/expected only keys of s1, found "key\d+"/);
  await other.says(/no slot can be served/);
});

test.each([
  [['-shards', 'FILE'], /-shards: -shard is missing/],
  [['-shard', 's0'], /-shard and -node belong to -shards/],
  [['-shards', 'FILE', '-shard', 's7'], /-shard: expected one of s0, s1, found "s7"/],
  [['-shards', 'FILE', '-shard', 's0', '-node', 'h:1'], /-node: expected .* s0: 127\.0\.0\.1:7, f/],
  [['-shards', '/none', '-shard', 's0'], /cannot read \/none/],
])('%j is refused', async (flags, message) => {
  const path = shardsFile();
  const words = flags.map((flag) => (flag === 'FILE' ? path : flag));
  const goromdb = new GoromdbProcess(['-file', `${path}.json`, ...words]);
  await goromdb.says(message);
  expect(await goromdb.exit()).toBe(2);
});
