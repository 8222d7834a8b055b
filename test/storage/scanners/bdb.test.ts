import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bdbScanner } from '../../../src/storage/formats/bdb/bdb.ts';
import { type Records, ScratchFile } from '../../support/scratch-file.ts';
import { fixture, Image, numbered, overflowRecords, pattern } from './bdb-fixture.ts';

let file: ScratchFile;
beforeAll(() => {
  file = new ScratchFile(bdbScanner);
});
afterAll(() => file.close());

/** Strings of latin1 sort as bytes do. */
function sorted(records: Records): Records {
  return records.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

it('a Berkeley DB btree may have an order of its own, and several values of a key', async () => {
  const notices: string[] = [];
  const onNotice = (text: string): number => notices.push(text);
  const records = await file.scan(fixture('bdb/btree-compare'), { onNotice });
  const numbers = Array.from({ length: 1200 }, (_, i) => i + 1);
  expect(records).toEqual(numbers.map((i) => [`k${i}`, `value-${i}`]));
  expect(notices).toEqual([
    '120 values are not served: 120 keys have several, and the first of each is served; the first such key is "k10", at page 2, byte 1336',
  ]);
});

it.each([
  ['btree-duplicates', 303, 4, 'key-00002'],
  ['btree-be-dupsort', 303, 4, 'key-00002'],
  ['hash-duplicates', 303, 4, 'key-00002'],
  ['hash-be-dupsort', 303, 4, 'key-00002'],
  ['duplicates-deleted', 1 + 197, 2, 'key-00001'],
])(
  'tells how many values of keys with several are not served (%s)',
  async (name, values, keys, first) => {
    const notices: string[] = [];
    await file.scan(fixture(`bdb/${name}`), { onNotice: (text) => notices.push(text) });
    expect(notices).toEqual([
      expect.stringMatching(
        `^${values} values are not served: ${keys} keys have several, .*; the first such key is "${first}", at page 1, byte \\d+$`,
      ),
    ]);
  },
);

describe.each(['btree', 'hash'])('a Berkeley DB %s', (method) => {
  /** A btree gives its records in order, a hash does not. */
  const scan = async (name: string): Promise<Records> => {
    const records = await file.scan(fixture(`bdb/${method}-${name}`));
    expect(file.flags.every((flags) => flags === 0)).toBe(true);
    return method === 'btree' ? records : sorted(records);
  };

  it.each(['plain', 'be', 'sums', 'be-sums'])('gives its records (%s)', async (name) => {
    expect(await scan(name)).toEqual(numbered(500, 'key-', 'value-'));
  });

  it.each(['overflow', 'be-overflow'])('gives keys and values of any size (%s)', async (name) => {
    const image = new Image(`bdb/${method}-${name}`);
    expect(image.pagesOf(7).length, 'overflow pages').toBeGreaterThan(20);
    expect(await scan(name)).toEqual(overflowRecords());
  });

  it('gives keys and values of any bytes, also the empty key', async () => {
    const records = await scan('binary');
    expect(records).toHaveLength(1 + 3 * 256);
    for (const [key, value] of records) expect(value).toBe(key + key);
    expect(records[0]).toEqual(['', '']);
    expect(records.map(([key]) => key)).toContain('\xff\x0a\0\n\r ');
  });

  it.each([
    ['duplicates', 'dup-00300', 6],
    ['dupsort', 'dup-00001', 12],
    ['be-dupsort', 'dup-00001', 12],
  ])('gives the first of several values for a key (%s)', async (name, first, leafType) => {
    const image = new Image(`bdb/${method}-${name}`);
    expect(image.pagesOf(leafType).length, 'pages of duplicates').toBeGreaterThan(5);
    expect(await scan(name)).toEqual([
      ['key-00001', 'one'],
      ['key-00002', 'dup-00001'],
      ['key-00003', first],
      ['key-00004', ''],
      ['key-00005', `a${pattern(2000)}`],
      ['key-00006', 'last'],
    ]);
  });

  it('may have no records', async () => {
    expect(await scan('empty')).toEqual([]);
  });

  it('may have pages of 64 KiB, whose free space then ends at 0', async () => {
    expect(await scan('64k')).toEqual(numbered(20, 'key-', 'value-'));
    const image = new Image(`bdb/${method}-64k-empty`);
    expect(image.u16(image.page(1) + 22)).toBe(0);
    expect(await scan('64k-empty')).toEqual([]);
  });

  it('is read without the pages that are free', async () => {
    const image = new Image(`bdb/${method}-churned`);
    const free = image.pagesOf(0);
    expect(free.length).toBeGreaterThan(30);
    for (const page of free) image.bytes.fill(0xee, page, page + image.pageBytes);
    const expected = numbered(400, 'key-', 'round-3-').filter((_, i) => i % 4 !== 3);
    expect(await scan('churned')).toEqual(expected);
    expect(sorted(await file.scan(image.bytes))).toEqual(expected);
  });

  it('reports its progress up to its size', async () => {
    const bytes = fixture(`bdb/${method}-plain`);
    const told: number[] = [];
    await file.scan(bytes, { onProgress: (done) => told.push(done) });
    expect(told.at(-1)).toBe(bytes.length);
  });

  it('is refused inside gzip', async () => {
    const bytes = fixture(`bdb/${method}-plain`);
    await expect(file.scan(bytes, { gzipped: true })).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
    });
  });

  it('has no named databases', async () => {
    const bytes = fixture(`bdb/${method}-plain`);
    await expect(file.scan(bytes, { bucket: 'users' })).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringContaining('a database named "users"; found a file of one'),
    });
  });
});

