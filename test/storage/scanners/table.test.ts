import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { tableScanner } from '../../../src/storage/formats/table.ts';
import { openTableIn } from '../../../src/storage/table/table.ts';
import { openTableMap } from '../../../src/storage/table/table-map.ts';
import { TableWriter } from '../../../src/storage/table/table-writer.ts';
import { temporaryFolder } from '../../support/folder.ts';
import { ScratchFile } from '../../support/scratch-file.ts';
import { bytesOf, infoOf, type TestRecord } from '../../support/storages.ts';
import { tableBytes } from '../../support/table-bytes.ts';
import { storageContract } from '../contract.ts';

let file: ScratchFile;
beforeAll(() => {
  file = new ScratchFile(tableScanner);
});
afterAll(() => file.close());

storageContract('a table made of the records of another one', async (records) => {
  const scanned = new ScratchFile(tableScanner);
  const path = join(temporaryFolder(), 'table.mdb');
  const writer = new TableWriter({ path });
  const found = await scanned.scan(await tableBytes(records, { segmentBytesMax: 100_000 }));
  for (const [i, [key, value]] of found.entries()) {
    const [k, v] = [bytesOf(key), bytesOf(value)];
    writer.add(k, 0, k.length, v, 0, v.length, scanned.flags[i]);
  }
  const { keys, bytes } = await writer.finish();
  writer.close();
  scanned.close();
  const map = await openTableMap(path);
  return openTableIn(map.parts, infoOf(keys, bytes), () => map.release());
});

test('gives all records in their order, with their flags', async () => {
  const records: TestRecord[] = [
    ['a', '1', 7],
    ['b', '\r\n', 4_294_967_295],
    ['a', '', 0],
    ['', 'x'.repeat(700_000), 1],
  ];
  const bytes = await tableBytes(records);
  expect(await file.scan(bytes)).toEqual(records.map(([key, value]) => [key, value]));
  expect(file.flags).toEqual(records.map(([, , flags]) => flags));
});

test.each([
  ['nothing', Buffer.alloc(0), 'FORMAT_UNKNOWN'],
  ['text', Buffer.from('{"a":"1"}'), 'FORMAT_UNKNOWN'],
])('refuses %s', async (_, bytes, code) => {
  await expect(file.scan(bytes)).rejects.toMatchObject({ code });
});

test('refuses a table that is cut short at any page, or goes on', async () => {
  const bytes = await tableBytes([['a', 'v'.repeat(10_000)]]);
  for (let at = 4 * 4096; at < bytes.length; at += 4096) {
    const cut = file.scan(bytes.subarray(0, at));
    await expect(cut, `${at} bytes`).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
  }
  const longer = Buffer.concat([bytes, Buffer.alloc(4096)]);
  await expect(file.scan(longer)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
});

test('refuses a value that there is no room for', async () => {
  const bytes = await tableBytes([['a', Buffer.alloc(1_000_000)]]);
  const scanned = file.scan(bytes, { valueBytesMax: 999_999 });
  await expect(scanned).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
});
