import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabaseOptionsWithPath } from 'lmdb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lmdbScanner } from '../../../src/storage/formats/lmdb/lmdb.ts';
import { ScratchFile } from '../../support/scratch-file.ts';
import { FIXTURES, fixture, Image, numbered, pattern } from './lmdb-fixture.ts';

let file: ScratchFile;
beforeAll(() => {
  file = new ScratchFile(lmdbScanner);
});
afterAll(() => file.close());

const OVERFLOW_SIZES = [0, 1, 2000, 2020, 2040, 4072, 4073, 4080, 4081, 8168, 8169, 8177, 12_000];

function u32(number: number): string {
  return String.fromCharCode(number & 255, number >> 8, 0, 0);
}

it('an LMDB file may have an order of its own', async () => {
  const records = await file.scan(fixture('v1-compare'));
  const numbers = Array.from({ length: 1200 }, (_, i) => i + 1);
  expect(records).toEqual(numbers.map((i) => [`k${i}`, `value-${i}`]));
});

describe.each(['v1', 'v2'])('an LMDB file of data format %s', (version) => {
  it.each([
    ['dupsort', 2 + 599],
    ['dupfixed', 4 + 1499],
  ])('tells how many values of keys with several are not served (%s)', async (name, count) => {
    const notices: string[] = [];
    const image = new Image(`${version}-${name}`);
    await file.scan(image.bytes, { onNotice: (text) => notices.push(text) });
    const key = image.bytes.indexOf('key-00002', image.firstLeaf());
    expect(notices).toEqual([
      `${count} values are not served: 2 keys have several, and the first of each is served; the ` +
        `first such key is "key-00002", at page ${Math.floor(key / image.pageBytes)}, byte ${key}`,
    ]);
  });

  it('gives its records in order', async () => {
    const records = await file.scan(fixture(`${version}-plain`));
    expect(records).toEqual(numbered(500, 'key-', 'value-'));
  });

  it('is read through branches of branches', async () => {
    const image = new Image(`${version}-deep`);
    expect(image.u16(image.main + 6), 'depth').toBe(3);
    const expected =
      version === 'v1'
        ? numbered(100, 'key-', 'value-', '.'.repeat(400))
        : numbered(800, 'key-', 'value-');
    expect(await file.scan(image.bytes)).toEqual(expected);
  });

  it('gives values of every size around the limits of overflow pages', async () => {
    const records = await file.scan(fixture(`${version}-overflow`));
    expect(records.map(([, value]) => value.length)).toEqual(OVERFLOW_SIZES);
    for (const [, value] of records) expect(value).toBe(pattern(value.length));
  });

  it('gives keys and values of any bytes', async () => {
    const records = await file.scan(fixture(`${version}-binary`));
    expect(records).toHaveLength(1 + 3 * 128);
    for (const [key, value] of records) expect(value).toBe(key + key);
    const keys = records.map(([key]) => key);
    expect(keys).toContain('\0');
    expect(keys).toContain('\x0a\0');
    expect(keys).toContain('\xf5\x0a\0\n\r ');
    expect(keys).toContain('k'.repeat(511));
    // Strings of latin1 sort as bytes do.
    expect(keys).toEqual([...new Set(keys)].sort());
  });

  it('gives the records of a named database', async () => {
    const bytes = fixture(`${version}-named`);
    expect(await file.scan(bytes, { bucket: 'users' })).toEqual(numbered(200, 'user-', 'name-'));
    expect(await file.scan(bytes, { bucket: 'orders' })).toEqual(numbered(100, 'order-', 'total-'));
  });

  it('gives no records for a database that is empty', async () => {
    expect(await file.scan(fixture(`${version}-empty`))).toEqual([]);
    expect(await file.scan(fixture(`${version}-named`), { bucket: 'void' })).toEqual([]);
  });

  it('leaves named databases out of the main one', async () => {
    const bytes = fixture(`${version}-mixed`);
    expect(await file.scan(bytes)).toEqual(numbered(10, 'key-', 'value-'));
    expect(await file.scan(bytes, { bucket: 'users' })).toEqual(numbered(50, 'user-', 'name-'));
  });

  it('names its databases when it has no other records and none was asked for', async () => {
    await expect(file.scan(fixture(`${version}-named`))).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(/"orders", "users", "void"; choose one with -bucket/),
    });
  });

  it('names its databases when the one asked for is missing', async () => {
    await expect(file.scan(fixture(`${version}-named`), { bucket: 'user' })).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(/named "user"; found the databases "orders", "users", "void"/),
    });
    await expect(file.scan(fixture(`${version}-plain`), { bucket: 'x' })).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringContaining('found no named database'),
    });
  });

  it('gives the first of several values for a key', async () => {
    const records = await file.scan(fixture(`${version}-dupsort`));
    expect(records).toEqual([
      ['key-00001', 'one'],
      ['key-00002', 'dup-00001'],
      ['key-00003', 'dup-00001'],
      // LMDB itself has lost the empty value that was written before this one.
      ['key-00004', 'two'],
    ]);
  });

  it('gives the first of several values of one size', async () => {
    const records = await file.scan(fixture(`${version}-dupfixed`));
    expect(records).toEqual(
      ['key-00001', 'key-00002', 'key-00003'].map((key) => [key, 'dup00001']),
    );
  });

  it('may order its keys as integers', async () => {
    const records = await file.scan(fixture(`${version}-integerkey`));
    expect(records).toEqual(numbered(300, '', 'value-').map(([, value], i) => [u32(i * 7), value]));
  });

  it('is read in the state of its newest transaction', async () => {
    const image = new Image(`${version}-mixed`);
    const older = image.meta === image.header ? image.pageBytes + image.header : image.header;
    image.set64(older + 128, 1_000_000);
    // In the older state the named database is not there yet (v1) or empty (v2).
    const records = await file.scan(image.bytes, { bucket: 'users' }).catch(() => []);
    expect(records).toEqual([]);
  });

  it('reports its progress up to its size', async () => {
    const bytes = fixture(`${version}-plain`);
    const told: number[] = [];
    await file.scan(bytes, { onProgress: (done) => told.push(done) });
    expect(told.at(-1)).toBe(bytes.length);
  });

  it('is refused inside gzip', async () => {
    await expect(file.scan(fixture(`${version}-plain`), { gzipped: true })).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
    });
  });
});

