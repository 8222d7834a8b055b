import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { open } from 'lmdb';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
// The loader's worker is a file of the build.
import { Loader, type LoaderOptions } from '../../dist/loader/loader.js';
import { openStorage } from '../../src/storage/open-storage.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { isMap, type StorageParts } from '../../src/storage/table.ts';
import { identityOf } from '../../src/watcher/identity.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';

let base: string;
let file: string;
beforeEach(() => {
  base = temporaryFolder();
  file = join(temporaryFolder(), 'data.db');
});

const NEVER = new AbortController().signal;

function fixture(name: string): Buffer {
  return readFileSync(new URL(`../../fixtures/${name}`, import.meta.url));
}

interface Subject {
  readonly lines: string[];
  readonly parts: StorageParts[];
  load(content: string | Uint8Array): Promise<string>;
  recover(): Promise<boolean>;
  rollBack(): Promise<number>;
  get(key: string): string | undefined;
  flags(key: string): number | undefined;
  storage(): Storage;
}

/** A loader that maps everything, unless the options say other. */
function startLoader(options: Partial<LoaderOptions> = {}): Subject {
  const logger = collectingLogger();
  const parts: StorageParts[] = [];
  let storage: Storage | undefined;
  const loader = new Loader({
    ...{ baseDir: base, scanner: 'auto', gzipped: false, bucket: undefined, shared: false },
    ...{ bytesMax: 0, logger },
    swap: async (next, info) => {
      parts.push(next);
      const previous = storage;
      storage = await openStorage(next, info);
      previous?.close();
    },
    ...options,
  });
  onTestFinished(async () => {
    storage?.close();
    await loader.close();
  });
  const find = (key: string) => storage?.get(Buffer.from(key), 0, Buffer.byteLength(key));
  return {
    lines: logger.lines,
    parts,
    load: async (content) => {
      drop(file, content);
      const identity = identityOf(statSync(file, { bigint: true }));
      const offered = { file, sumFile: `${file}.md5`, md5: md5(content), identity, force: false };
      return (await loader.load(offered, NEVER)).kind;
    },
    recover: async () => {
      await loader.prepare();
      return loader.recover({ file, sumFile: `${file}.md5` });
    },
    rollBack: async () => (await loader.rollback()).record.generation,
    get: (key) => {
      const entry = find(key);
      return entry?.buffer.toString('utf8', entry.valueStart, entry.valueEnd);
    },
    flags: (key) => find(key)?.flags,
    storage: () => storage!,
  };
}

/** A value of the records that the fixtures hold. */
const LINES = fixture('lmdb/v2-plain.mdb');

function slot(name: string): string[] {
  return readdirSync(join(base, name))
    .filter((entry) => !entry.startsWith('serving-'))
    .sort();
}

const PLAIN_SLOT = ['data.db', 'data.db.md5', 'generation.json'];
const OWN_SLOT = [...PLAIN_SLOT, 'map.mdb'];

