import { afterEach, describe, expect, it } from 'vitest';
import { bdbScanner } from '../../../src/storage/formats/bdb/bdb.ts';
import { memcachedbScanner } from '../../../src/storage/formats/bdb/memcachedb.ts';
import { boltScanner } from '../../../src/storage/formats/bolt/bolt.ts';
import { jsonLinesScanner, jsonScanner } from '../../../src/storage/formats/json/json.ts';
import { lmdbScanner } from '../../../src/storage/formats/lmdb/lmdb.ts';
import { delimiterFault } from '../../../src/storage/scanners/namespaces.ts';
import type { Scanner } from '../../../src/storage/scanners/scanner.ts';
import { type Records, ScratchFile } from '../../support/scratch-file.ts';
import { fixture as bdbFixture } from './bdb-fixture.ts';
import { fixture as boltFixture, buildFile } from './bolt-fixture.ts';
import { Image, fixture as lmdbFixture, numbered } from './lmdb-fixture.ts';

let file: ScratchFile | undefined;
let notices: string[] = [];
afterEach(() => {
  file?.close();
  file = undefined;
});

/** Scans with namespaces; afterwards `notices` has what was told. */
function scan(scanner: Scanner, bytes: Buffer, delimiter = ':'): Promise<Records> {
  file?.close();
  file = new ScratchFile(scanner);
  notices = [];
  const onNotice = (text: string): number => notices.push(text);
  return file.scan(bytes, { namespaces: { delimiter }, onNotice });
}

