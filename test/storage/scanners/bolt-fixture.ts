import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Records } from '../../support/scratch-file.ts';

export const FIXTURES = fileURLToPath(new URL('../../../fixtures/bolt', import.meta.url));

export function fixture(name: string): Buffer {
  return readFileSync(join(FIXTURES, `${name}.db`));
}

/** Where things are in a meta page. */
export const META = {
  magic: 16,
  version: 20,
  pageBytes: 24,
  root: 32,
  highWater: 56,
  transaction: 64,
  checksum: 72,
} as const;

/** A bolt file in memory, with just enough knowledge of its layout to break it. */
export class Image {
  readonly bytes: Buffer;
  readonly pageBytes: number;

  constructor(source: string | Buffer) {
    this.bytes = typeof source === 'string' ? fixture(source) : source;
    this.pageBytes = this.bytes.readUInt32LE(META.pageBytes);
  }

  get pageCount(): number {
    return this.bytes.length / this.pageBytes;
  }

  /** Offset of the meta page with the newest transaction. */
  get meta(): number {
    const second = this.pageBytes + META.transaction;
    const isSecond = this.u64(second) > this.u64(META.transaction);
    return isSecond ? this.pageBytes : 0;
  }

  /** Offset of the first page of the bucket of buckets. */
  get top(): number {
    return this.page(this.u64(this.meta + META.root));
  }

  /** Offset of the value of bucket i at the top. */
  bucket(i = 0): number {
    return this.value(this.firstLeaf(this.top), i);
  }

  /** Offset of the root page of the first bucket. */
  get root(): number {
    return this.page(this.u64(this.bucket()));
  }

  /** Sets a number in both meta pages. */
  setMeta(at: number, value: number | bigint): void {
    for (const page of [0, this.pageBytes]) this.set64(page + at, value);
  }

  /** Writes the checksums that the meta pages should have. */
  refresh(): void {
    for (const page of [0, this.pageBytes]) {
      let hash = 0xcbf29ce484222325n;
      for (const byte of this.bytes.subarray(page + META.magic, page + META.checksum)) {
        hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffff_ffff_ffff_ffffn;
      }
      this.set64(page + META.checksum, hash);
    }
  }

  page(number: number): number {
    return number * this.pageBytes;
  }

  count(page: number): number {
    return this.bytes.readUInt16LE(page + 10);
  }

  element(page: number, i: number): number {
    return page + 16 + 16 * i;
  }

  isBranch(page: number): boolean {
    return this.bytes.readUInt16LE(page + 8) === 1;
  }

  /** Offset of the key of element i of a page. */
  key(page: number, i: number): number {
    const element = this.element(page, i);
    return element + this.u32(element + (this.isBranch(page) ? 0 : 4));
  }

  /** Offset of the value of element i of a leaf. */
  value(page: number, i: number): number {
    return this.key(page, i) + this.u32(this.element(page, i) + 8);
  }

  /** Offset of the page that element i of a branch leads to. */
  child(page: number, i: number): number {
    return this.page(this.u64(this.element(page, i) + 8));
  }

  /** The leftmost leaf. */
  firstLeaf(page = this.root): number {
    let leaf = page;
    while (this.isBranch(leaf)) leaf = this.child(leaf, 0);
    return leaf;
  }

  /** First page of each node below a page, that one first. */
  pages(page = this.root): number[] {
    if (!this.isBranch(page)) return [page];
    const children = Array.from({ length: this.count(page) }, (_, i) => this.child(page, i));
    return [page, ...children.flatMap((child) => this.pages(child))];
  }

  u32(at: number): number {
    return this.bytes.readUInt32LE(at);
  }

  u64(at: number): number {
    return Number(this.bytes.readBigUInt64LE(at));
  }

  set16(at: number, value: number): void {
    this.bytes.writeUInt16LE(value, at);
  }

  set32(at: number, value: number): void {
    this.bytes.writeUInt32LE(value, at);
  }

  set64(at: number, value: number | bigint): void {
    this.bytes.writeBigUInt64LE(BigInt(value), at);
  }
}

/**
 * Lays out a file as bbolt does, with the bucket "data" on one leaf: two meta pages, the bucket of
 * buckets on page 2, the leaf from page 3 on.
 */
export function buildFile(pageBytes: number, records: Records): Buffer {
  const leaf = buildLeaf(3, 0, records);
  const pages = Math.ceil(leaf.length / pageBytes);
  leaf.writeUInt32LE(pages - 1, 12);
  const bucket = Buffer.alloc(16);
  bucket.writeBigUInt64LE(3n);
  const bytes = Buffer.alloc((3 + pages) * pageBytes);
  buildLeaf(2, 1, [['data', bucket.toString('latin1')]]).copy(bytes, 2 * pageBytes);
  leaf.copy(bytes, 3 * pageBytes);
  for (const number of [0, 1]) {
    const page = number * pageBytes;
    bytes.writeBigUInt64LE(BigInt(number), page);
    bytes.writeUInt16LE(4, page + 8);
    bytes.writeUInt32LE(0xed0cdaed, page + META.magic);
    bytes.writeUInt32LE(2, page + META.version);
    bytes.writeUInt32LE(pageBytes, page + META.pageBytes);
    bytes.writeBigUInt64LE(2n, page + META.root);
    bytes.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, page + 48);
    bytes.writeBigUInt64LE(BigInt(3 + pages), page + META.highWater);
    bytes.writeBigUInt64LE(BigInt(number), page + META.transaction);
  }
  const image = new Image(bytes);
  image.refresh();
  return image.bytes;
}

function buildLeaf(number: number, flags: number, records: Records): Buffer {
  const header = Buffer.alloc(16 + 16 * records.length);
  header.writeBigUInt64LE(BigInt(number));
  header.writeUInt16LE(2, 8);
  header.writeUInt16LE(records.length, 10);
  let at = header.length;
  records.forEach(([key, value], i) => {
    const element = 16 + 16 * i;
    [flags, at - element, key.length, value.length].forEach((field, n) => {
      header.writeUInt32LE(field, element + 4 * n);
    });
    at += key.length + value.length;
  });
  const data = records.map(([key, value]) => Buffer.from(key + value, 'latin1'));
  return Buffer.concat([header, ...data]);
}

/** Byte i of a value of `size` bytes is (size + i) mod 256. Sizes of megabytes are fine. */
export function pattern(size: number): string {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = size + i;
  return bytes.toString('latin1');
}
