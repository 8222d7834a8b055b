import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Records } from '../../support/scratch-file.ts';

export const FIXTURES = fileURLToPath(new URL('../../../fixtures/lmdb', import.meta.url));

export function fixture(name: string): Buffer {
  return readFileSync(join(FIXTURES, `${name}.mdb`));
}

/** An LMDB file in memory, with just enough knowledge of its layout to break it. */
export class Image {
  readonly bytes: Buffer;
  readonly version: 1 | 2;
  /** Bytes of a page header. */
  readonly header: number;
  readonly pageBytes: number;
  /** Offset of MDB_meta with the newest transaction. */
  readonly meta: number;

  constructor(name: string) {
    this.bytes = fixture(name);
    this.version = name.startsWith('v1') ? 1 : 2;
    this.header = this.version === 1 ? 16 : 24;
    this.pageBytes = this.bytes.readUInt32LE(this.header + 24);
    const second = this.pageBytes + this.header;
    const isSecond =
      this.bytes.readBigUInt64LE(second + 128) > this.bytes.readBigUInt64LE(this.header + 128);
    this.meta = isSecond ? second : this.header;
  }

  get pageCount(): number {
    return this.bytes.length / this.pageBytes;
  }

  /** Offset of MDB_db of the main database. */
  get main(): number {
    return this.meta + 72;
  }

  get root(): number {
    return this.page(Number(this.bytes.readBigUInt64LE(this.main + 40)));
  }

  /** Lets the third meta of v2 say the same as the newest one, so that only the tree is bad. */
  copyMeta(): void {
    if (this.version === 1) return;
    const copy = this.pageBytes / 2 + this.header;
    this.bytes.copy(this.bytes, copy + 72, this.meta + 72, this.meta + 128);
  }

  page(number: number): number {
    return number * this.pageBytes;
  }

  /** Offset of the page header field: flags, lower or upper. */
  flags(page: number): number {
    return page + this.header - 6;
  }

  lower(page: number): number {
    return page + this.header - 4;
  }

  upper(page: number): number {
    return page + this.header - 2;
  }

  u16(at: number): number {
    return this.bytes.readUInt16LE(at);
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

  /** Offset of node pointer i of a page. */
  slot(page: number, i: number): number {
    return page + this.header + 2 * i;
  }

  /** Offset of node i of a page (or sub-page). */
  node(page: number, i: number): number {
    return page + this.u16(this.slot(page, i)) + (this.version === 1 ? 0 : 24);
  }

  count(page: number): number {
    return (this.u16(this.lower(page)) - (this.version === 1 ? 16 : 0)) / 2;
  }

  /** Offset of the page that branch entry i points to. */
  child(page: number, i: number): number {
    return this.page(this.bytes.readUInt32LE(this.node(page, i)));
  }

  /** Offset of what leaf node i holds behind its key. */
  value(page: number, i: number): number {
    const node = this.node(page, i);
    return node + 8 + this.u16(node + 6);
  }

  /** The leftmost leaf. */
  firstLeaf(): number {
    let page = this.root;
    while ((this.u16(this.flags(page)) & 1) !== 0) page = this.child(page, 0);
    return page;
  }

  /** [leaf, i] of the nodes with these flags, in order. */
  nodesWith(flags: number): [page: number, i: number][] {
    const found: [number, number][] = [];
    const visit = (page: number): void => {
      for (let i = 0; i < this.count(page); i++) {
        if ((this.u16(this.flags(page)) & 1) !== 0) visit(this.child(page, i));
        else if (this.u16(this.node(page, i) + 4) === flags) found.push([page, i]);
      }
    };
    visit(this.root);
    return found;
  }
}

function pad(number: number): string {
  return String(number).padStart(5, '0');
}

/** `key-00001` -> `value-00001`, as the generator makes them. */
export function numbered(count: number, key: string, value: string, keyTail = ''): Records {
  return Array.from({ length: count }, (_, i) => [
    `${key}${pad(i + 1)}${keyTail}`,
    `${value}${pad(i + 1)}`,
  ]);
}

/** Byte i of a value of `size` bytes is (size + i) mod 256. */
export function pattern(size: number): string {
  return String.fromCharCode(...Array.from({ length: size }, (_, i) => (size + i) & 255));
}