describe('a data set that is larger than memory', () => {
  test.each([
    ['json', fixture('sample/cities-v1.json'), 'data:version'],
    ['json in gzip', gzipSync(fixture('sample/cities-v1.json')), 'data:version'],
    ['lmdb of data format 1', fixture('lmdb/v1-plain.mdb'), 'key-00067'],
    ['boltdb', fixture('bolt/plain.db'), 'key-00067'],
    ['bdb, btree', fixture('bdb/btree-plain.db'), 'key-00067'],
    ['bdb, hash', fixture('bdb/hash-be.db'), 'key-00067'],
    ['lmdb of data format 2 in gzip', gzipSync(LINES), 'key-00067'],
  ])('is rewritten and mapped: %s', async (_, content, key) => {
    const inMemory = startLoader({ bytesMax: 1e9, baseDir: temporaryFolder() });
    await inMemory.recover();
    expect(await inMemory.load(content)).toBe('taken');
    const subject = startLoader();
    await subject.recover();
    expect(await subject.load(content)).toBe('taken');
    expect(subject.parts).toMatchObject([{ layout: 'own' }]);
    expect(subject.storage().info.servedFrom).toBe('map');
    expect(slot('data00')).toEqual(OWN_SLOT);
    expect(readFileSync(join(base, 'data00', 'data.db')).equals(content)).toBe(true);
    expect(subject.get(key)).toBeDefined();
    expect(recordsOf(subject.storage())).toEqual(recordsOf(inMemory.storage()));
    expect(subject.lines[0]).toMatch(/; larger than memory, mapped as map.mdb of .* kB; verify/);
  });

  test('is rewritten with its client flags', async () => {
    const subject = startLoader({ scanner: 'memcachedb-bdb' });
    await subject.recover();
    expect(await subject.load(fixture('memcachedb/btree-flags.db'))).toBe('taken');
    const table = startLoader({
      scanner: 'memcachedb-bdb',
      bytesMax: 1e9,
      baseDir: temporaryFolder(),
    });
    await table.recover();
    await table.load(fixture('memcachedb/btree-flags.db'));
    const flags = recordsOf(table.storage()).map(([key]) => [key, table.flags(key)]);
    expect(recordsOf(subject.storage()).map(([key]) => [key, subject.flags(key)])).toEqual(flags);
    expect(flags).toContainEqual(['flags-max', 2 ** 32 - 1]);
  });

  test('is mapped as it is when it is LMDB of data format 2', async () => {
    const subject = startLoader();
    await subject.recover();
    expect(await subject.load(LINES)).toBe('taken');
    expect(subject.parts).toMatchObject([{ layout: 'plain' }]);
    expect(subject.storage().info.servedFrom).toBe('file');
    expect(subject.get('key-00067')).toBeDefined();
    expect(slot('data00')).toEqual(PLAIN_SLOT);
    expect(subject.lines[0]).toMatch(/; larger than memory, mapped as it is; verify/);
  });

  test.each([
    ['duplicates', undefined, true, undefined],
    ['a named database among its records', 'other', false, undefined],
    ['a named database that is asked for', 'other', false, 'other'],
  ])('is rewritten when it is LMDB with %s', async (_, name, dupSort, bucket) => {
    const path = join(temporaryFolder(), 'made.mdb');
    const binary = { keyEncoding: 'binary', encoding: 'binary' } as const;
    const root = open<Buffer, Buffer>({ path, noSubdir: true, ...binary, dupSort });
    await root.put(Buffer.from('key'), Buffer.from('1'));
    if (dupSort) await root.put(Buffer.from('key'), Buffer.from('2'));
    if (name !== undefined) {
      await root.openDB({ name, ...binary }).put(Buffer.from('key'), Buffer.from('in other'));
    }
    await root.close();
    const subject = startLoader({ bucket });
    await subject.recover();
    expect(await subject.load(readFileSync(path))).toBe('taken');
    expect(subject.parts).toMatchObject([{ layout: 'own' }]);
    expect(subject.get('key')).toBe(bucket === undefined ? '1' : 'in other');
    expect(subject.get('other')).toBeUndefined();
    expect(subject.get('other\0')).toBeUndefined();
    expect(subject.storage().info.keys).toBe(1);
  });

  test('goes into memory when it fits, and never is mapped when memory is unlimited', async () => {
    const subject = startLoader({ bytesMax: Number.POSITIVE_INFINITY });
    await subject.recover();
    await subject.load('{"v":"1"}');
    expect(subject.parts.map(isMap)).toEqual([false]);
    expect(subject.storage().info.servedFrom).toBe('memory');
    expect(slot('data00')).toEqual(PLAIN_SLOT);
  });

  test('is mapped when it turns out to be larger than its memory', async () => {
    const subject = startLoader({ bytesMax: 10_000 });
    await subject.recover();
    await subject.load('{"v":"1"}');
    await subject.load(JSON.stringify({ v: 'x'.repeat(10_000) }));
    expect(subject.parts.map(isMap)).toEqual([false, true]);
    expect(subject.get('v')).toBe('x'.repeat(10_000));
  });

  test('holds keys that LMDB cannot have, and lets the last of equal keys win', async () => {
    const keys = ['', 'a', 'k'.repeat(1978), 'k'.repeat(1979), 'l'.repeat(65_535)];
    const pairs = [...keys, ...keys.toReversed()].map((key, i) => `${JSON.stringify(key)}:"${i}"`);
    const subject = startLoader();
    await subject.recover();
    expect(await subject.load(`{${pairs.join(',')}}`)).toBe('taken');
    expect(keys.map((key) => subject.get(key))).toEqual(['9', '8', '7', '6', '5']);
    expect(subject.storage().info.keys).toBe(5);
    expect(recordsOf(subject.storage())).toHaveLength(5);
  });

  test('with content that is bad is rejected, and leaves nothing behind', async () => {
    const subject = startLoader();
    await subject.recover();
    await subject.load('{"v":"1"}');
    expect(await subject.load('{"v":"2","w":2}')).toBe('rejected');
    expect(subject.get('v')).toBe('1');
    expect(slot('data01')).toEqual([]);
    expect(readdirSync(base).filter((name) => !name.startsWith('events'))).toEqual([
      ...['data00', 'data01'],
    ]);
  });

  test('is not written in a folder that is in the place of its own', async () => {
    const subject = startLoader();
    await subject.recover();
    await subject.load('{"v":"1"}');
    renameSync(base, `${base}.away`);
    onTestFinished(() => rmSync(`${base}.away`, { recursive: true }));
    mkdirSync(join(base, 'data01'), { recursive: true });
    writeFileSync(join(base, 'data01', 'map.mdb.incoming'), 'of another server');
    await expect(subject.load('{"v":"2"}')).rejects.toThrow('is another one than at the start');
    expect(slot('data01')).toEqual(['map.mdb.incoming']);
    expect(subject.get('v')).toBe('1');
  });

  test('is closed and forgotten with its generation', async () => {
    const subject = startLoader();
    await subject.recover();
    for (let v = 1; v <= 4; v++) await subject.load(JSON.stringify({ v: String(v) }));
    expect(subject.get('v')).toBe('4');
    expect([slot('data00'), slot('data01')]).toEqual([OWN_SLOT, OWN_SLOT]);
  });
});

