import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { boltScanner } from '../../../src/storage/formats/bolt/bolt.ts';
import { type Records, ScratchFile } from '../../support/scratch-file.ts';
import { buildFile, fixture, Image, META, pattern } from './bolt-fixture.ts';
import { numbered } from './lmdb-fixture.ts';

let file: ScratchFile;
beforeAll(() => {
  file = new ScratchFile(boltScanner);
});
afterAll(() => file.close());

const OVERFLOW_SIZES = [0, 1, 500, 965, 966, 967, 981, 982, 983, 1024, 2000, 4096, 12_000];

function sized(sizes: number[]): Records {
  return sizes.map((size) => [`size-${String(size).padStart(5, '0')}`, pattern(size)]);
}

describe('a bolt file', () => {
  it('gives its records in order', async () => {
    expect(await file.scan(fixture('plain'))).toEqual(numbered(500, 'key-', 'value-'));
  });

  it('may come from the first BoltDB, with free room at its end', async () => {
    expect(await file.scan(fixture('old-plain'))).toEqual(numbered(60, 'key-', 'value-'));
  });

  it('is read through branches of branches', async () => {
    const image = new Image('deep');
    expect(image.isBranch(image.child(image.root, 0)), 'three levels').toBe(true);
    expect(await file.scan(image.bytes)).toEqual(numbered(600, 'key-', 'value-'));
  });

  it.each([
    ['pages-1000', 1000],
    ['pages-16384', 16_384],
  ])('may have pages of any size (%s)', async (name, pageBytes) => {
    const image = new Image(name);
    expect(image.pageBytes).toBe(pageBytes);
    expect(await file.scan(image.bytes)).toEqual(numbered(200, 'key-', 'value-'));
  });

  it.each([128, 512, 4096, 65_536, 262_144, 16_777_216])('may have pages of %i', async (size) => {
    const records = numbered(20, 'key-', 'value-');
    expect(await file.scan(buildFile(size, records))).toEqual(records);
  });

  it('gives values of every size around the limits of a page', async () => {
    expect(await file.scan(fixture('overflow'))).toEqual(sized(OVERFLOW_SIZES));
  });

  it('may have a page too many where the first BoltDB fills the last one', async () => {
    const image = new Image('old-overflow');
    expect(image.u32(image.root + 12), 'overflow pages').toBe(3);
    expect(await file.scan(image.bytes)).toEqual(sized([0, 1, 3000, 9167]));
  });

  it('gives keys that are longer than its pages', async () => {
    const image = new Image('longkeys');
    const branches = image.pages().filter((page) => image.isBranch(page));
    expect(branches.some((page) => image.u32(page + 12) > 0)).toBe(true);
    const expected = numbered(12, 'key-', 'value-', '.'.repeat(2500));
    expect(await file.scan(image.bytes)).toEqual(expected);
  });

  it.each([1024, 4096])('gives values over a megabyte, with pages of %i', async (pageBytes) => {
    const records: Records = [
      ['a', pattern(700_000)],
      ['b', ''],
      ['c', pattern(400_001)],
      ['d', pattern(3)],
      ['e', pattern(2_000_000)],
      ['f', pattern(17_000_000)],
      ['g', 'end'],
    ];
    expect(await file.scan(buildFile(pageBytes, records))).toEqual(records);
  });

  it('gives more records on a page than its first page has room for elements', async () => {
    const records = numbered(3000, 'key-', 'value-');
    expect(await file.scan(buildFile(512, records))).toEqual(records);
    expect(await file.scan(buildFile(128, [['a', pattern(1_100_000)], ...records]))).toEqual([
      ['a', pattern(1_100_000)],
      ...records,
    ]);
  });

  it('gives keys and values of any bytes', async () => {
    const records = await file.scan(fixture('binary'));
    expect(records).toHaveLength(3 + 3 * 128);
    for (const [key, value] of records) expect(value).toBe(key + key);
    const keys = records.map(([key]) => key);
    expect(keys).toContain('\0');
    expect(keys).toContain('\x0a\0');
    expect(keys).toContain('\xf5\x0a\0\n\r ');
    expect(keys).toContain('k'.repeat(5000));
    // Strings of latin1 sort as bytes do.
    expect(keys).toEqual([...new Set(keys)].sort());
  });

  it('gives the records of a small bucket, which lies inside of its parent', async () => {
    const image = new Image('inline');
    expect(image.u64(image.bucket())).toBe(0);
    expect(await file.scan(image.bytes)).toEqual(numbered(10, 'key-', 'value-'));
  });

  it.each(['churned', 'nosync'])('gives what deletes have left (%s)', async (name) => {
    const expected = numbered(300, 'key-', 'round-2-').filter(
      (_, i) => i % 4 !== 3 && !(i >= 100 && i < 200),
    );
    expect(await file.scan(fixture(name))).toEqual(expected);
  });

  it('needs no list of free pages', async () => {
    expect(new Image('nosync').bytes.readBigUInt64LE(48)).toBe(2n ** 64n - 1n);
    const image = new Image('churned');
    const list = image.page(image.u64(image.meta + 48));
    image.bytes.fill(0xff, list, list + image.pageBytes);
    expect(await file.scan(image.bytes)).toHaveLength(150);
  });

  it('leaves buckets inside of the bucket out', async () => {
    const expected = numbered(100, 'key-', 'value-');
    expect(await file.scan(fixture('nested'), { bucket: 'data' })).toEqual(expected);
    await expect(file.scan(fixture('nested'), { bucket: 'key-00060-pages' })).rejects.toMatchObject(
      { code: 'FORMAT_UNSUPPORTED' },
    );
  });

  it.each([
    [['key-00050-inline'], numbered(5, 'inner-', 'value-')],
    [['key-00060-pages'], numbered(100, 'inner-', 'value-')],
    [['key-00060-pages', 'deeper'], numbered(5, 'deep-', 'value-')],
  ])('gives the records of a bucket inside of others: %j', async (inner, expected) => {
    expect(await file.scan(fixture('nested'), { bucket: 'data', inner })).toEqual(expected);
    // It is the only one at the top.
    expect(await file.scan(fixture('nested'), { inner })).toEqual(expected);
  });

  it('takes no name apart: one with a slash is a name', async () => {
    expect(await file.scan(fixture('buckets'), { bucket: 'data/a' })).toHaveLength(1);
    const path = { bucket: 'data', inner: ['a'] };
    await expect(file.scan(fixture('buckets'), path)).rejects.toThrow(
      'expected a bucket named "data"; found the buckets "data/a", ',
    );
  });

  it.each([
    [
      { bucket: 'key-00060-pages' },
      'expected a bucket named "key-00060-pages"; found the buckets "data"; the buckets in "data" are "key-00050-inline", "key-00060-pages"; to serve one, give -bucket for each name, from the outside in',
    ],
    [
      { bucket: 'data', inner: ['x'] },
      'expected a bucket named "x" in "data"; found others: the buckets in "data" are "key-00050-inline", "key-00060-pages"; to serve one, give -bucket for each name, from the outside in',
    ],
    [
      { bucket: 'data', inner: ['key-00060-pages', 'x'] },
      'expected a bucket named "x" in "key-00060-pages" in "data"; found others: the buckets in "key-00060-pages" in "data" are "deeper"; to serve one, give -bucket for each name, from the outside in',
    ],
    [
      { bucket: 'data', inner: ['key-00050-inline', 'x'] },
      'expected a bucket named "x" in "key-00050-inline" in "data"; found no bucket there',
    ],
    [
      { bucket: 'data', inner: ['key-00001'] },
      'expected a bucket named "key-00001" in "data"; found others: ',
    ],
  ])('tells which buckets there are when it has not that one: %j', async (path, message) => {
    const scan = file.scan(fixture('nested'), path);
    await expect(scan).rejects.toMatchObject({ code: 'FORMAT_UNSUPPORTED' });
    await expect(scan).rejects.toThrow(message);
  });

  it('refuses a damaged bucket on the way to the one that is served', async () => {
    const image = new Image('nested');
    image.bytes[image.key(image.firstLeaf(), 1)] ^= 0xff;
    const path = { bucket: 'data', inner: ['key-00060-pages'] };
    await expect(file.scan(image.bytes, path)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    // Where it only would be told of, the first error is what counts.
    await expect(file.scan(image.bytes, { bucket: 'x' })).rejects.toThrow(
      /found the buckets "data"$/,
    );
  });

  it('reads a page whose number and offset need more than 32 bits', async () => {
    const image = new Image('deep');
    const leaf = image.firstLeaf();
    const number = 2 ** 32 + 7;
    const parent = image.pages().find((page) => image.child(page, 0) === leaf)!;
    image.set64(image.element(parent, 0) + 8, number);
    image.setMeta(META.highWater, number + 1);
    image.refresh();
    const moved = Buffer.from(image.bytes.subarray(leaf, leaf + image.pageBytes));
    moved.writeBigUInt64LE(BigInt(number));
    image.bytes.fill(0xee, leaf, leaf + image.pageBytes);
    const tail = { bytes: moved, at: number * image.pageBytes };
    expect(await file.scan(image.bytes, {}, tail)).toEqual(numbered(600, 'key-', 'value-'));
  });

  it('reads overflow pages beyond 4 GiB', async () => {
    const records: Records = [
      ['a', pattern(9000)],
      ['b', pattern(3_000_000)],
    ];
    const image = new Image(buildFile(4096, records));
    const number = 5 * 2 ** 20;
    const leaf = image.bytes.subarray(image.root);
    leaf.writeBigUInt64LE(BigInt(number));
    image.set64(image.bucket(), number);
    image.setMeta(META.highWater, number + leaf.length / 4096);
    image.refresh();
    const tail = { bytes: leaf, at: number * 4096 };
    expect(await file.scan(image.bytes.subarray(0, 3 * 4096), {}, tail)).toEqual(records);
  });

  it('reports its progress up to its size', async () => {
    const bytes = fixture('plain');
    const told: number[] = [];
    await file.scan(bytes, { onProgress: (done) => told.push(done) });
    expect(told.at(-1)).toBe(bytes.length);
  });

  it('is refused inside gzip', async () => {
    await expect(file.scan(fixture('plain'), { gzipped: true })).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
    });
  });
});

