import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Storage } from '../../src/storage/storage.ts';
import { openTableIn } from '../../src/storage/table/table.ts';
import { HEAD_BYTES, readHead } from '../../src/storage/table/table-layout.ts';
import { openTableMap } from '../../src/storage/table/table-map.ts';
import { TableWriter } from '../../src/storage/table/table-writer.ts';
import { collidingKeys } from '../support/colliding-keys.ts';
import { temporaryFolder } from '../support/folder.ts';
import { Random } from '../support/random-bytes.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { addRecords, infoOf, type TestRecord } from '../support/storages.ts';
import { mappedTableOf, writeTable } from '../support/table-file.ts';
import { storageContract } from './contract.ts';

const MIB = 1024 * 1024;

storageContract('a mapped table', (records) => mappedTableOf(records));
storageContract('a mapped table of many segments', (records) =>
  mappedTableOf(records, { segmentBytesMax: 100_000 }),
);

function valueAt(storage: Storage, key: Buffer | string): string | undefined {
  const bytes = Buffer.from(key);
  const entry = storage.get(bytes, 0, bytes.length);
  return entry?.buffer.toString('latin1', entry.valueStart, entry.valueEnd);
}

function newPath(): string {
  return join(temporaryFolder(), 'table.mdb');
}

function* numbered(count: number, value = 'value'): Generator<TestRecord> {
  for (let i = 0; i < count; i++) yield [`key:${i}`, `${value} ${i}`];
}

/** Maps of files in a folder, as the system lists them. */
function mapsIn(folder: string): string[] {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  return lines.filter((line) => line.includes(folder) && !line.includes('-lock'));
}

describe('writing a table', () => {
  test('spreads records over segments, and finds repeats in all of them', async () => {
    const path = newPath();
    const writer = new TableWriter({ path, segmentBytesMax: 5000 });
    addRecords(writer, [...numbered(1000, 'old'), ...numbered(500, 'new')]);
    const layout = await writer.finish();
    writer.close();
    expect(layout.segments.length).toBeGreaterThan(5);
    expect(layout).toMatchObject({ keys: 1000, records: 1500 });
    expect(writer.repeats).toEqual({ count: 500, first: 1000, key: Buffer.from('key:0') });
    const map = await openTableMap(path);
    onTestFinished(() => map.release());
    const table = await openTableIn(map.parts, infoOf(1000, 0), () => {});
    expect(valueAt(table, 'key:7')).toBe('new 7');
    expect(valueAt(table, 'key:777')).toBe('old 777');
    expect(statSync(path).size).toBe(layout.bytes);
  });

  test('has room for records that are larger than what is written at once', async () => {
    const large = 'L'.repeat(9 * MIB);
    const table = await mappedTableOf([
      ['before', 'b'],
      ['large', large],
      ['behind', 'a'],
      ['large', `${large}!`],
    ]);
    onTestFinished(() => table.close());
    expect(valueAt(table, 'large')).toBe(`${large}!`);
    expect([valueAt(table, 'before'), valueAt(table, 'behind')]).toEqual(['b', 'a']);
  });

  test('makes the same bytes of the same records', async () => {
    const paths = [newPath(), newPath()];
    for (const path of paths) await writeTable(path, numbered(3000));
    const [one, other] = paths.map((path) => readFileSync(path));
    expect(one.equals(other)).toBe(true);
  });

  test('takes keys that were chosen to collide', async () => {
    const keys = [...collidingKeys(2000)];
    const table = await mappedTableOf(keys.map((key, i) => [key, `value ${i}`]));
    onTestFinished(() => table.close());
    expect(keys.map((key) => valueAt(table, key))).toEqual(keys.map((_, i) => `value ${i}`));
  });

  test.each([
    ['a file', (path: string) => writeFileSync(path, 'mine')],
    ['a link', (path: string) => symlinkSync('/etc/hostname', path)],
    ['a link to nothing', (path: string) => symlinkSync(`${path}.target`, path)],
    ['a folder', (path: string) => mkdirSync(path)],
  ])('does not write where %s is in the way', (_, plant) => {
    const path = newPath();
    plant(path);
    expect(() => new TableWriter({ path })).toThrow(
      expect.objectContaining({ code: 'FOLDER_UNUSABLE' }),
    );
    expect(existsSync(`${path}.target`)).toBe(false);
  });

  test('says that the disk is full', async (context) => {
    const path = join(mountSmallDisk(context, 2 * MIB), 'table.mdb');
    const written = writeTable(path, numbered(100_000, 'v'.repeat(100)));
    await expect(written).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: `there is no room to write ${path} (ENOSPC): make room on that disk`,
    });
  });
});

describe("a table's file", () => {
  test('is one that the package lmdb opens, with values of the sizes that it says', async () => {
    const path = newPath();
    const layout = await writeTable(path, numbered(2000), { segmentBytesMax: 9000 });
    const binary = { keyEncoding: 'binary', encoding: 'binary', noSubdir: true } as const;
    const root = open<Buffer, Buffer>({ path, readOnly: true, ...binary });
    const names = [...root.getKeys()].map(String);
    expect(names.slice(0, 3)).toEqual(['description', 'index', 'segment000']);
    expect(names).toHaveLength(2 + layout.segments.length);
    const sizes = names.map((name) => root.getBinary(Buffer.from(name))!.length);
    expect(sizes.slice(1)).toEqual([layout.index, ...layout.segments].map(({ bytes }) => bytes));
    expect(root.getBinary(Buffer.from('description'))!.toString()).toContain('"goromdb-table"');
    await root.close();
  });

  test('has a head whose every bit counts', async () => {
    const path = newPath();
    const layout = await writeTable(path, numbered(200));
    const head = readFileSync(path).subarray(0, HEAD_BYTES);
    expect(readHead(head, layout.bytes)).toEqual(layout);
    expect(readHead(head, layout.bytes - 1)).toMatch(/expected a file of \d+ bytes/);
    expect(readHead(head.subarray(0, -1), layout.bytes)).toMatch(/bytes of head/);
    const random = new Random(3);
    const places = [
      ...Array(3 * 4096).keys(),
      ...Array.from({ length: 2000 }, () => random.below(HEAD_BYTES)),
    ];
    for (const at of places) {
      const bit = 1 << random.below(8);
      head[at] ^= bit;
      expect(typeof readHead(head, layout.bytes), `byte ${at}`).toBe('string');
      head[at] ^= bit;
    }
  });
});