it('reads keys that a v1 file orders from their end', async () => {
  const records = await file.scan(fixture('v1-reversekey'));
  expect(records.toSorted()).toEqual(numbered(300, 'key-', 'value-'));
  expect(records[0]).toEqual(['key-00100', 'value-00100']);
});

it('reads a v2 file that several transactions wrote and removed records from', async () => {
  const records = await file.scan(fixture('v2-churned'));
  const expected = numbered(400, 'key-', 'round-3-').filter((_, i) => i % 4 !== 3);
  expect(records).toEqual(expected);
});

it('reads keys and text as the npm package stores them by default', async () => {
  const records = await file.scan(fixture('v2-strings'), { bucket: 'words' });
  expect(records).toEqual(numbered(300, 'word-', 'text-'));
});

it('reads a page whose number and offset need more than 32 bits', async () => {
  const image = new Image('v2-deep');
  const leaf = image.firstLeaf();
  const number = 2 ** 32 + 7;
  const parent = image.child(image.root, 0);
  image.bytes.writeUIntLE(number, image.node(parent, 0), 6);
  image.set64(image.meta + 120, number);
  image.copyMeta();
  const moved = Buffer.from(image.bytes.subarray(leaf, leaf + image.pageBytes));
  moved.writeBigUInt64LE(BigInt(number));
  image.bytes.fill(0xee, leaf, leaf + image.pageBytes);
  const records = await file.scan(image.bytes, {}, { bytes: moved, at: number * image.pageBytes });
  expect(records).toEqual(numbered(800, 'key-', 'value-'));
});

it('refuses an encrypted file', async () => {
  await expect(file.scan(fixture('v2-encrypted'))).rejects.toMatchObject({
    code: 'FORMAT_UNSUPPORTED',
    message: expect.stringContaining('encrypted'),
  });
});

it('refuses a file with page checksums', async () => {
  const image = new Image('v2-plain');
  image.set16(image.pageBytes - 2, 32);
  await expect(file.scan(image.bytes)).rejects.toMatchObject({
    code: 'FORMAT_UNSUPPORTED',
    message: expect.stringContaining('expected pages without checksums, found 32 bytes'),
  });
});

describe('with the npm package lmdb', () => {
  const binary = { encoding: 'binary', keyEncoding: 'binary', noSubdir: true } as const;

  /** Opens a copy: the package writes a lock file beside it. */
  function openCopy(name: string, options: Partial<RootDatabaseOptionsWithPath>) {
    const folder = join(file.folder, name);
    mkdirSync(folder);
    const path = join(folder, 'data.mdb');
    copyFileSync(join(FIXTURES, `${name}.mdb`), path);
    return open<Buffer, Buffer>({ path, readOnly: true, ...binary, ...options });
  }

  it.each([
    ['v2-plain', {}],
    ['v2-deep', {}],
    ['v2-overflow', {}],
    ['v2-binary', {}],
    ['v2-churned', {}],
    ['v2-dupsort', { dupSort: true }],
    ['v2-dupfixed', { dupSort: true, dupFixed: true }],
  ])('agrees on the records of %s', async (name, options) => {
    const db = openCopy(name, options);
    const keys = new Map<string, Buffer>();
    for (const key of db.getKeys()) keys.set(key.toString('latin1'), Buffer.from(key));
    const expected = [...keys].map(([text, key]) => [text, db.get(key)!.toString('latin1')]);
    await db.close();
    expect(expected.length).toBeGreaterThan(0);
    expect(await file.scan(fixture(name))).toEqual(expected);
  });

  it('agrees on pages of any size and names the first ten of many databases', async () => {
    for (const pageSize of [512, 8192, 65_536]) {
      const path = join(file.folder, `pages-${pageSize}.mdb`);
      const db = open<Buffer, Buffer>({ path, ...binary, pageSize, maxDbs: 20 });
      const values = numbered(700, 'key-', 'value-');
      for (const [key, value] of values)
        await db.put(Buffer.from(key), Buffer.from(value.repeat(9)));
      for (let i = 0; i < 12; i++) db.openDB(`base\x07${i}`, binary);
      await db.flushed;
      await db.close();
      const bytes = readFileSync(path);
      expect(await file.scan(bytes)).toEqual(values.map(([key, value]) => [key, value.repeat(9)]));
      await expect(file.scan(bytes, { bucket: 'x' })).rejects.toMatchObject({
        message: expect.stringMatching(/"base\\u00070", ("base\\u0007\d+",? ?){9} and 2 more$/),
      });
    }
  });
});