describe('of the buckets of a bolt file', () => {
  it('the one that was asked for is served', async () => {
    const bytes = fixture('buckets');
    expect(await file.scan(bytes, { bucket: 'users' })).toEqual(numbered(200, 'user-', 'name-'));
    expect(await file.scan(bytes, { bucket: 'orders' })).toEqual(numbered(10, 'order-', 'total-'));
    expect(await file.scan(bytes, { bucket: 'void' })).toEqual([]);
    expect(await file.scan(bytes, { bucket: 'data/a' })).toEqual([['slash-00001', 'value-00001']]);
  });

  it('the only one is served without being asked for', async () => {
    expect(await file.scan(fixture('empty'))).toEqual([]);
    expect(await file.scan(fixture('plain'), { bucket: 'data' })).toHaveLength(500);
  });

  it('ten are named when none was asked for', async () => {
    await expect(file.scan(fixture('buckets'))).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(
        /expected one bucket; found the buckets "data\/a", "orders", "users", "void", ("x\\u0007\d",? ?){6} and 4 more; choose one with -bucket, or serve all with -namespaces$/,
      ),
    });
  });

  it.each(['user', 'userss', '', 'Users'])('%j must exist', async (bucket) => {
    await expect(file.scan(fixture('buckets'), { bucket })).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringContaining(`a bucket named "${bucket}"; found the buckets "data/a"`),
    });
  });

  it('there may be none, which is reported', async () => {
    for (const bucket of ['data', undefined]) {
      await expect(file.scan(fixture('none'), { bucket })).rejects.toMatchObject({
        code: 'FORMAT_UNSUPPORTED',
        message: expect.stringMatching(/expected a bucket( named "data")?; found no bucket$/),
      });
    }
  });

  it('one that is not served may be damaged', async () => {
    const image = new Image('buckets');
    const users = image.page(image.u64(image.bucket(2)));
    image.bytes.fill(0xff, users, users + image.pageBytes);
    expect(await file.scan(image.bytes, { bucket: 'orders' })).toHaveLength(10);
    await expect(file.scan(image.bytes, { bucket: 'users' })).rejects.toMatchObject({
      code: 'DATA_CORRUPT',
    });
  });
});

