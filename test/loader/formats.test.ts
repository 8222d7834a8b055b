import { linkSync, readdirSync, readFileSync, symlinkSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import zlib from 'node:zlib';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { DropFolder } from '../../src/loader/drops/drop-folder.ts';
import { Loader, type LoaderOptions } from '../../src/loader/loader.ts';
import { openTableIn } from '../../src/storage/table/table.ts';
import { type CollectingLogger, collectingLogger } from '../support/collecting-logger.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { waitFor } from '../support/patience.ts';
import { dropOf } from './loader-harness.ts';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../fixtures/${name}`, import.meta.url));

/** A real file of each format, with a key that it holds. */
const FILES = [
  ['json', fixture('sample/cities-v1.json'), 'data:version'],
  ['jsonl', Buffer.from('{"key":"a","value":"1"}\n{"key":"b","value":"2"}\n'), 'b'],
  ['lmdb', fixture('lmdb/v1-plain.mdb'), 'key-00067'],
  ['lmdb', fixture('lmdb/v2-plain.mdb'), 'key-00067'],
  ['boltdb', fixture('bolt/plain.db'), 'key-00067'],
  ['bdb', fixture('bdb/btree-plain.db'), 'key-00067'],
  ['bdb', fixture('bdb/hash-be.db'), 'key-00067'],
] as const;

let base: string;
let logger: CollectingLogger;
let keys: Set<string>;
beforeEach(() => {
  base = temporaryFolder();
  logger = collectingLogger();
  keys = new Set();
});

interface LoadOptions extends Pick<Partial<LoaderOptions>, 'gzipped' | 'bucket' | 'fields'> {
  readonly delimiter?: string;
  /** Of the dropped file. */
  readonly name?: string;
}

/** Loads one file; afterwards `keys` has what it held and `logger` what was said. */
async function load(
  scanner: string,
  content: Uint8Array,
  { gzipped = false, delimiter, name = 'data.db', ...selection }: LoadOptions = {},
): Promise<string> {
  const file = join(temporaryFolder(), name);
  drop(file, content);
  const source = new DropFolder({ file, logger });
  const loader = new Loader({
    ...{ baseDir: base, source },
    scanner,
    gzipped,
    bucket: undefined,
    ...selection,
    namespaces: delimiter === undefined ? undefined : { delimiter },
    logger,
    swap: async ({ parts }, info) => {
      (await openTableIn(parts, info, () => {})).scan?.(0, 1e6, (key, start, end) => {
        keys.add(key.toString('latin1', start, end));
      });
    },
  });
  await loader.prepare();
  const offered = source.offerOf(dropOf(file, md5(content)));
  const { kind } = await loader.load(offered, new AbortController().signal);
  await loader.close();
  return kind;
}

describe('-storage auto', () => {
  test.each(FILES)('recognises %s', async (format, content, key) => {
    expect(await load('auto', content)).toBe('taken');
    expect(keys).toContain(key);
    expect(logger.lines[0]).toMatch(new RegExp(` of ${format}, md5 `));
  });

  test.each(FILES)('recognises %s in gzip, and leaves nothing unpacked behind', async (...file) => {
    const [format, content, key] = file;
    expect(await load('auto', zlib.gzipSync(content))).toBe('taken');
    expect(keys).toContain(key);
    expect(logger.lines[0]).toMatch(new RegExp(` of ${format}, md5 `));
    expect(readdirSync(base).sort()).toEqual(['data00', 'data01', 'events.json']);
  });

  test.each([
    [
      'text',
      Buffer.from('key value\n'.repeat(10)),
      /expected a JSON object, JSON Lines, a table of goromdb, LMDB, BoltDB or Berkeley DB; /,
    ],
    ['nothing', Buffer.alloc(0), /the file is empty/],
    ['nothing in gzip', zlib.gzipSync(''), /\(decompressed\): .*the file is empty/],
    ['half of a gzip file', zlib.gzipSync(fixture('lmdb/v1-plain.mdb')).subarray(0, 500), /gzip/],
  ])('rejects %s', async (_, content, message) => {
    expect(await load('auto', content)).toBe('rejected');
    expect(logger.lines[0]).toMatch(message);
    expect(readdirSync(base).sort()).toEqual(['data00', 'data01', 'events.json']);
  });
});

test.each(FILES)('%s is what its name says', async (format, content, key) => {
  expect(await load(format, content)).toBe('taken');
  expect(keys).toContain(key);
});

test.each([
  ['json', 'lmdb', fixture('lmdb/v1-plain.mdb')],
  ['lmdb', 'boltdb', fixture('bolt/plain.db')],
  ['boltdb', 'bdb', fixture('bdb/btree-plain.db')],
  ['bdb', 'json', fixture('sample/cities-v1.json')],
  ['jsonl', 'json', fixture('sample/cities-v1.json')],
  ['json', 'lmdb', zlib.gzipSync(fixture('lmdb/v1-plain.mdb'))],
  ['lmdb', 'bdb', zlib.gzipSync(fixture('bdb/btree-plain.db'))],
  ['json', 'jsonl', Buffer.from('{"key":"a","value":"1"}\n{"key":"b","value":"2"}\n')],
  ['memcachedb-bdb', 'lmdb', fixture('lmdb/v2-plain.mdb')],
])('a wrong -storage %s is told what the file looks like: %s', async (given, format, content) => {
  expect(await load(given, content)).toBe('rejected');
  expect(logger.lines[0]).toContain(`; it looks like ${format}: use -storage ${format}`);
});

test('memcachedb-bdb serves the records inside of Berkeley DB, compressed or not', async () => {
  const content = fixture('memcachedb/btree-items.db');
  expect(await load('memcachedb-bdb', content)).toBe('taken');
  expect(keys).toContain('key-00067');
  expect(await load('memcachedb-bdb', zlib.gzipSync(content))).toBe('taken');
  expect(keys).toContain('key-00067');
});

test('-gzipped with a file that is not is refused', async () => {
  expect(await load('lmdb', fixture('lmdb/v1-plain.mdb'), { gzipped: true })).toBe('rejected');
  expect(logger.lines[0]).toMatch(/expected a gzip file \(-gzipped\), found another format/);
});

test('zstd is unpacked, or the version of Node that can is named', async () => {
  const { zstdCompressSync } = zlib as { zstdCompressSync?: (content: Buffer) => Buffer };
  const content = fixture('lmdb/v1-plain.mdb');
  if (zstdCompressSync === undefined) {
    expect(await load('auto', Buffer.from('28b52ffd00', 'hex'))).toBe('rejected');
    expect(logger.lines[0]).toMatch(/use Node 22.15 or newer, or compress the file with gzip/);
  } else {
    expect(await load('auto', zstdCompressSync(content))).toBe('taken');
    expect(keys).toContain('key-00067');
  }
});

test('text in gzip is read as it is decompressed: the base folder need not have room', async () => {
  const text = JSON.stringify({ a: '1', b: '2' });
  const unpacked = new Set<string>();
  const watcher = watch(base, (_, name) => {
    if (name?.startsWith('.unpacked-')) unpacked.add(name);
  });
  onTestFinished(() => watcher.close());
  expect(await load('auto', zlib.gzipSync(text))).toBe('taken');
  expect([...keys].sort()).toEqual(['a', 'b']);
  expect(await load('auto', zlib.gzipSync('{"key":"c","value":"3"}'))).toBe('taken');
  expect(keys).toContain('c');
  // What is read by page takes a file, for a moment and under a name of its own.
  for (const count of [1, 2]) {
    await load('auto', zlib.gzipSync(fixture('lmdb/v1-plain.mdb')));
    await waitFor(() => expect(unpacked.size).toBe(count));
  }
  expect(readdirSync(base).filter((name) => unpacked.has(name))).toEqual([]);
});

test.each([
  ['symbolic', symlinkSync],
  ['hard', linkSync],
])('a %s link that was put where a file is unpacked is not written through', async (_, link) => {
  const victim = join(temporaryFolder(), 'victim');
  writeFileSync(victim, 'precious');
  link(victim, join(base, 'unpacked.tmp'));
  expect(await load('auto', zlib.gzipSync(fixture('lmdb/v1-plain.mdb')))).toBe('taken');
  expect(keys).toContain('key-00067');
  expect(readFileSync(victim, 'utf8')).toBe('precious');
});

describe('keys that come more than once', () => {
  const again = '"a":"3","b":"4","a":"5"}';

  test.each([
    ['json', `{"a":"1","b":"2",${again}`, 'at byte 17'],
    ['json', zlib.gzipSync(`{"a":"1","b":"2",${again}`), 'at byte 17 of the decompressed text'],
    [
      'jsonl',
      ['a', 'b', 'a', 'b', 'a'].map((key) => `{"key":"${key}","value":"1"}`).join('\n'),
      'at byte 48',
    ],
  ])('are counted and told, with the first of them: %s', async (format, content, place) => {
    expect(await load('auto', Buffer.from(content))).toBe('taken');
    expect(logger.lines[0]).toMatch(new RegExp(`2 keys, .* of ${format},`));
    const told = `the last of each is served; the first such key is "a", ${place}`;
    expect(logger.lines[1]).toMatch(/^warn in generation 1 from \/.*data.db: /);
    expect(logger.lines[1]).toContain(`: 3 records have a key that came before; ${told}`);
    expect(logger.lines).toHaveLength(2);
  });

  test('have a right place also in a large file', async () => {
    const member = (i: number): string => `"key-${i}":"${'v'.repeat(i % 700)}"`;
    const members = Array.from({ length: 60_000 }, (_, i) => member(i));
    const text = `{${members.join(',')},"key-777":""}`;
    expect(await load('json', Buffer.from(text))).toBe('taken');
    expect(logger.lines[1]).toContain('1 record has a key that came before');
    expect(logger.lines[1]).toContain(`"key-777", at byte ${text.indexOf('"key-777":""')}`);
  });

  test('are not spoken of when there are none', async () => {
    expect(await load('json', Buffer.from('{"a":"1","b":"2"}'))).toBe('taken');
    expect(logger.lines).toHaveLength(1);
  });
});

test.each([
  ['boltdb', fixture('bolt/buckets.db'), 'users:user-00067'],
  ['lmdb', fixture('lmdb/v1-named.mdb'), 'orders:order-00067'],
  ['lmdb', fixture('lmdb/v2-named.mdb'), 'users:user-00067'],
  ['bdb', fixture('bdb/databases.db'), 'orders:order-00067'],
  ['json', Buffer.from('{"users":{"7":"Ann"},"orders":{"7":"pen"}}'), 'orders:7'],
])('namespaces of %s are served with auto, compressed or not', async (format, content, key) => {
  expect(await load('auto', content, { delimiter: ':' })).toBe('taken');
  expect(keys).toContain(key);
  keys.clear();
  expect(await load('auto', zlib.gzipSync(content), { delimiter: ':' })).toBe('taken');
  expect(keys).toContain(key);
  expect(await load(format, content, { delimiter: ':' })).toBe('taken');
});

describe('JSON Lines whose fields have other names', () => {
  const fields = { key: 'user_id', value: 'segment' };
  const one = '{"user_id":"7","segment":"gold"}\n';
  const two = `${one}{"user_id":"8","segment":"none"}\n`;
  const more = '{"user_id":"7","at":1.5,"segment":"gold"}\n';

  test.each([
    ['one line', one, fields],
    ['lines', two, fields],
    ['lines with more fields', more + more, { ...fields, ignoreOthers: true }],
    ['one line with more fields', more, { ...fields, ignoreOthers: true }],
  ])('are served by auto and jsonl, compressed or not: %s', async (_, text, fields) => {
    for (const scanner of ['auto', 'jsonl']) {
      for (const content of [Buffer.from(text), zlib.gzipSync(text)]) {
        keys.clear();
        expect(await load(scanner, content, { fields })).toBe('taken');
        expect(keys).toContain('7');
        expect(keys).not.toContain('user_id');
      }
    }
  });

  test.each([
    ['auto', two, 'data.json'],
    ['auto', two, 'data.db'],
    ['jsonl', one, 'data.db'],
    // One line may be an object as well, and its name tells.
    ['auto', one, 'data.jsonl'],
    ['auto', zlib.gzipSync(one), 'data.jsonl.gz'],
  ])('are refused by %s with the names that there are: %#', async (scanner, text, name) => {
    expect(await load(scanner, Buffer.from(text), { name })).toBe('rejected');
    expect(logger.lines[0]).toContain(
      'it looks like JSON Lines with "user_id", "segment": name the key and the value: with -jsonl-key and -jsonl-value of the server, or -key and -value of build, publish and serve',
    );
  });

  test('and others are refused with the advice to leave those out', async () => {
    const text = '{"key":"7","value":"gold","ttl":60}';
    expect(await load('auto', Buffer.from(text))).toBe('rejected');
    expect(logger.lines[0]).toContain('leave the others out with -jsonl-ignore');
    expect(await load('json', Buffer.from('{"key":"7","value":"8","ttl":"9"}'))).toBe('taken');
    expect([...keys].sort()).toEqual(['key', 'ttl', 'value']);
  });

  test.each([
    ['lmdb', fixture('lmdb/v1-plain.mdb')],
    ['boltdb', fixture('bolt/plain.db')],
    ['lmdb', zlib.gzipSync(fixture('lmdb/v1-plain.mdb'))],
  ])('are what these options are for, and no file of %s', async (format, content) => {
    expect(await load('auto', content, { fields })).toBe('rejected');
    expect(logger.lines[0]).toContain(
      `-jsonl-key, -jsonl-value and -jsonl-ignore are for JSON Lines, and this is ${format}`,
    );
  });
});

test('a bucket inside of others is served by its path, compressed or not', async () => {
  const content = fixture('bolt/nested.db');
  for (const file of [content, zlib.gzipSync(content)]) {
    keys.clear();
    expect(await load('auto', file, { bucket: ['data', 'key-00060-pages'] })).toBe('taken');
    expect(keys.size).toBe(100);
    expect(keys).toContain('inner-00001');
  }
});

test('a path of buckets is refused for other formats', async () => {
  const bucket = ['users', 'x'];
  expect(await load('auto', fixture('lmdb/v1-named.mdb'), { bucket })).toBe('rejected');
  expect(logger.lines[0]).toContain(
    'only BoltDB has buckets inside of buckets, and this is lmdb: give -bucket once',
  );
});

describe('a file of another kind is called by its name', () => {
  const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
  const xz = Buffer.from('fd377a585a000004e6d6b4460200210116000000742fe5a3', 'hex');
  const zip = Buffer.from('504b03040a00000000007d5a7c5da02f05cb0a000000', 'hex');
  const bdb185 = Buffer.concat([Buffer.from('0006156100000002', 'hex'), Buffer.alloc(1000)]);
  const lmdb32 = Buffer.from(fixture('lmdb/v1-plain.mdb'));
  // The header of a page has 16 bytes in data format 2 of 32 bits, and in format 1 of 64.
  lmdb32.writeUInt32LE(2, 20);
  const UNPACK = 'xz: decompress it first';

  test.each([
    ['auto', xz, UNPACK],
    ['auto', zlib.gzipSync(xz), UNPACK],
    ['auto', zlib.gzipSync(zlib.gzipSync('{}')), 'gzip in another compression: compress it once'],
    ['json', zlib.gzipSync(zlib.gzipSync('{}')), 'gzip in another compression: compress it once'],
    ['json', xz, UNPACK],
    ['jsonl', xz, UNPACK],
    ['lmdb', zip, 'a zip archive: extract its file'],
    ['boltdb', zip, 'a zip archive: extract its file'],
    ['bdb', zip, 'a zip archive: extract its file'],
    ['bdb', bdb185, 'a Berkeley DB 1.85 hash: dump it'],
    ['bdb', fixture('bdb/queue.db'), 'a Berkeley DB queue: dump it'],
    ['auto', lmdb32, 'LMDB of a 32-bit machine: dump it there'],
    ['lmdb', lmdb32, 'LMDB of a 32-bit machine: dump it there'],
    ['table', zip, 'a zip archive: extract its file'],
    ['memcachedb-bdb', zip, 'a zip archive: extract its file'],
    ['json', Buffer.from('[{"a":"b"}]'), 'a JSON array: make a JSON object of it'],
    ['jsonl', Buffer.from('[{"a":"b"}]'), 'a JSON array: make a JSON object of it'],
    ['json', Buffer.from('"id","name"\n1,2\n'), 'CSV: goromdb build -o OUT -key COLUMN'],
    ['auto', utf16('\ufeff{"a":"1"}'), 'a text in UTF-16: convert it: iconv -f UTF-16 -t UTF-8'],
    ['auto', utf16('{"a":"1"}'), 'a text in UTF-16: convert it: iconv -f UTF-16LE -t UTF-8'],
    [
      'json',
      utf16('\ufeff{"a":"1"}').swap16(),
      'a text in UTF-16: convert it: iconv -f UTF-16 -t UTF-8',
    ],
    ['json', utf16('{"a":"1"}'), 'a text in UTF-16: convert it: iconv -f UTF-16LE -t UTF-8'],
    [
      'json',
      zlib.gzipSync(utf16('{"a":"1"}')),
      'a text in UTF-16: convert it: iconv -f UTF-16LE -t UTF-8',
    ],
    [
      'jsonl',
      utf16('{"key":"1"}').swap16(),
      'a text in UTF-16: convert it: iconv -f UTF-16BE -t UTF-8',
    ],
  ])('%s: %#', async (scanner, content, kind) => {
    expect(await load(scanner, content)).toBe('rejected');
    expect(logger.lines[0]).toContain(`; it looks like ${kind}`);
    expect(logger.lines[0].split('it looks like')).toHaveLength(2);
  });

  test('when it is said to be gzip', async () => {
    for (const scanner of ['lmdb', 'json', 'auto']) {
      expect(await load(scanner, xz, { gzipped: true })).toBe('rejected');
      expect(logger.lines.at(-1)).toContain(`expected a gzip file (-gzipped)`);
      expect(logger.lines.at(-1)).toContain(`; it looks like ${UNPACK}`);
    }
  });

  test('and its first bytes are shown, none of which a terminal obeys', async () => {
    expect(await load('auto', Buffer.from('\x1b]0;owned\x07\r\nand more'))).toBe('rejected');
    expect(logger.lines[0]).toContain(
      'its first bytes, 1b 5d 30 3b 6f 77 6e 65 64 07 0d 0a 61 6e 64 20 |.]0;owned...and |, are of none',
    );
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    expect(logger.lines[0]).not.toMatch(/[\0-\x1f\x7f-\x9f]/);
    expect(logger.lines[0]).not.toContain('looks like');
  });

  test('but not by a scanner of a user, which may know better', async () => {
    const path = join(temporaryFolder(), 'scanner.mjs');
    const fault = pathToFileURL(join(process.cwd(), 'dist/common/errors.js')).href;
    writeFileSync(
      path,
      `import { GoromdbError } from '${fault}';
      const scan = async () => { throw new GoromdbError('FORMAT_UNKNOWN', 'not mine'); };
      export default { format: 'own', scan };`,
    );
    expect(await load(pathToFileURL(path).href, zip)).toBe('rejected');
    expect(logger.lines[0]).toContain('not mine');
    expect(logger.lines[0]).not.toContain('looks like');
  });
});
