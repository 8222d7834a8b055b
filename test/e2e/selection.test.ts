import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Memcached from 'memcached';
import { expect, onTestFinished, test } from 'vitest';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';

const nested = readFileSync(new URL('../../fixtures/bolt/nested.db', import.meta.url));
const records = '{"user_id":"7","at":1.5,"segment":"gold"}\n';

async function clientOf(goromdb: GoromdbProcess): Promise<(key: string) => Promise<unknown>> {
  const address = await goromdb.address();
  const client = new Memcached(`127.0.0.1:${address.kind === 'tcp' ? address.port : 0}`);
  onTestFinished(() => client.end());
  return (key) =>
    new Promise((resolve, reject) => {
      client.get(key, (error, found) => (error ? reject(error) : resolve(found)));
    });
}

test('flags name the fields of JSON Lines, and a start with others reads the file again', async () => {
  const file = join(temporaryFolder(), 'data.db');
  const flags = ['-addr', '127.0.0.1:0', '-file', file, '-jsonl-key', 'user_id'];
  const goromdb = new GoromdbProcess([...flags, '-jsonl-value', 'segment', '-jsonl-ignore']);
  const get = await clientOf(goromdb);
  drop(file, records);
  await goromdb.says(/generation 1 serves .* 1 key, .* of jsonl/);
  expect(await get('7')).toBe('gold');
  expect(await goromdb.kill('SIGTERM')).toBe(0);

  const narrow = new GoromdbProcess([...flags, '-jsonl-value', 'segment']);
  await narrow.says(/found the name "at"; .*leave the others out with -jsonl-ignore/);
  expect(await (await clientOf(narrow))('7')).toBeUndefined();
});

test('a configuration file gives each data set its path of buckets or its fields', async () => {
  const folder = temporaryFolder();
  const config = join(folder, 'goromdb.toml');
  for (const name of ['bolt', 'lines']) mkdirSync(join(folder, name));
  writeFileSync(
    config,
    `addr = "127.0.0.1:0"
[[data-set]]
prefix = "deep"
file = "bolt/data.db"
bucket = ["data", "key-00060-pages", "deeper"]
[[data-set]]
prefix = "users"
file = "lines/data.db"
jsonl-key = "user_id"
jsonl-value = "segment"
jsonl-ignore = true
`,
  );
  const goromdb = new GoromdbProcess(['-config', config]);
  const get = await clientOf(goromdb);
  drop(join(folder, 'bolt/data.db'), nested);
  drop(join(folder, 'lines/data.db'), records);
  await goromdb.says(/data set deep: generation 1 serves .* 5 keys, .* of boltdb/);
  await goromdb.says(/data set users: generation 1 serves .* 1 key, .* of jsonl/);
  expect(await get('deep:deep-00005')).toBe('value-00005');
  expect(await get('users:7')).toBe('gold');
});
