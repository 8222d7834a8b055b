import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { diffFiles } from '../../src/inspect/diff.ts';
import { dumpFile } from '../../src/inspect/dump.ts';
import { findRecords } from '../../src/inspect/find.ts';
import { serving } from '../loader/loader-harness.ts';
import { temporaryFolder } from '../support/folder.ts';
import { writeTable } from '../support/table-file.ts';

/** What is found, as text. */
async function found(place: string, ...keys: string[]): Promise<unknown[]> {
  const records = await findRecords(
    place,
    keys.map((key) => Buffer.from(key)),
  );
  return records.map((record) => record && [`${record.key}`, `${record.value}`, record.flags]);
}

test('keys are found in a table, compressed or not, in any other file, and in a generation', async () => {
  const folder = temporaryFolder();
  const table = join(folder, 'table.db');
  await writeTable(table, [
    ['a', '1', 7],
    ['b', '2'],
    ['a', '3', 9],
  ]);
  expect(await found(table, 'a', 'none', 'b')).toEqual([['a', '3', 9], undefined, ['b', '2', 0]]);
  const packed = join(folder, 'table.db.gz');
  writeFileSync(packed, gzipSync(readFileSync(table)));
  expect(await found(packed, 'a')).toEqual([['a', '3', 9]]);
  const lines = join(folder, 'a.jsonl');
  writeFileSync(
    lines,
    '{"key":"a","value":"1"}\n{"key":"bb","value":"2"}\n{"key":"a","value":"3"}\n',
  );
  expect(await found(lines, 'bb', 'a', 'a', 'b')).toEqual([
    ['bb', '2', 0],
    ['a', '3', 0],
    ['a', '3', 0],
    undefined,
  ]);
  const { base } = await serving();
  expect(await found(base, 'v')).toEqual([['v', '2', 0]]);
  expect(await found(`${base}@1`, 'v')).toEqual([['v', '1', 0]]);
});

test('a generation is read as it serves, whatever is said of files', async () => {
  const { base } = await serving();
  const options = { namespaces: { delimiter: ':' }, storage: 'json' };
  const [record] = await findRecords(base, [Buffer.from('v')], options);
  expect(`${record?.value}`).toBe('2');
  const lines: string[] = [];
  await dumpFile(base, (bytes) => lines.push(`${bytes}`), options);
  expect(lines).toEqual(['{"key":"v","value":"2"}\n']);
  const json = join(temporaryFolder(), 'a.json');
  writeFileSync(json, '{"n":{"k":"x"}}');
  expect(await diffFiles(base, json, options)).toMatchObject({ added: 1, removed: 1 });
});

test('a key is found in an index of many reads', async () => {
  const path = join(temporaryFolder(), 'table.db');
  const keys = Array.from({ length: 20_000 }, (_, i) => `key ${i}`);
  await writeTable(
    path,
    keys.map((key) => [key, key] as const),
  );
  const some = keys.filter((_, i) => i % 97 === 0);
  expect(await found(path, ...some)).toEqual(some.map((key) => [key, key, 0]));
  expect(await found(path, 'key 20000')).toEqual([undefined]);
});