describe('mapping a table', () => {
  test('leaves nothing beside the file, and nothing mapped when all have released it', async () => {
    const path = newPath();
    const folder = join(path, '..');
    await writeTable(path, numbered(10));
    const map = await openTableMap(path);
    expect(readdirSync(folder)).toEqual(['table.mdb']);
    const other = map.hold();
    map.release();
    // It has no second one to give.
    map.release();
    expect(() => map.hold()).toThrow('a table was to be held that was released');
    expect(mapsIn(folder)).toHaveLength(1);
    other.release();
    expect(mapsIn(folder)).toEqual([]);
  });

  test('maps a file once, however often it is asked for', async () => {
    const path = newPath();
    await writeTable(path, numbered(10));
    const maps = [await openTableMap(path), await openTableMap(path)];
    expect(mapsIn(join(path, '..'))).toHaveLength(1);
    expect(maps[1].parts).toEqual(maps[0].parts);
    for (const map of maps) map.release();
    expect(mapsIn(join(path, '..'))).toEqual([]);
  });

  test('maps a file once for two that ask at the same time', async () => {
    const path = newPath();
    await writeTable(path, numbered(10));
    const maps = await Promise.all([openTableMap(path), openTableMap(path)]);
    expect(mapsIn(join(path, '..'))).toHaveLength(1);
    expect(maps[1].parts).toEqual(maps[0].parts);
    maps[0].release();
    const table = await openTableIn(maps[1].parts, infoOf(10, 0), () => {});
    expect(valueAt(table, 'key:3')).toBe('value 3');
    maps[1].release();
    expect(mapsIn(join(path, '..'))).toEqual([]);
  });

  test('keeps serving from a file that was renamed over or removed', async () => {
    const path = newPath();
    await writeTable(path, numbered(10, 'old'));
    const map = await openTableMap(path);
    onTestFinished(() => map.release());
    await writeTable(`${path}.new`, numbered(10, 'new'));
    renameSync(`${path}.new`, path);
    const next = await openTableMap(path);
    onTestFinished(() => next.release());
    rmSync(path);
    const tables = [map, next].map(({ parts }) => openTableIn(parts, infoOf(10, 0), () => {}));
    expect((await Promise.all(tables)).map((table) => valueAt(table, 'key:1'))).toEqual([
      'old 1',
      'new 1',
    ]);
  });

  test.each(['with space', 'with\nline end', 'mapping (deleted)', 'ünïcode', '-lock'])(
    'works in a folder that is called %j',
    async (name) => {
      const folder = join(temporaryFolder(), name);
      mkdirSync(folder);
      const path = join(folder, 'table.mdb');
      await writeTable(path, numbered(10));
      const map = await openTableMap(path);
      onTestFinished(() => map.release());
      const table = await openTableIn(map.parts, infoOf(10, 0), () => {});
      expect(valueAt(table, 'key:3')).toBe('value 3');
    },
  );

  test('works by a link, and where no name can be made beside the file', async () => {
    const path = newPath();
    const folder = join(path, '..');
    await writeTable(path, numbered(10));
    const link = join(temporaryFolder(), 'link');
    symlinkSync(path, link);
    chmodSync(folder, 0o555);
    onTestFinished(() => chmodSync(folder, 0o755));
    const map = await openTableMap(link);
    onTestFinished(() => map.release());
    const table = await openTableIn(map.parts, infoOf(10, 0), () => {});
    expect(valueAt(table, 'key:3')).toBe('value 3');
    expect(readdirSync(folder)).toEqual(['table.mdb']);
  });

  test('refuses what is no table, and one that was written to in place', async () => {
    const path = newPath();
    writeFileSync(path, 'no table');
    await expect(openTableMap(path)).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    rmSync(path);
    await writeTable(path, numbered(10));
    const other = newPath();
    await writeTable(other, numbered(10, 'VALUE'));
    const map = await openTableMap(path);
    onTestFinished(() => map.release());
    writeFileSync(path, readFileSync(other), { flag: 'r+' });
    await expect(openTableMap(path)).rejects.toMatchObject({
      code: 'DATA_CORRUPT',
      message: `${path}: expected the bytes that are mapped, found others: another program has written to it`,
    });
  });

  test('frees a storage when the last reader of what it has lent is done', async () => {
    const path = newPath();
    await writeTable(path, numbered(10));
    const map = await openTableMap(path);
    onTestFinished(() => map.release());
    let isFree = false;
    const table = await openTableIn(map.parts, infoOf(10, 0), () => {
      isFree = true;
    });
    const { lease } = table.get(Buffer.from('key:1'), 0, 5)!;
    lease!.retain();
    table.close();
    table.close();
    expect(isFree).toBe(false);
    expect(valueAt(table, 'key:1')).toBeUndefined();
    lease!.release();
    expect(isFree).toBe(true);
  });
});
