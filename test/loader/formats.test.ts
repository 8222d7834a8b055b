import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import zlib from 'node:zlib';
import { openTable } from 'goromdb';
import { beforeEach, describe, expect, test } from 'vitest';
// The loader's worker is a file of the build.
import { Loader } from '../../dist/loader/loader.js';
import { identityOf } from '../../src/watcher/identity.ts';
import { type CollectingLogger, collectingLogger } from '../support/collecting-logger.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../fixtures/${name}`, import.meta.url));

/** A real file of each format, with a key that it holds. */
const FILES = [
  ['json', fixture('sample/cities-v1.json'), 'data:version'],
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

/** Loads one file; afterwards `keys` has what it held and `logger` what was said. */
async function load(scanner: string, content: Uint8Array, gzipped = false): Promise<string> {
  const file = join(temporaryFolder(), 'data.db');
  drop(file, content);
  const loader = new Loader({
    baseDir: base,
    scanner,
    gzipped,
    bucket: undefined,
    shared: false,
    bytesMax: 1e9,
    logger,
    swap: async (parts, info) => {
      openTable(parts, info).scan?.(0, 1e6, (key, start, end) => {
        keys.add(key.toString('latin1', start, end));
      });
    },
  });
  await loader.prepare();
  const identity = identityOf(statSync(file, { bigint: true }));
  const offered = { file, sumFile: `${file}.md5`, md5: md5(content), identity, force: false };
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
    ['text', Buffer.from('key value\n'.repeat(10)), /expected a JSON object, LMDB, BoltDB or /],
    ['nothing', Buffer.alloc(0), /the file is empty/],
    ['nothing in gzip', zlib.gzipSync(''), /\(unpacked\): .*the file is empty/],
    ['half of a gzip file', zlib.gzipSync(fixture('lmdb/v1-plain.mdb')).subarray(0, 500), /gzip/],
  ])('rejects %s', async (_, content, message) => {
    expect(await load('auto', content)).toBe('rejected');
    expect(logger.lines[0]).toMatch(message);
    expect(readdirSync(base).sort()).toEqual(['data00', 'data01', 'events.json']);
  });
});

test.each(FILES)('%s is what its name stands for', async (format, content, key) => {
  expect(await load(format, content)).toBe('taken');
  expect(keys).toContain(key);
});

test.each([
  ['json', 'lmdb', fixture('lmdb/v1-plain.mdb')],
  ['lmdb', 'boltdb', fixture('bolt/plain.db')],
  ['boltdb', 'bdb', fixture('bdb/btree-plain.db')],
  ['bdb', 'json', fixture('sample/cities-v1.json')],
  ['memcachedb-bdb', 'lmdb', fixture('lmdb/v2-plain.mdb')],
])('a wrong -storage %s is told what the file looks like: %s', async (given, format, content) => {
  expect(await load(given, content)).toBe('rejected');
  expect(logger.lines[0]).toContain(`; it looks like ${format}: use -storage ${format}`);
});

test('memcachedb-bdb serves the records inside of Berkeley DB, packed or not', async () => {
  const content = fixture('memcachedb/btree-items.db');
  expect(await load('memcachedb-bdb', content)).toBe('taken');
  expect(keys).toContain('key-00067');
  expect(await load('memcachedb-bdb', zlib.gzipSync(content))).toBe('taken');
  expect(keys).toContain('key-00067');
});

test('-gzipped with a file that is not is refused', async () => {
  expect(await load('lmdb', fixture('lmdb/v1-plain.mdb'), true)).toBe('rejected');
  expect(logger.lines[0]).toMatch(/-gzipped was given, and this is not a gzip file/);
});

test('zstd is unpacked, or the version of Node that can is named', async () => {
  const { zstdCompressSync } = zlib as { zstdCompressSync?: (content: Buffer) => Buffer };
  const content = fixture('lmdb/v1-plain.mdb');
  if (zstdCompressSync === undefined) {
    expect(await load('auto', Buffer.from('28b52ffd00', 'hex'))).toBe('rejected');
    expect(logger.lines[0]).toMatch(/it takes Node 22.15 or newer, or a file packed with gzip/);
  } else {
    expect(await load('auto', zstdCompressSync(content))).toBe('taken');
    expect(keys).toContain('key-00067');
  }
});
