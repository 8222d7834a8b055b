import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGzip, gzipSync } from 'node:zlib';
import { Image } from '../storage/scanners/lmdb-fixture.ts';
import { Random } from './random-bytes.ts';

/** A file that is refused, and what is said of it. */
export type HostileFile = readonly [name: string, content: string | Buffer, reason: RegExp];

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const MIB = 1024 * 1024;

const random = new Random(1);

export function fixture(path: string): Buffer {
  return readFileSync(join(FIXTURES, path));
}

export function hostileJson(): readonly HostileFile[] {
  const good = fixture('sample/cities-v1.json');
  return [
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
  ];
}

export async function hostileGzip(): Promise<readonly HostileFile[]> {
  const plain = fixture('sample/cities-v1.json');
  const good = gzipSync(plain);
  const badSum = Buffer.from(good);
  badSum[good.length - 8] ^= 1;
  const badMiddle = Buffer.from(good);
  badMiddle.fill(0xff, good.length / 2, good.length / 2 + 16);
  return [
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
  ];
}

/** A small gzip file that becomes 200 MiB. */
async function bomb(head: string, filling: string, tail: string): Promise<Buffer> {
  const gzip = createGzip();
  const block = Buffer.alloc(MIB, filling);
  gzip.write(head);
  for (let blocks = 0; blocks < 200; blocks++) gzip.write(block);
  gzip.end(tail);
  return Buffer.concat(await gzip.toArray());
}

/** @param format `v1` or `v2`. */
export function hostileLmdb(format: string): readonly HostileFile[] {
  const good = fixture(`lmdb/${format}-plain.mdb`);
  const name = `${format}-deep`;
  return [
    ['an empty file', '', /\((?:DATA_CORRUPT|FORMAT_UNKNOWN)\)/],
    ['text', 'hello\n'.repeat(10_000), /\(FORMAT_UNKNOWN\)/],
    ['JSON', fixture('sample/cities-v1.json'), /\(FORMAT_UNKNOWN\)/],
    ['random bytes', random.bytes(MIB), /\(FORMAT_UNKNOWN\)/],
    ['zero bytes', Buffer.alloc(MIB), /\(FORMAT_UNKNOWN\)/],
    ['100 bytes of a file', good.subarray(0, 100), /\((?:DATA_CORRUPT|FORMAT_UNKNOWN)\)/],
    ['one page of a file', good.subarray(0, 4096), /\(DATA_CORRUPT\)/],
    ['half of a file', fixture(`lmdb/${name}.mdb`).subarray(0, 5 * 4096), /\(DATA_CORRUPT\)/],
    ['a loop', damaged(name, (image) => link(image, image.root)), /second time.*\(DATA_CORRUPT\)/],
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
  ];
}

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