describe('of the two meta pages of a bolt file', () => {
  it('the one of the newest transaction is believed', async () => {
    // The state before the first transaction of a user: no bucket.
    const image = new Image('old-plain');
    expect(image.meta).toBe(0);
    image.set64(image.pageBytes + META.transaction, 3);
    image.refresh();
    await expect(file.scan(image.bytes)).rejects.toThrow('found no bucket');
    image.set64(image.pageBytes + META.transaction, 2);
    image.refresh();
    expect(await file.scan(image.bytes)).toHaveLength(60);
  });

  it('transactions are distinguished beyond 2^53', async () => {
    const image = new Image('old-plain');
    image.set64(META.transaction, 2n ** 63n);
    image.set64(image.pageBytes + META.transaction, 2n ** 63n + 1n);
    image.refresh();
    await expect(file.scan(image.bytes)).rejects.toThrow('found no bucket');
  });

  it('a newer one with a wrong checksum is not believed', async () => {
    const image = new Image('old-plain');
    image.refresh();
    image.set64(image.pageBytes + META.transaction, 3);
    expect(await file.scan(image.bytes)).toHaveLength(60);
  });

  it('both may have no checksum, as in old files', async () => {
    const image = new Image('plain');
    image.setMeta(META.checksum, 0);
    expect(await file.scan(image.bytes)).toHaveLength(500);
  });

  it.each([
    ['empty', 0],
    ['overflow', 13],
    ['plain', 500],
    ['pages-16384', 200],
  ])('the first may be damaged, whatever the page size (%s)', async (name, count) => {
    for (const at of [META.magic, META.version, META.pageBytes, META.transaction, META.checksum]) {
      const image = new Image(name);
      image.bytes[at] ^= 1;
      expect(await file.scan(image.bytes)).toHaveLength(count);
      image.bytes.fill(0, 0, 512);
      expect(await file.scan(image.bytes)).toHaveLength(count);
    }
  });

  it('what only looks like the second one is passed over', async () => {
    const image = new Image('plain');
    image.bytes.copy(image.bytes, 1024, image.pageBytes, image.pageBytes + 80);
    image.bytes[META.root] ^= 1;
    expect(await file.scan(image.bytes)).toHaveLength(500);
  });

  it('the second may be damaged', async () => {
    const image = new Image('plain');
    image.bytes.fill(0, image.pageBytes, image.pageBytes + 100);
    expect(await file.scan(image.bytes)).toHaveLength(500);
  });
});
