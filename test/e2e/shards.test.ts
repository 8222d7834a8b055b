import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { writeTable } from '../support/table-file.ts';
import { TextClient } from '../support/text-client.ts';

// In the slots of shard 1 and of shard 0, of two.
const [FIRST, OTHER] = ['foo', 'bar'];

function shardsFile(): string {
  const path = join(temporaryFolder(), 'shards.toml');
  const tables = [0, 1].map((i) => {
    return `[[shards]]\nname = "s${i}"\nidx = ${i}\naddress = "127.0.0.1:${7 + i}"\n`;
  });
  writeFileSync(path, tables.join(''));
  return path;
}

function start(shard: string, file: string): GoromdbProcess {
  const flags = ['-addr', '127.0.0.1:0', '-file', file];
  return new GoromdbProcess([...flags, '-shards', shardsFile(), '-shard', shard]);
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
