import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { md5 } from '../support/drop.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { layoutIn, seal, tableBytes } from '../support/table-bytes.ts';
import { dropOf, LoaderHarness } from './loader-harness.ts';

const AUTO = { scanner: 'auto' };

/** A table whose key "v" has this value. */
function tableOf(value: string, others = 100): Promise<Buffer> {
  const keys = Array.from({ length: others }, (_, i) => `other:${i}`);
  return tableBytes([['v', 'old'], ...keys.map((key) => [key, value] as const), ['v', value]]);
}

function dropBytes(file: string, bytes: Buffer): void {
  writeFileSync(file, bytes);
  writeFileSync(`${file}.md5`, `${md5(bytes)}  ${basename(file)}\n`);
}

async function load(harness: LoaderHarness, bytes: Buffer): Promise<string> {
  dropBytes(harness.file, bytes);
  const dropped = dropOf(harness.file, md5(bytes));
  return (await harness.loadDrop(dropped)).kind;
}

function inodesOf(harness: LoaderHarness, slot: string): number[] {
  return ['data.db', 'table.mdb'].map((name) => statSync(join(harness.base, slot, name)).ino);
}

test.each(['auto', 'table'])(
  'a dropped table serves with -storage %s, from a copy',
  async (scanner) => {
    const harness = new LoaderHarness({ scanner });
    await harness.start();
    const bytes = await tableOf('1');
    writeFileSync(harness.file, bytes);
    const { ino } = statSync(harness.file);
    expect(await load(harness, bytes)).toBe('taken');
    expect(harness.value).toBe('1');
    expect(harness.served.at(-1)).toMatchObject({ format: 'table', keys: 101, md5: md5(bytes) });
    expect(existsSync(harness.file)).toBe(false);
    // The slot holds it once, under both names, and it is not what the producer may have open.
    const [data, table] = inodesOf(harness, 'data00');
    expect(data).toBe(table);
    expect(data).not.toBe(ino);
    expect(readFileSync(join(harness.base, 'data00', 'data.db')).equals(bytes)).toBe(true);
    expect(readdirSync(join(harness.base, 'data00')).sort()).toEqual([
      ...['data.db', 'data.db.md5', 'generation.json', 'table.mdb'],
    ]);
  },
);

test.each([
  ['a table', (bytes: Buffer) => bytes],
  ['a compressed table', gzipSync],
])('%s with keys that memcached’s clients cannot ask for is told of', async (_, pack) => {
  const harness = new LoaderHarness(AUTO);
  await harness.start();
  const bytes = await tableBytes([
    ['v', '1'],
    ['New York', '2'],
    ['k'.repeat(251), '3'],
  ]);
  expect(await load(harness, pack(bytes))).toBe('taken');
  const { warnings } = JSON.parse(
    readFileSync(join(harness.base, 'data00', 'generation.json'), 'utf8'),
  );
  expect(warnings).toEqual([
    expect.stringMatching(
      `^1 key has a space .*"New York", at byte ${bytes.indexOf('New York') - 2}$`,
    ),
    expect.stringMatching(/^1 key is longer than 250 bytes/),
  ]);
});

test('whoever still has the dropped file open changes nothing of what serves', async () => {
  const harness = new LoaderHarness(AUTO);
  await harness.start();
  const bytes = await tableOf('1');
  writeFileSync(harness.file, bytes);
  const fd = openSync(harness.file, 'r+');
  onTestFinished(() => closeSync(fd));
  expect(await load(harness, bytes)).toBe('taken');
  writeSync(fd, Buffer.alloc(bytes.length, 'x'), 0, bytes.length, 0);
  ftruncateSync(fd, 0);
  for (const name of ['data.db', 'table.mdb']) {
    expect(readFileSync(join(harness.base, 'data00', name)).equals(bytes)).toBe(true);
  }
  await harness.end();
  expect(await harness.start()).toBe(true);
  expect(harness.value).toBe('1');
});

test('a slot whose table is lost is filled again from the file beside it, and holds it once', async () => {
  const harness = new LoaderHarness(AUTO);
  await harness.start();
  expect(await load(harness, await tableOf('1'))).toBe('taken');
  await harness.end();
  rmSync(join(harness.base, 'data00', 'table.mdb'));
  expect(await harness.start()).toBe(true);
  expect(harness.value).toBe('1');
  const [data, table] = inodesOf(harness, 'data00');
  expect(data).toBe(table);
  await harness.end();
  // With another option all tables are made anew.
  expect(await harness.start({ scanner: 'table' })).toBe(true);
  expect(harness.value).toBe('1');
  expect(new Set(inodesOf(harness, 'data00')).size).toBe(1);
});

test('of a dropped table whose only copy is damaged, the other slot takes the place', async () => {
  const harness = new LoaderHarness(AUTO);
  await harness.start();
  for (const v of ['1', '2']) expect(await load(harness, await tableOf(v))).toBe('taken');
  await harness.end();
  const path = join(harness.base, 'data01', 'table.mdb');
  const { index } = layoutIn(readFileSync(path));
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.from([1, 2, 3]), 0, 3, index.at);
  closeSync(fd);
  expect(await harness.start()).toBe(true);
  expect(harness.value).toBe('1');
  expect(harness.logger.lines.join('\n')).toMatch(/data01.* is damaged: expected the MD5/);
});