describe('a restart', () => {
  test('serves a map as it is, without the file that it was made of', async () => {
    await loadOnce({}, '{"v":"1"}');
    const { ino } = statSync(join(base, 'data00', 'map.mdb'));
    writeFileSync(join(base, 'data00', 'data.db'), 'not read');
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(subject.get('v')).toBe('1');
    expect(statSync(join(base, 'data00', 'map.mdb')).ino).toBe(ino);
    expect(subject.lines[0]).toMatch(/generation 1 serves .* mapped as map.mdb .*; verify/);
    expect(subject.lines[0]).not.toContain('scan');
  });

  test('serves a file that is mapped as it is', async () => {
    await loadOnce({}, LINES);
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(subject.get('key-00067')).toBeDefined();
  });

  test.each([
    ['damaged', (path: string) => writeFileSync(path, readFileSync(path).fill(1, 9000, 9001))],
    ['truncated', (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 8192))],
    ['empty', (path: string) => writeFileSync(path, '')],
  ])('writes a map again that is %s', async (_, damage) => {
    await loadOnce({}, '{"v":"1"}');
    damage(join(base, 'data00', 'map.mdb'));
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(subject.get('v')).toBe('1');
    const again = startLoader();
    expect(await again.recover()).toBe(true);
    expect(again.lines[0]).not.toContain('map 0');
  });

  test('does not serve a file that was damaged since it was proven', async () => {
    await loadOnce({}, LINES);
    const path = join(base, 'data00', 'data.db');
    writeFileSync(path, readFileSync(path).fill(1, 9000, 9001));
    const subject = startLoader();
    expect(await subject.recover()).toBe(false);
    expect(subject.lines[0]).toMatch(/slot data00 .* is damaged/);
  });

  test('with other flags reads the file again', async () => {
    await loadOnce({ scanner: 'memcachedb-bdb' }, fixture('memcachedb/btree-items.db'));
    const subject = startLoader({ scanner: 'bdb' });
    expect(await subject.recover()).toBe(true);
    expect(subject.get('key-00067')).toMatch(/key-00067/);
  });

  test('with more memory takes the data set there, and removes the map', async () => {
    await loadOnce({}, '{"v":"1"}');
    const subject = startLoader({ bytesMax: 1e9 });
    expect(await subject.recover()).toBe(true);
    expect(subject.parts.map(isMap)).toEqual([false]);
    expect(slot('data00')).toEqual(PLAIN_SLOT);
  });

  test('with less memory maps what was in memory', async () => {
    await loadOnce({ bytesMax: 1e9 }, '{"v":"1"}');
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(subject.parts.map(isMap)).toEqual([true]);
    expect(slot('data00')).toEqual(OWN_SLOT);
  });

  test('removes what a kill left of a map', async () => {
    await startLoader().recover();
    for (const name of ['map.mdb.incoming', 'map.mdb.incoming-lock', 'serving-1.mdb-lock']) {
      writeFileSync(join(base, 'data01', name), 'x');
    }
    await startLoader().recover();
    expect(slot('data01')).toEqual([]);
  });
});

