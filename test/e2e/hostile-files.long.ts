import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGzip, gzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { Image } from '../storage/scanners/lmdb-fixture.ts';
import { drop } from '../support/drop.ts';
import { temporaryFolder } from '../support/folder.ts';
import { GoromdbProcess } from '../support/goromdb-process.ts';
import { Random } from '../support/random-bytes.ts';
import { TextClient } from '../support/text-client.ts';

type HostileFile = readonly [name: string, content: string | Buffer, reason: RegExp];

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const MIB = 1024 * 1024;
/** Node itself takes some 100 MB with its threads, and a hostile value is held until it is refused. */
const RESIDENT_BYTES_MAX = 704 * MIB;

function fixture(path: string): Buffer {
  return readFileSync(join(FIXTURES, path));
}

/** The most memory that a process has had, in bytes; 0 on other systems than Linux. */
function residentBytesMax(pid: number): number {
  const status = `/proc/${pid}/status`;
  if (!existsSync(status)) return 0;
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1] ?? 0) * 1024;
}

/**
 * Drops each file while a client holds a connection, and expects it to be quarantined with one line
 * that says why, and the good generation to keep serving as if nothing had happened.
 */
async function dropAll(
  storage: readonly string[],
  good: Buffer,
  key: string,
  files: readonly HostileFile[],
): Promise<void> {
  const file = join(temporaryFolder(), 'data.db');
  const flags = ['-addr', '127.0.0.1:0', '-storage', ...storage];
  const goromdb = new GoromdbProcess([...flags, '-file', file]);
  const client = await TextClient.connect(await goromdb.address());
  onTestFinished(() => client.close());
  drop(file, good);
  await goromdb.says(/generation 1 serves from slot data00/);
  const [before] = await client.get([key], 'gets');
  expect(before.cas).toBe(1);

  const refusals = (): string[] => goromdb.stderr.match(/^\S+ (?:warn|error) .*$/gm) ?? [];
  for (const [at, [name, content, reason]] of files.entries()) {
    drop(file, content);
    await expect.poll(() => refusals().length, { message: name }).toBe(at + 1);
    const line = refusals()[at];
    expect(line, name).toContain(` error rejected ${file}: `);
    expect(line, name).toMatch(reason);
    expect(line, name).toContain(
      `; quarantined as ${file}.rejected; generation 1 from ${join(file, '../data00/data.db')} keeps serving`,
    );
    expect(readFileSync(`${file}.rejected`).equals(Buffer.from(content)), name).toBe(true);
    expect([file, `${file}.md5`].filter(existsSync), name).toEqual([]);
    expect(await client.get([key], 'gets'), name).toEqual([before]);
    rmSync(`${file}.rejected`);
  }
  expect(refusals()).toHaveLength(files.length);
  expect(residentBytesMax(goromdb.child.pid!)).toBeLessThan(RESIDENT_BYTES_MAX);

  // Without the mark, the file that serves already would not be loaded again.
  writeFileSync(`${file}.force`, '');
  drop(file, good);
  await goromdb.says(/generation 2 serves from slot data01/);
  const [after] = await client.get([key], 'gets');
  expect(after).toEqual({ ...before, cas: 2 });
  expect(await goromdb.kill('SIGTERM')).toBe(0);
}

const random = new Random(1);

test('the server outlives hostile JSON files and takes the next good one', async () => {
  const good = fixture('sample/cities-v1.json');
  await dropAll(['json'], good, 'city:paris', [
    ['an empty file', '', /an empty file \(DATA_CORRUPT\)/],
    ['text', 'hello', /\(FORMAT_UNKNOWN\)/],
    ['line ends', '\r\n'.repeat(1000), /\(DATA_CORRUPT\)/],
    ['random bytes', random.bytes(MIB), /\(FORMAT_UNKNOWN\)/],
    ['zero bytes', Buffer.alloc(MIB), /\(FORMAT_UNKNOWN\)/],
    ['an LMDB file', fixture('lmdb/v1-plain.mdb'), /use -storage lmdb or auto \(FORMAT_UNKNOWN\)/],
    ['half of a file', good.subarray(0, good.length / 2), /the end of the file \(DATA_CORRUPT\)/],
    ['two files', Buffer.concat([good, good]), /nothing after.*\(DATA_CORRUPT\)/],
    ['an array', '["a"]', /\(FORMAT_UNSUPPORTED\)/],
    ['a number for a value', '{"a":"1","b":2}', /"b".*a number \(FORMAT_UNSUPPORTED\)/],
    ['null for a value', '{"a":null}', /\(FORMAT_UNSUPPORTED\)/],
    ['a million nested arrays', '['.repeat(1e6), /\(FORMAT_UNSUPPORTED\)/],
    ['a million nested objects', '{"a":'.repeat(1e6), /\(FORMAT_UNSUPPORTED\)/],
    ['a name for objects', '{"__proto__":{"a":"1"}}', /\(FORMAT_UNSUPPORTED\)/],
    ['a byte that is no UTF-8', Buffer.from('{"a":"\xff"}', 'latin1'), /\(DATA_CORRUPT\)/],
    ['half a character', '{"a":"\\ud800"}', /\(DATA_CORRUPT\)/],
    ['a bare line end in a string', '{"a":"\n"}', /\(DATA_CORRUPT\)/],
    ['a key too long', `{"${'k'.repeat(70_000)}":"1"}`, /\(LIMIT_EXCEEDED\)/],
    ['a string without end', `{"a":"${'x'.repeat(30 * MIB)}`, /\(DATA_CORRUPT\)/],
    ['a long one', `{"a":"${'x'.repeat(100 * MIB)}`, /\(DATA_CORRUPT\)/],
  ]);
});

