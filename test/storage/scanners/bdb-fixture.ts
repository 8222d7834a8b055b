import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { Records } from '../../support/scratch-file.ts';

function folder(name: string): string {
  return fileURLToPath(new URL(`../../../fixtures/${name}`, import.meta.url));
}

/** Reads a file of fixtures/, such as `bdb/btree-plain`. */
export function fixture(name: string): Buffer {
  const path = `${folder(name)}.db`;
  return existsSync(path) ? readFileSync(path) : gunzipSync(readFileSync(`${path}.gz`));
}

/** The names of all files in a folder of fixtures/. */
export function fixtureNames(name: string): string[] {
  return readdirSync(folder(name))
    .filter((file) => /\.db(\.gz)?$/.test(file))
    .map((file) => `${name}/${file.replace(/\.db(\.gz)?$/, '')}`);
}

/** A Berkeley DB file in memory, with just enough knowledge of its layout to break it. */
export class Image {
  readonly bytes: Buffer;
  readonly isBigEndian: boolean;
  readonly pageBytes: number;
  readonly hasSums: boolean;
  /** Bytes of a page header. */
  readonly header: number;

  constructor(name: string, bytes = fixture(name)) {
    this.bytes = bytes;
    this.isBigEndian = bytes[12] === 0;
    this.pageBytes = this.u32(20);
    this.hasSums = bytes[26] === 1;
    this.header = this.hasSums ? 32 : 26;
  }

  get pageCount(): number {
    return this.bytes.length / this.pageBytes;
  }

  /** Offset of the root page of a btree. */
  get root(): number {
    return this.page(this.u32(88));
  }

  page(number: number): number {
    return number * this.pageBytes;
  }

  /** The number of the page that begins at an offset. */
  number(page: number): number {
    return page / this.pageBytes;
  }

  u16(at: number): number {
    return this.isBigEndian ? this.bytes.readUInt16BE(at) : this.bytes.readUInt16LE(at);
  }

  u32(at: number): number {
    return this.isBigEndian ? this.bytes.readUInt32BE(at) : this.bytes.readUInt32LE(at);
  }

  set8(at: number, value: number): void {
    this.bytes[at] = value;
  }

  set16(at: number, value: number): void {
    if (this.isBigEndian) this.bytes.writeUInt16BE(value & 0xffff, at);
    else this.bytes.writeUInt16LE(value & 0xffff, at);
  }

  set32(at: number, value: number): void {
    if (this.isBigEndian) this.bytes.writeUInt32BE(value >>> 0, at);
    else this.bytes.writeUInt32LE(value >>> 0, at);
  }

  count(page: number): number {
    return this.u16(page + 20);
  }

  /** Offset of index entry i of a page. */
  slot(page: number, i: number): number {
    return page + this.header + 2 * i;
  }

  /** Offset of item i of a page. */
  item(page: number, i: number): number {
    return page + this.u16(this.slot(page, i));
  }

  /** Offset of the page that entry i of an internal page points to. */
  child(page: number, i: number): number {
    return this.page(this.u32(this.item(page, i) + 4));
  }

  /** The leftmost leaf of a btree. */
  firstLeaf(): number {
    let page = this.root;
    while (this.bytes[page + 25] === 3) page = this.child(page, 0);
    return page;
  }

  /** Offsets of the pages of a type, in the order of the file. */
  pagesOf(...types: number[]): number[] {
    const numbers = Array.from({ length: this.pageCount }, (_, number) => this.page(number));
    return numbers.filter((page) => types.includes(this.bytes[page + 25]));
  }

  /** [page, i] of the items of leaves and hash pages that have a type. */
  itemsWith(type: number): [page: number, i: number][] {
    const found: [number, number][] = [];
    for (const page of this.pagesOf(5, 13)) {
      const typeAt = this.bytes[page + 25] === 5 ? 2 : 0;
      for (let i = 0; i < this.count(page); i++) {
        if (this.bytes[this.item(page, i) + typeAt] === type) found.push([page, i]);
      }
    }
    return found;
  }

  /** Makes the checksums right again, so that only what was changed is wrong. */
  seal(): void {
    if (!this.hasSums) return;
    for (let page = 0; page + this.pageBytes <= this.bytes.length; page += this.pageBytes) {
      const isMeta = [8, 9].includes(this.bytes[page + 25]);
      const at = page + (isMeta ? 492 : 28);
      const end = page + (isMeta ? 512 : this.pageBytes);
      this.set32(at, 0);
      let sum = 0;
      for (let i = page; i < end; i++) sum = (Math.imul(sum, 33) + this.bytes[i]) >>> 0;
      if (this.bytes.subarray(page, end).some((byte) => byte !== 0)) this.set32(at, sum);
    }
  }
}

function pad(number: number): string {
  return String(number).padStart(5, '0');
}

/** `key-00001` -> `value-00001`, as the generator makes them. */
export function numbered(count: number, key: string, value: string): Records {
  return Array.from({ length: count }, (_, i) => [`${key}${pad(i + 1)}`, `${value}${pad(i + 1)}`]);
}

/** Byte i of a value of `size` bytes is (size + i) mod 256. */
export function pattern(size: number): string {
  return Buffer.from(Array.from({ length: size }, (_, i) => (size + i) & 255)).toString('latin1');
}

const OVERFLOW_SIZES = [0, 1, 60, 100, 110, 115, 120, 127, 128, 130, 480, 486, 487, 972, 973, 5000];
const LONG_KEY_SIZES = [60, 114, 128, 130, 487, 1500];

/** The records of the `overflow` fixtures, in order. */
export function overflowRecords(): Records {
  return [
    ...LONG_KEY_SIZES.map((size): [string, string] => [
      `${pad(size)}${'k'.repeat(size - 5)}`,
      `long-${pad(size)}`,
    ]),
    ...OVERFLOW_SIZES.map((size): [string, string] => [`size-${pad(size)}`, pattern(size)]),
    [`z${'k'.repeat(999)}`, pattern(3000)],
  ];
}