async function loadOnce(options: Partial<LoaderOptions>, content: string | Buffer): Promise<void> {
  const subject = startLoader(options);
  await subject.recover();
  expect(await subject.load(content)).toBe('taken');
  subject.storage().close();
}

/** All records, by `scan`, in the order of their keys. */
function recordsOf(storage: Storage): (readonly [string, string])[] {
  const records: (readonly [string, string])[] = [];
  let cursor = 0;
  do {
    cursor = storage.scan!(cursor, 7, (key, start, end, { buffer, valueStart, valueEnd }) => {
      const value = buffer.toString('latin1', valueStart, valueEnd);
      records.push([key.toString('latin1', start, end), value]);
    });
  } while (cursor !== 0);
  return records.sort(([a], [b]) => (a < b ? -1 : 1));
}

describe('a rollback to a mapped generation', () => {
  /** Generations 1 and 2 are maps, and 2 serves. */
  async function twoMaps(): Promise<{ subject: Subject; loads: string[] }> {
    const loads: string[] = [];
    const subject = startLoader({
      onLoad: (load) => void (load !== undefined && loads.push(load.path)),
    });
    await subject.recover();
    for (const version of ['1', '2']) {
      expect(await subject.load(fixture(`sample/cities-v${version}.json`))).toBe('taken');
    }
    loads.length = 0;
    return { subject, loads };
  }

  test('loads nothing, and can be rolled back the same way', async () => {
    const { subject, loads } = await twoMaps();
    expect(await subject.rollBack()).toBe(3);
    expect(subject.get('data:version')).toBe('1');
    expect(await subject.rollBack()).toBe(4);
    expect(subject.get('data:version')).toBe('2');
    expect(loads).toEqual([]);
    expect(subject.lines.at(-2)).toMatch(/; switch [\d.]+ s$/);
  });

  test('loads nothing after a file that was refused, either', async () => {
    const { subject, loads } = await twoMaps();
    expect(await subject.load('{"a"')).toBe('rejected');
    loads.length = 0;
    await subject.rollBack();
    expect(subject.get('data:version')).toBe('1');
    expect(loads).toEqual([]);
  });

  test('proves a map that was written to, and writes it again if it is damaged', async () => {
    const { subject, loads } = await twoMaps();
    const map = join(base, 'data00', 'map.mdb');
    writeFileSync(map, Buffer.alloc(statSync(map).size));
    await subject.rollBack();
    expect(subject.get('data:version')).toBe('1');
    expect(loads).toEqual([join(base, 'data00', 'data.db')]);
  });

  test('after a restart proves the map first', async () => {
    const { loads: _, subject: first } = await twoMaps();
    expect(first.get('data:version')).toBe('2');
    const loads: string[] = [];
    const subject = startLoader({
      onLoad: (load) => void (load !== undefined && loads.push(load.path)),
    });
    await subject.recover();
    loads.length = 0;
    await subject.rollBack();
    expect(subject.get('data:version')).toBe('1');
    expect(loads).toEqual([join(base, 'data00', 'data.db')]);
  });
});

test('what clients asked for of late is read from a map before it serves', async () => {
  const asked: string[] = [];
  const lookup = (key: string) => ({
    wasHit: true,
    // Shows that it is looked up.
    get key(): Buffer {
      asked.push(key);
      return Buffer.from(key);
    },
  });
  const sample = () => [lookup('data:version'), lookup('city:paris')];
  const subject = startLoader({ sample });
  await subject.recover();
  expect(await subject.load(fixture('sample/cities-v1.json'))).toBe('taken');
  expect(asked).toEqual(['data:version', 'city:paris']);
});

test('lookups that would miss in a map refuse it', async () => {
  const sample = () =>
    Array.from({ length: 200 }, (_, i) => ({ key: Buffer.from(`gone:${i}`), wasHit: true }));
  const subject = startLoader({ sample, guards: { maxHitDropPercent: 50 } });
  await subject.recover();
  expect(await subject.load(fixture('sample/cities-v1.json'))).toBe('taken');
  expect(await subject.load(fixture('sample/cities-v2.json'))).toBe('rejected');
  expect(subject.lines.at(-1)).toContain('(HIT_RATE_DROPPED)');
  expect(subject.get('data:version')).toBe('1');
});
