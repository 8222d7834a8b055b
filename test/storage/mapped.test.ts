import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MapWriter } from '../../src/loader/map-writer.ts';
import { openMap } from '../../src/storage/mapped.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { addRecords, bytesOf, infoOf, type TestRecord } from '../support/storages.ts';
import { storageContract } from './contract.ts';

let folder: string;
let made = 0;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'goromdb-map-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A map as the loader writes it. */
async function ownMap(records: Iterable<TestRecord>, prefix = ''): Promise<Storage> {
  const path = join(folder, `own-${made++}.mdb`);
  let scratch: number | undefined;
  const openScratch = (): number => {
    scratch = openSync(join(folder, 'scratch'), 'w+');
    return scratch;
  };
  const writer = await MapWriter.create(path, openScratch, () => {});
  addRecords(writer, records);
  const keys = await writer.finish();
  if (scratch !== undefined) closeSync(scratch);
  return openMap({ path, layout: 'own', keys, bytes: 0, prefix }, infoOf(keys, 0));
}

/** A file that the npm package wrote. */
async function plainMap(records: Iterable<TestRecord>): Promise<Storage> {
  const path = join(folder, `plain-${made++}.mdb`);
  const db = open<Buffer, Buffer>({
    path,
    noSubdir: true,
    keyEncoding: 'binary',
    encoding: 'binary',
  });
  db.transactionSync(() => {
    for (const [key, value] of records) db.putSync(bytesOf(key), bytesOf(value));
  });
  const keys = db.getKeysCount();
  await db.close();
  return openMap({ path, layout: 'plain', keys, bytes: 0 }, infoOf(keys, 0));
}

storageContract('a map that the loader wrote', (records) => ownMap(records));
storageContract('an LMDB file', plainMap, {
  keyBytesMin: 1,
  keyBytesMax: 1978,
  valueBytesMax: 16 * 1024 * 1024 - 1,
  storesFlags: false,
});

describe('a map', () => {
  test('of a data set finds and shows keys under its prefix, which are not so in the file', async () => {
    const long = 'k'.repeat(3000);
    const map = await ownMap(
      [
        ['a', '1'],
        [long, '2'],
      ],
      'geo:',
    );
    const find = (key: string): boolean => {
      const bytes = Buffer.from(`get ${key}`);
      return map.get(bytes, 4, bytes.length) !== undefined;
    };
    const keys = ['geo:a', `geo:${long}`, 'gex:a', 'geo:b', 'geo:', 'geo', 'a', ''];
    expect(keys.filter(find)).toEqual(['geo:a', `geo:${long}`]);
    const shown: string[] = [];
    map.scan!(0, 10, (key, start, end) => void shown.push(key.toString('latin1', start, end)));
    expect(shown).toEqual(['geo:a', `geo:${long}`]);
    map.close();
  });

  test('finds nothing and shows nothing when it is closed', async () => {
    const storage = await ownMap([['key', 'value']]);
    storage.close();
    expect(storage.get(Buffer.from('key'), 0, 3)).toBeUndefined();
    expect(storage.scan!(0, 10, () => {})).toBe(0);
  });
});