test('a table under a prefix is read like any other file, and keeps its flags', async () => {
  const prefix = { name: 'p', delimiter: ':' };
  const harness = new LoaderHarness({ ...AUTO, prefix });
  await harness.start();
  const bytes = await tableOf('1');
  expect(await load(harness, bytes)).toBe('taken');
  expect(harness.value).toBeUndefined();
  expect(harness.served.at(-1)).toMatchObject({ format: 'table', keys: 101 });
  expect(new Set(inodesOf(harness, 'data00')).size).toBe(2);
  await harness.end();
  expect(await harness.start({ prefix: undefined })).toBe(true);
  expect(harness.value).toBe('1');
});

test('a compressed table is unpacked and serves as it is', async () => {
  const harness = new LoaderHarness(AUTO);
  await harness.start();
  const bytes = await tableOf('1');
  expect(await load(harness, gzipSync(bytes))).toBe('taken');
  expect(harness.value).toBe('1');
  expect(readFileSync(join(harness.base, 'data00', 'table.mdb')).equals(bytes)).toBe(true);
  expect(harness.served.at(-1)).toMatchObject({ format: 'table', keys: 101 });
  const bad = Buffer.from(bytes);
  bad[bytes.length - 1] = 1;
  expect(await load(harness, gzipSync(bad))).toBe('rejected');
  expect(harness.logger.lines.at(-1)).toContain('expected zeros up to the end of the page');
});

describe('what is wrong', () => {
  test.each<[string, (bytes: Buffer) => void, RegExp]>([
    ['a damaged head', (bytes) => bytes.fill(7, 4096, 4100), /byte 4096 is not what/],
    [
      'a record that is none, with right sums',
      (bytes) => {
        const layout = layoutIn(bytes);
        bytes.write('x', layout.segments[0].at + 4);
        seal(bytes, layout);
      },
      /data.json: byte \d+: expected the byte 32, found 120/,
    ],
  ])('%s: the table is rejected and the one before keeps serving', async (_, spoil, message) => {
    const harness = new LoaderHarness(AUTO);
    await harness.start();
    expect(await load(harness, await tableOf('1'))).toBe('taken');
    const bytes = await tableOf('2');
    spoil(bytes);
    expect(await load(harness, bytes)).toBe('rejected');
    expect(harness.logger.lines.at(-1)).toMatch(message);
    expect(harness.value).toBe('1');
    expect(readdirSync(join(harness.base, 'data01'))).toEqual([]);
    expect(existsSync(`${harness.file}.rejected`)).toBe(true);
  });

  test('a table that is not what its MD5 says is not blamed for its content', async () => {
    const harness = new LoaderHarness(AUTO);
    await harness.start();
    const bytes = await tableOf('1');
    dropBytes(harness.file, bytes);
    const damaged = Buffer.from(bytes);
    damaged[4096] ^= 1;
    writeFileSync(harness.file, damaged);
    const dropped = dropOf(harness.file, md5(bytes));
    const verdict = await harness.loadDrop(dropped);
    expect(verdict).toMatchObject({ kind: 'mismatch', found: md5(damaged) });
    expect(readdirSync(join(harness.base, 'data00'))).toEqual([]);
  });

  test('-storage lmdb does not serve a table as the few large records that LMDB sees', async () => {
    const harness = new LoaderHarness({ scanner: 'lmdb' });
    await harness.start();
    expect(await load(harness, await tableOf('1'))).toBe('rejected');
    expect(harness.logger.lines.at(-1)).toContain('use -storage table or auto');
  });

  test.each([
    [
      { fields: { key: 'id', value: 'value' } },
      /-jsonl-ignore are for JSON Lines, and this is table: leave them out/,
    ],
    [{ bucket: 'users' }, /-bucket "users" was given but a table has neither/],
    [{ namespaces: { delimiter: ':' } }, /-namespaces was given but a table has neither/],
  ])('%j is refused', async (options, message) => {
    const harness = new LoaderHarness({ ...AUTO, ...options });
    await harness.start();
    expect(await load(harness, await tableOf('1'))).toBe('rejected');
    expect(harness.logger.lines.at(-1)).toMatch(message);
  });

  test('-storage table says what else a file looks like', async () => {
    const harness = new LoaderHarness({ scanner: 'table' });
    await harness.start();
    expect(await load(harness, Buffer.from('{"v":"1"}'))).toBe('rejected');
    expect(harness.logger.lines.at(-1)).toMatch(
      /expected a table of goromdb, .*; it looks like json: use -storage json/,
    );
  });

  test('on a disk that has room for one table only, the idle slot gives way', async (context) => {
    const harness = new LoaderHarness(AUTO);
    const disk = mountSmallDisk(context, 3 * 1024 * 1024);
    const tables = await Promise.all(['1', '2', '3'].map((v) => tableOf(v.repeat(600), 2000)));
    await harness.start({ baseDir: disk });
    for (const bytes of tables) {
      expect(bytes.length).toBeGreaterThan(1.2 * 1024 * 1024);
      expect(await load(harness, bytes)).toBe('taken');
    }
    expect(harness.value).toBe('3'.repeat(600));
  });
});

test('a file that has taken the place of the one that was seen stays, unread', async () => {
  const harness = new LoaderHarness(AUTO);
  await harness.start();
  const bytes = await tableOf('1');
  dropBytes(harness.file, bytes);
  const dropped = dropOf(harness.file, md5(bytes));
  writeFileSync(`${harness.file}.next`, await tableOf('2'));
  renameSync(`${harness.file}.next`, harness.file);
  const verdict = await harness.loadDrop(dropped);
  expect(verdict.kind).toBe('changed');
  expect(existsSync(harness.file)).toBe(true);
});