/** Strings of latin1 sort as bytes do. */
function sorted(records: Records): Records {
  return records.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** The records of the fixtures that hold several databases. */
const USERS_AND_ORDERS = (delimiter: string): Records => [
  ...numbered(100, `orders${delimiter}order-`, 'total-'),
  ...numbered(200, `users${delimiter}user-`, 'name-'),
];

const nested = (object: object): Buffer => Buffer.from(JSON.stringify(object));

describe('all namespaces of a file at once', () => {
  it.each([
    ['LMDB, data format 1', lmdbScanner, lmdbFixture('v1-named')],
    ['LMDB, data format 2, names that end in NUL', lmdbScanner, lmdbFixture('v2-named')],
    ['Berkeley DB', bdbScanner, bdbFixture('bdb/databases')],
    ['Berkeley DB, big-endian with checksums', bdbScanner, bdbFixture('bdb/databases-be')],
  ])('are given with their names in the keys: %s', async (_, scanner, bytes) => {
    for (const delimiter of [':', '/', '::', '→']) {
      const expected = USERS_AND_ORDERS(Buffer.from(delimiter).toString('latin1'));
      expect(sorted(await scan(scanner, bytes, delimiter))).toEqual(sorted(expected));
      expect(notices).toEqual([]);
    }
  });

  it('are the buckets of a bolt file, also those inside of the list of buckets', async () => {
    const records = await scan(boltScanner, boltFixture('buckets'));
    const users = numbered(200, 'users:user-', 'name-');
    expect(records).toEqual(expect.arrayContaining(users));
    expect(records).toEqual(expect.arrayContaining(numbered(10, 'orders:order-', 'total-')));
    expect(records.filter(([key]) => key.startsWith('data/a:'))).toHaveLength(1);
    expect(records).toHaveLength(211);
  });

  it.each(['plain', 'deep', 'overflow', 'longkeys', 'binary', 'inline', 'old-overflow'])(
    'may be one bucket, of any shape (%s)',
    async (name) => {
      const bytes = boltFixture(name);
      const found = await scan(boltScanner, bytes);
      const plain = await file!.scan(bytes);
      expect(found).toEqual(plain.map(([key, value]) => [`data:${key}`, value]));
      expect(plain.length).toBeGreaterThan(0);
    },
  );

  it('leave out buckets inside of buckets, and say so', async () => {
    const records = await scan(boltScanner, boltFixture('nested'));
    expect(records).toEqual(numbered(100, 'data:key-', 'value-'));
    expect(notices).toEqual([
      '2 buckets inside of others are not served, nor what they hold: "key-00050-inline", "key-00060-pages"; only buckets at the top are namespaces',
    ]);
    await file!.scan(boltFixture('nested'), { onNotice: (text) => notices.push(text) });
    expect(notices[1]).toBe(
      '2 buckets inside of others are not served, nor what they hold: the buckets in "data" are "key-00050-inline", "key-00060-pages"; to serve one, give -bucket for each name, from the outside in',
    );
  });

  it('are the objects of a JSON object', async () => {
    const bytes = nested({ users: { 42: 'Ann', '': 'nobody' }, void: {}, '': { 42: 'none' } });
    expect(await scan(jsonScanner, bytes)).toEqual([
      ['users:42', 'Ann'],
      ['users:', 'nobody'],
      [':42', 'none'],
    ]);
    expect(await scan(jsonScanner, Buffer.from(' {\n} '))).toEqual([]);
  });
});

describe('namespaces are refused', () => {
  const at = 'expected an object of strings, "{" at byte';
  it.each<[string, Scanner, Buffer, RegExp]>([
    [
      'with the delimiter in their name (bolt)',
      boltScanner,
      boltFixture('buckets'),
      /the bucket "data\/a" has the delimiter "\/" in its name, so keys of two namespaces could/,
    ],
    [
      'with the delimiter in their name (JSON)',
      jsonScanner,
      nested({ ok: { a: '1' }, 'not/ok': {} }),
      /the object "not\/ok" at byte 16 has the delimiter "\/" in its name/,
    ],
    ['beside records (LMDB)', lmdbScanner, lmdbFixture('v1-mixed'), /found records beside them/],
    ['beside records (LMDB v2)', lmdbScanner, lmdbFixture('v2-mixed'), /leave out -namespaces/],
    ['when there are none (LMDB)', lmdbScanner, lmdbFixture('v1-empty'), /databases; found none/],
    ['when there are none (bolt)', boltScanner, boltFixture('none'), /found no bucket/],
    ['when there are none (BDB)', bdbScanner, bdbFixture('bdb/btree-plain'), /one without name/],
    [
      'of MemcacheDB, which has none',
      memcachedbScanner,
      bdbFixture('memcachedb/btree-items'),
      /MemcacheDB keeps one database without name/,
    ],
    ['of JSON Lines, which have none', jsonLinesScanner, nested({}), /JSON Lines have none/],
    [
      'when JSON has strings there',
      jsonScanner,
      nested({ a: 'b' }),
      RegExp(`${at} 5, namespace "a", found a string`),
    ],
    [
      'that come twice in JSON',
      jsonScanner,
      Buffer.from('{"a":{"x":"1"},"a":{}}'),
      /the object "a" at byte 15 comes a second time/,
    ],
    [
      'with values that are not strings, which names the place',
      jsonScanner,
      nested({ a: { b: '', c: { d: '' } } }),
      /expected a string at byte 17, namespace "a", key "c", found an object/,
    ],
  ])('%s', async (_, scanner, bytes, message) => {
    await expect(scan(scanner, bytes, '/')).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(message),
    });
  });

  it('when a name of LMDB differs from another by a NUL at its end only', async () => {
    const image = new Image('v1-named');
    image.bytes.write('users\0', image.node(image.root, 0) + 8);
    const [first, second] = [image.slot(image.root, 0), image.slot(image.root, 1)];
    const offset = image.u16(first);
    image.set16(first, image.u16(second));
    image.set16(second, offset);
    await expect(scan(lmdbScanner, image.bytes)).rejects.toMatchObject({
      code: 'FORMAT_UNSUPPORTED',
      message: expect.stringMatching(/the database "users" comes a second time/),
    });
    // One of them can still be chosen.
    expect(await file!.scan(image.bytes, { bucket: 'users' })).toHaveLength(200);
    expect(await file!.scan(image.bytes, { bucket: 'users\0' })).toHaveLength(100);
  });
});

describe('a key with its namespace', () => {
  const data = (keyBytes: number): Buffer => buildFile(4096, [['k'.repeat(keyBytes), 'value']]);

  it('may be longer than memcached can ask for', async () => {
    expect((await scan(boltScanner, data(246)))[0][0]).toHaveLength(251);
  });

  it('is held to the longest key', async () => {
    expect((await scan(boltScanner, data(65_530)))[0][0]).toHaveLength(65_535);
    await expect(scan(boltScanner, data(65_531))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringMatching(/a key with its namespace is 65536 bytes long/),
    });
  });

  it('may be reported with a long name, up to a limit', async () => {
    const name = 'n'.repeat(1024);
    expect((await scan(jsonScanner, nested({ [name]: { a: '' } })))[0][0]).toBe(`${name}:a`);
    await expect(scan(jsonScanner, nested({ [`${name}n`]: {} }))).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringMatching(
        /expected a namespace of at most 1024 bytes at byte 1, found a longer one/,
      ),
    });
  });
});

it.each(['', ' ', 'a b', '\n', '\u007f', '\ud800', 'x'.repeat(17)])(
  'a delimiter must not be %j',
  (delimiter) => {
    expect(delimiterFault(delimiter)).toMatch(/^expected 1 to 16 bytes without spaces/);
  },
);
