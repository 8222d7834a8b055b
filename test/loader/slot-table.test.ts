import {
  copyFileSync,
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
import { DropFolder } from '../../src/loader/drops/drop-folder.ts';
import { Loader, type LoaderOptions } from '../../src/loader/loader.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { openTableIn } from '../../src/storage/table/table.ts';
import { collectingLogger } from '../support/collecting-logger.ts';
import { drop, md5 } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { dropOf } from './loader-harness.ts';

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
  load(content: string | Uint8Array): Promise<string>;
  recover(): Promise<boolean>;
  rollBack(): Promise<number>;
  get(key: string): string | undefined;
  flags(key: string): number | undefined;
  storage(): Storage;
}

function startLoader(options: Partial<LoaderOptions> = {}): Subject {
  const logger = collectingLogger();
  let storage: Storage | undefined;
  const source = new DropFolder({ file, logger });
  const loader = new Loader({
    ...{ baseDir: base, source, scanner: 'auto', gzipped: false, bucket: undefined, logger },
    swap: async (map, info) => {
      const previous = storage;
      const held = map.hold();
      storage = await openTableIn(map.parts, info, () => held.release());
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
    load: async (content) => {
      drop(file, content);
      const offered = source.offerOf(dropOf(file, md5(content)));
      return (await loader.load(offered, NEVER)).kind;
    },
    recover: async () => {
      await loader.prepare();
      return loader.recover();
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
  return readdirSync(join(base, name)).sort();
}

const SLOT = ['data.db', 'data.db.md5', 'generation.json', 'table.mdb'];

describe('the table of a data set', () => {
  test.each([
    ['json', fixture('sample/cities-v1.json'), 'data:version'],
    ['json in gzip', gzipSync(fixture('sample/cities-v1.json')), 'data:version'],
    ['lmdb of data format 1', fixture('lmdb/v1-plain.mdb'), 'key-00067'],
    ['lmdb of data format 2', LINES, 'key-00067'],
    ['boltdb', fixture('bolt/plain.db'), 'key-00067'],
    ['bdb, btree', fixture('bdb/btree-plain.db'), 'key-00067'],
    ['bdb, hash', fixture('bdb/hash-be.db'), 'key-00067'],
    ['lmdb of data format 2 in gzip', gzipSync(LINES), 'key-00067'],
  ])('is written beside the file in its slot: %s', async (_, content, key) => {
    const subject = startLoader();
    await subject.recover();
    expect(await subject.load(content)).toBe('taken');
    expect(slot('data00')).toEqual(SLOT);
    expect(readFileSync(join(base, 'data00', 'data.db')).equals(content)).toBe(true);
    expect(subject.get(key)).toBeDefined();
    expect(recordsOf(subject.storage())).toHaveLength(subject.storage().info.keys);
  });

  test('has the client flags of the file', async () => {
    const subject = startLoader({ scanner: 'memcachedb-bdb' });
    await subject.recover();
    expect(await subject.load(fixture('memcachedb/btree-flags.db'))).toBe('taken');
    expect(subject.flags('flags-max')).toBe(2 ** 32 - 1);
  });

  test.each([
    ['duplicates', undefined, true, undefined],
    ['a named database among its records', 'other', false, undefined],
    ['a named database that is asked for', 'other', false, 'other'],
  ])('holds what a get gives of LMDB with %s', async (_, name, dupSort, bucket) => {
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
    expect(subject.get('key')).toBe(bucket === undefined ? '1' : 'in other');
    expect(subject.get('other')).toBeUndefined();
    expect(subject.get('other\0')).toBeUndefined();
    expect(subject.storage().info.keys).toBe(1);
  });

  test('holds keys of all lengths, and lets the last of equal keys win', async () => {
    const keys = ['', 'a', 'k'.repeat(1978), 'k'.repeat(1979), 'l'.repeat(65_535)];
    const pairs = [...keys, ...keys.toReversed()].map((key, i) => `${JSON.stringify(key)}:"${i}"`);
    const subject = startLoader();
    await subject.recover();
    expect(await subject.load(`{${pairs.join(',')}}`)).toBe('taken');
    expect(keys.map((key) => subject.get(key))).toEqual(['9', '8', '7', '6', '5']);
    expect(subject.storage().info.keys).toBe(5);
    expect(recordsOf(subject.storage())).toHaveLength(5);
  });

  test('of content that is bad is removed', async () => {
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
    writeFileSync(join(base, 'data01', 'table.mdb'), 'of another server');
    await expect(subject.load('{"v":"2"}')).rejects.toThrow('is another one than at the start');
    expect(slot('data01')).toEqual(['table.mdb']);
    expect(subject.get('v')).toBe('1');
  });

  test('is closed and forgotten with its generation', async () => {
    const subject = startLoader();
    await subject.recover();
    for (let v = 1; v <= 4; v++) await subject.load(JSON.stringify({ v: String(v) }));
    expect(subject.get('v')).toBe('4');
    expect([slot('data00'), slot('data01')]).toEqual([SLOT, SLOT]);
  });
});

describe('a restart', () => {
  test('serves a table as it is, without the file that it was made of', async () => {
    await loadOnce({}, '{"v":"1"}');
    const { ino } = statSync(join(base, 'data00', 'table.mdb'));
    writeFileSync(join(base, 'data00', 'data.db'), 'not read');
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(subject.get('v')).toBe('1');
    expect(statSync(join(base, 'data00', 'table.mdb')).ino).toBe(ino);
    expect(subject.lines[0]).toMatch(/generation 1 serves .*; verify [\d.]+ s, swap [\d.]+ s$/);
  });

  const damages: readonly (readonly [string, (path: string) => unknown])[] = [
    ['damaged in its head', (path) => writeFileSync(path, readFileSync(path).fill(1, 9000, 9001))],
    ['damaged in its index', (path) => writeFileSync(path, flipLast(readFileSync(path)))],
    ['truncated', (path) => writeFileSync(path, readFileSync(path).subarray(0, 8192))],
    ['empty', (path) => writeFileSync(path, '')],
    ['gone', (path) => rmSync(path)],
    ['a folder', (path) => [rmSync(path), mkdirSync(path)]],
  ];
  test.each(damages)('makes a table anew that is %s', async (_, damage) => {
    await loadOnce({}, '{"v":"1"}');
    damage(join(base, 'data00', 'table.mdb'));
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(subject.get('v')).toBe('1');
    const again = startLoader();
    expect(await again.recover()).toBe(true);
    expect(again.lines[0]).not.toContain('scan');
  });

  test('makes the table of an older version, and removes what that has served', async () => {
    await loadOnce({}, '{"v":"1"}');
    const record = join(base, 'data00', 'generation.json');
    const { table: _, ...old } = JSON.parse(readFileSync(record, 'utf8'));
    const map = { file: 'map.mdb', layout: 'own', md5: '', bytes: 1, keys: 1, format: 'json' };
    writeFileSync(record, JSON.stringify({ ...old, generation: 7, map }));
    rmSync(join(base, 'data00', 'table.mdb'));
    writeFileSync(join(base, 'data00', 'map.mdb'), 'of an older version');
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(subject.get('v')).toBe('1');
    expect(subject.storage().info.generation).toBe(7);
    expect(slot('data00')).toEqual(SLOT);
  });

  test('does not serve a file that was damaged and has no table', async () => {
    await loadOnce({}, LINES);
    const path = join(base, 'data00', 'data.db');
    writeFileSync(path, readFileSync(path).fill(1, 9000, 9001));
    rmSync(join(base, 'data00', 'table.mdb'));
    const subject = startLoader();
    expect(await subject.recover()).toBe(false);
    expect(subject.lines[0]).toMatch(/slot data00 .* is damaged/);
  });

  test('does not serve the table of another file', async () => {
    await loadOnce({}, '{"v":"1"}');
    await loadOnce({}, '{"v":"2"}');
    copyFileSync(join(base, 'data00', 'table.mdb'), join(base, 'data01', 'table.mdb'));
    const subject = startLoader();
    expect(await subject.recover()).toBe(true);
    expect(subject.get('v')).toBe('2');
  });

  test('with other options reads the file again', async () => {
    await loadOnce({ scanner: 'memcachedb-bdb' }, fixture('memcachedb/btree-items.db'));
    const subject = startLoader({ scanner: 'bdb' });
    expect(await subject.recover()).toBe(true);
    expect(subject.get('key-00067')).toMatch(/key-00067/);
  });

  test('reads the file again when other fields or another bucket is asked for', async () => {
    const fields = { key: 'id', value: 'name', ignoreOthers: true };
    await loadOnce({ fields }, '{"id":"7","name":"Ann","town":"Ulm"}\n');
    const towns = startLoader({ fields: { ...fields, value: 'town' } });
    expect(await towns.recover()).toBe(true);
    expect(towns.get('7')).toBe('Ulm');
    towns.storage().close();

    await loadOnce({ bucket: 'data' }, fixture('bolt/nested.db'));
    const inner = startLoader({ bucket: ['data', 'key-00050-inline'] });
    expect(await inner.recover()).toBe(true);
    expect(inner.get('inner-00001')).toBe('value-00001');
    expect(inner.get('key-00001')).toBeUndefined();
  });

  test('removes what a kill left of a table', async () => {
    await startLoader().recover();
    for (const name of ['table.mdb.incoming', 'mapping-1.mdb', 'mapping-1.mdb-lock']) {
      writeFileSync(join(base, 'data01', name), 'x');
    }
    await startLoader().recover();
    expect(slot('data01')).toEqual([]);
  });
});

/** The index of a small table ends 4 KiB or less before the file. */
function flipLast(bytes: Buffer): Buffer {
  const last = bytes.findLastIndex((byte) => byte !== 0);
  bytes[last] ^= 1;
  return bytes;
}

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

describe('a rollback', () => {
  /** Generation 2 serves. */
  async function twoGenerations(): Promise<{ subject: Subject; loads: string[] }> {
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
    const { subject, loads } = await twoGenerations();
    expect(await subject.rollBack()).toBe(3);
    expect(subject.get('data:version')).toBe('1');
    expect(await subject.rollBack()).toBe(4);
    expect(subject.get('data:version')).toBe('2');
    expect(loads).toEqual([]);
    expect(subject.lines.at(-2)).toMatch(/; swap [\d.]+ s$/);
  });

  test('loads nothing after a file that was refused, either', async () => {
    const { subject, loads } = await twoGenerations();
    expect(await subject.load('{"a"')).toBe('rejected');
    loads.length = 0;
    await subject.rollBack();
    expect(subject.get('data:version')).toBe('1');
    expect(loads).toEqual([]);
  });

  test('checks a table that was written to, and makes it anew if it is damaged', async () => {
    const { subject, loads } = await twoGenerations();
    const path = join(base, 'data00', 'table.mdb');
    rmSync(path);
    writeFileSync(path, Buffer.alloc(8192));
    await subject.rollBack();
    expect(subject.get('data:version')).toBe('1');
    expect(loads).toEqual([join(base, 'data00', 'data.db')]);
  });

  test('loads nothing after a restart', async () => {
    const { loads: _, subject: first } = await twoGenerations();
    expect(first.get('data:version')).toBe('2');
    const loads: string[] = [];
    const subject = startLoader({
      onLoad: (load) => void (load !== undefined && loads.push(load.path)),
    });
    await subject.recover();
    loads.length = 0;
    await subject.rollBack();
    expect(subject.get('data:version')).toBe('1');
    expect(loads).toEqual([]);
  });
});

test('what clients asked for of late is read from a table before it serves', async () => {
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

test('lookups that would miss in a table refuse it', async () => {
  const sample = () =>
    Array.from({ length: 200 }, (_, i) => ({ key: Buffer.from(`gone:${i}`), wasHit: true }));
  const subject = startLoader({ sample, guards: { maxHitDropPercent: 50 } });
  await subject.recover();
  expect(await subject.load(fixture('sample/cities-v1.json'))).toBe('taken');
  expect(await subject.load(fixture('sample/cities-v2.json'))).toBe('rejected');
  expect(subject.lines.at(-1)).toContain('(HIT_RATE_DROPPED)');
  expect(subject.get('data:version')).toBe('1');
});