it('reads a btree through internal pages of internal pages', async () => {
  const image = new Image('bdb/btree-be');
  expect(image.bytes[image.root + 24], 'level of the root').toBe(3);
});

it('reads a btree that counts its records', async () => {
  expect(await file.scan(fixture('bdb/btree-recnum'))).toEqual(numbered(300, 'key-', 'value-'));
});

it('leaves out records that are only marked as deleted', async () => {
  const bytes = fixture('bdb/deleted');
  expect(bytes.includes('value-00005')).toBe(true);
  const expected = numbered(100, 'key-', 'value-').filter((_, i) => i % 5 !== 4);
  expect(await file.scan(bytes)).toEqual(expected);
});

it('gives the first value of a key that is not deleted, on the page or in a tree', async () => {
  const bytes = fixture('bdb/duplicates-deleted');
  expect(bytes.includes('key-00003')).toBe(true);
  expect(await file.scan(bytes)).toEqual([
    ['key-00001', 'dup-00003'],
    ['key-00002', 'dup-00003'],
  ]);
});

it('reads a hash that an application gave its own hash function', async () => {
  const image = new Image('bdb/hash-be');
  image.set32(92, 0x1234);
  // In their buckets only by another function.
  for (const [page, i] of image.itemsWith(1)) {
    if (i % 2 === 0) image.bytes.write('abc', image.item(page, i) + 1);
  }
  expect(await file.scan(image.bytes)).toHaveLength(500);
});

it('reads pages of a hash that were never written as empty', async () => {
  const image = new Image('bdb/hash-empty');
  image.bytes.fill(0, image.page(1));
  expect(await file.scan(image.bytes)).toEqual([]);
  image.set8(image.page(1) + 100, 1);
  await expect(file.scan(image.bytes)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
});

it('reads hash pages from before version 4.6, which are not sorted', async () => {
  const image = new Image('bdb/hash-sums');
  for (const page of image.pagesOf(13)) image.set8(page + 25, 2);
  image.set32(16, 8);
  image.seal();
  expect(sorted(await file.scan(image.bytes))).toEqual(numbered(500, 'key-', 'value-'));
});

describe.each(['databases', 'databases-be'])('a file of several databases (%s)', (name) => {
  const bytes = fixture(`bdb/${name}`);

  it('gives the records of the one that is asked for', async () => {
    const users = await file.scan(bytes, { bucket: 'users' });
    expect(users).toEqual(numbered(200, 'user-', 'name-'));
    const orders = await file.scan(bytes, { bucket: 'orders' });
    expect(sorted(orders)).toEqual(numbered(100, 'order-', 'total-'));
    expect(await file.scan(bytes, { bucket: 'void' })).toEqual([]);
  });

  it('names them when none is asked for, or one that is not there', async () => {
    await expect(file.scan(bytes)).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(
        /expected records; found the databases "orders", "users", "void"; choose one with -bucket/,
      ),
    });
    await expect(file.scan(bytes, { bucket: 'user' })).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(/named "user"; found the databases "orders", "users", "void"/),
    });
  });
});

it('reads a btree page whose number and offset need more than 32 bits', async () => {
  const image = new Image('bdb/btree-be');
  const leaf = image.firstLeaf();
  const number = 2 ** 31 + 7;
  const parent = image.child(image.root, 0);
  image.set32(image.item(parent, 0) + 4, number);
  image.set32(image.page(image.u32(leaf + 16)) + 12, number);
  image.set32(32, number);
  image.set32(leaf + 8, number);
  const moved = Buffer.from(image.bytes.subarray(leaf, leaf + image.pageBytes));
  image.bytes.fill(0xee, leaf, leaf + image.pageBytes);
  const records = await file.scan(image.bytes, {}, { bytes: moved, at: number * image.pageBytes });
  expect(records).toEqual(numbered(500, 'key-', 'value-'));
});

it('reads a hash bucket whose number and offset need more than 32 bits', async () => {
  const image = new Image('bdb/hash-be');
  const bucket = image.page(image.u32(96));
  const number = 2 ** 31 + 7;
  image.set32(96, number);
  image.set32(32, number);
  image.set32(bucket + 8, number);
  const moved = Buffer.from(image.bytes.subarray(bucket, bucket + image.pageBytes));
  const next = image.u32(bucket + 16);
  if (next !== 0) image.set32(image.page(next) + 12, number);
  image.bytes.fill(0xee, bucket, bucket + image.pageBytes);
  const records = await file.scan(image.bytes, {}, { bytes: moved, at: number * image.pageBytes });
  expect(sorted(records)).toEqual(numbered(500, 'key-', 'value-'));
});