test('the server outlives hostile gzip files and takes the next good one', async () => {
  const plain = fixture('sample/cities-v1.json');
  const good = gzipSync(plain);
  const badSum = Buffer.from(good);
  badSum[good.length - 8] ^= 1;
  const badMiddle = Buffer.from(good);
  badMiddle.fill(0xff, good.length / 2, good.length / 2 + 16);
  await dropAll(['json', '-gzipped'], good, 'city:paris', [
    ['an empty file', '', /\((?:DATA_CORRUPT|FORMAT_UNKNOWN)\)/],
    ['plain JSON', plain, /gzip.*\(FORMAT_UNKNOWN\)/],
    ['the first bytes of gzip alone', good.subarray(0, 3), /\((?:DATA_CORRUPT|FORMAT_UNKNOWN)\)/],
    ['half of a file', good.subarray(0, good.length / 2), /\(DATA_CORRUPT\)/],
    ['a file without its last byte', good.subarray(0, -1), /\(DATA_CORRUPT\)/],
    ['a wrong checksum', badSum, /\(DATA_CORRUPT\)/],
    ['a damaged middle', badMiddle, /\(DATA_CORRUPT\)/],
    ['a number inside', gzipSync('{"a":1}'), /\(FORMAT_UNSUPPORTED\)/],
    ['gzip in gzip', gzipSync(good), /\(FORMAT_UNKNOWN\)/],
    ['200 MiB of spaces', await bomb('', ' ', ''), /\(DATA_CORRUPT\)/],
    ['a string of 200 MiB', await bomb('{"a":"', 'x', ''), /\(DATA_CORRUPT\)/],
    ['200 MiB of nesting', await bomb('', '[', ''), /\(FORMAT_UNSUPPORTED\)/],
  ]);
});

/** A small gzip file that becomes 200 MiB. */
async function bomb(head: string, filling: string, tail: string): Promise<Buffer> {
  const gzip = createGzip();
  const block = Buffer.alloc(MIB, filling);
  gzip.write(head);
  for (let blocks = 0; blocks < 200; blocks++) gzip.write(block);
  gzip.end(tail);
  return Buffer.concat(await gzip.toArray());
}

test.each(['v1', 'v2'])(
  'the server outlives hostile LMDB files in the %s format and takes the next good one',
  async (format) => {
    const good = fixture(`lmdb/${format}-plain.mdb`);
    const name = `${format}-deep`;
    await dropAll(['lmdb'], good, 'key-00277', [
      ['an empty file', '', /\((?:DATA_CORRUPT|FORMAT_UNKNOWN)\)/],
      ['text', 'hello\n'.repeat(10_000), /\(FORMAT_UNKNOWN\)/],
      ['JSON', fixture('sample/cities-v1.json'), /\(FORMAT_UNKNOWN\)/],
      ['random bytes', random.bytes(MIB), /\(FORMAT_UNKNOWN\)/],
      ['zero bytes', Buffer.alloc(MIB), /\(FORMAT_UNKNOWN\)/],
      ['100 bytes of a file', good.subarray(0, 100), /\((?:DATA_CORRUPT|FORMAT_UNKNOWN)\)/],
      ['one page of a file', good.subarray(0, 4096), /\(DATA_CORRUPT\)/],
      ['half of a file', fixture(`lmdb/${name}.mdb`).subarray(0, 5 * 4096), /\(DATA_CORRUPT\)/],
      [
        'a loop',
        damaged(name, (image) => link(image, image.root)),
        /second time.*\(DATA_CORRUPT\)/,
      ],
      ['a link beyond the end', damaged(name, (image) => link(image, 1e12)), /\(DATA_CORRUPT\)/],
      [
        'a page of another kind',
        damaged(name, (image) => image.set16(image.flags(image.firstLeaf()), 4)),
        /\(DATA_CORRUPT\)/,
      ],
      [
        'a value beyond its page',
        damaged(name, (image) => image.set16(image.node(image.firstLeaf(), 0), 0x7fff)),
        /\(DATA_CORRUPT\)/,
      ],
      [
        'a depth beyond all bounds',
        damaged(name, (image) => image.set16(image.main + 6, 0xffff)),
        /\(DATA_CORRUPT\)/,
      ],
      ['encryption', fixture('lmdb/v2-encrypted.mdb'), /\((?:FORMAT_UNSUPPORTED|DATA_CORRUPT)\)/],
    ]);
  },
);

function damaged(name: string, damage: (image: Image) => void): Buffer {
  const image = new Image(name);
  damage(image);
  image.copyMeta();
  return image.bytes;
}

/** Makes the first branch of the root lead to the page at this offset. */
function link(image: Image, to: number): void {
  image.set32(image.node(image.root, 0), to / image.pageBytes);
}
