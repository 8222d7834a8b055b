import { equalBytes, readU16 } from '../../scanners/bytes.ts';
import type { PageLink } from '../../scanners/linked-pages.ts';
import type { LmdbDatabase } from './lmdb-header.ts';
import { type LmdbPages, PAGE_BRANCH, PAGE_LEAF, PAGE_LEAF2, PAGE_SUB } from './lmdb-pages.ts';

/** mdb.c: node flags in leaves. */
export const NODE_BIG = 0x01;
export const NODE_DATABASE = 0x02;
export const NODE_DUPLICATES = 0x04;

/** lmdb.h: the database holds several values for a key. */
export const DUPSORT = 0x04;

/** mdb.c: NODESIZE, the header of a node. */
const NODE_BYTES = 8;
/** mdb.c: CURSOR_STACK. */
const DEPTH_MAX = 32;
/** mdb.c: branch pages hold at least two keys, the first of them unused. */
const BRANCH_ENTRIES_MIN = 2;

/** Takes the nodes of the leaves of a tree, in order. */
export interface NodeVisitor {
  /**
   * @param leaf Memory that holds the key in [keyStart, valueStart) and what the node stores from
   * valueStart on: the value, or for NODE_BIG the reference to its pages. Lent for the call only.
   * @param valueBytes Size of the value.
   * @param flags NODE_* flags.
   * @returns how many entries the node counts for in its database record.
   */
  visit(
    leaf: Buffer,
    keyStart: number,
    valueStart: number,
    valueBytes: number,
    flags: number,
    page: number,
  ): number;
}

/**
 * What a tree holds: records, or the duplicates of a key, which are values as keys and may be empty.
 */
export type Holding = 'records' | 'duplicates';

/**
 * Walks one tree after the other, page by page from the root, and verifies each page and node
 * before it hands it out: depth, bounds, alignment, sizes, number of entries, and that a key does
 * not come twice in a row. Pages are copied out of the file one per level, so a visitor may read
 * other pages meanwhile.
 *
 * The order of keys is not checked: a program may have a comparison function of its own
 * (mdb_set_compare), of which the file says nothing. Each key is found by its bytes here, in any
 * order.
 */
export class LmdbTree {
  readonly #pages: LmdbPages;
  /** One page per level. */
  readonly #buffers: Buffer[] = [];
  /** The last key of the leaf before. */
  readonly #last: Buffer;
  #lastBytes = -1;
  #db: LmdbDatabase | undefined;
  #visitor: NodeVisitor | undefined;
  #holds: Holding = 'records';

  constructor(pages: LmdbPages) {
    this.#pages = pages;
    this.#last = Buffer.alloc(pages.pageBytes);
  }

  /**
   * Visits all nodes of a tree.
   *
   * @param from Where its record is, for messages.
   * @returns the number of entries, as its record says.
   */
  walk(db: LmdbDatabase, from: PageLink, holds: Holding, visitor: NodeVisitor): number {
    const isSound = db.root === undefined ? db.depth === 0 : db.depth >= 1 && db.depth <= DEPTH_MAX;
    if (!isSound) {
      const range = db.root === undefined ? 'depth 0' : `a depth from 1 to ${DEPTH_MAX}`;
      throw this.#pages.corrupt(from.page, from.at, range, [db.depth]);
    }
    this.#begin(db, holds, visitor);
    const entries = db.root === undefined ? 0 : this.#page(db.root, from, 1);
    // LMDB loses an empty duplicate when a second one comes (mdb_cursor_put, put_sub), but has
    // counted it: with duplicates the record may say more than there is.
    const isCounted = (db.flags & DUPSORT) !== 0 ? entries <= db.entries : entries === db.entries;
    if (!isCounted) {
      throw this.#pages.corrupt(from.page, from.at, `${db.entries} entries as recorded`, [entries]);
    }
    return entries;
  }

  /**
   * Visits the duplicates on a page inside a node, at bytes[start, start + size). Returns as `walk`.
   */
  walkSubPage(
    bytes: Buffer,
    start: number,
    size: number,
    page: number,
    visitor: NodeVisitor,
  ): number {
    const { headerBytes, padAt } = this.#pages.layout;
    const kind = size < headerBytes ? 0 : this.#pages.kindAt(bytes, start);
    if ((kind & ~PAGE_LEAF2) !== (PAGE_LEAF | PAGE_SUB)) {
      throw this.#pages.corrupt(page, start, 'a page of duplicates', [
        `${size} bytes, flags ${kind}`,
      ]);
    }
    const isLeaf2 = (kind & PAGE_LEAF2) !== 0;
    const pad = isLeaf2 ? bytes.readUInt16LE(start + padAt) : 0;
    this.#begin({ pad, flags: 0, depth: 1, entries: 0, root: page }, 'duplicates', visitor);
    return isLeaf2
      ? this.#fixedLeaf(bytes, start, size, page)
      : this.#leaf(bytes, start, size, page);
  }

  #begin(db: LmdbDatabase, holds: Holding, visitor: NodeVisitor): void {
    this.#db = db;
    this.#holds = holds;
    this.#visitor = visitor;
    this.#lastBytes = -1;
  }

  #page(number: number, from: PageLink, level: number): number {
    this.#buffers[level] ??= Buffer.alloc(this.#pages.pageBytes);
    const bytes = this.#buffers[level];
    const kind = this.#pages.fetch(number, from, bytes);
    const isBottom = level === this.#db!.depth;
    if (!isBottom && kind === PAGE_BRANCH) return this.#branch(bytes, number, level);
    if (isBottom && kind === PAGE_LEAF) return this.#leaf(bytes, 0, bytes.length, number);
    if (isBottom && kind === (PAGE_LEAF | PAGE_LEAF2) && this.#holds === 'duplicates') {
      return this.#fixedLeaf(bytes, 0, bytes.length, number);
    }
    const expected = isBottom ? 'leaf' : 'branch';
    throw this.#pages.corrupt(
      number,
      this.#pages.layout.flagsAt,
      `a ${expected} page on level ${level} of ${this.#db!.depth}`,
      [`flags ${kind}`],
    );
  }

  #branch(bytes: Buffer, number: number, level: number): number {
    const { headerBytes, base, upperAt } = this.#pages.layout;
    const count = this.#pages.countEntries(bytes, 0, bytes.length, number);
    if (count < BRANCH_ENTRIES_MIN) {
      throw this.#pages.corrupt(number, headerBytes, `${BRANCH_ENTRIES_MIN} or more keys`, [count]);
    }
    const upper = readU16(bytes, upperAt) + base;
    let room = bytes.length - upper;
    let entries = 0;
    for (let i = 0; i < count; i++) {
      const slot = headerBytes + 2 * i;
      const node = this.#nodeAt(bytes, 0, slot, upper, bytes.length, number);
      const keyEnd = node + NODE_BYTES + readU16(bytes, node + 6);
      if (keyEnd > bytes.length) throw this.#overrun(number, node, keyEnd, bytes.length);
      room -= (keyEnd - node + 1) & ~1;
      if (room < 0) throw this.#overlap(number, slot, room);
      const child =
        readU16(bytes, node) +
        readU16(bytes, node + 2) * 0x1_0000 +
        readU16(bytes, node + 4) * 0x1_0000_0000;
      entries += this.#page(child, { page: number, at: node }, level + 1);
    }
    return entries;
  }

  #leaf(bytes: Buffer, start: number, size: number, number: number): number {
    const { headerBytes, base, upperAt, bigValueBytes } = this.#pages.layout;
    const visitor = this.#visitor!;
    const keyBytesMin = this.#holds === 'duplicates' ? 0 : 1;
    const count = this.#pages.countEntries(bytes, start, size, number);
    const end = start + size;
    const upper = start + readU16(bytes, start + upperAt) + base;
    let room = end - upper;
    let entries = 0;
    let lastStart = 0;
    let lastEnd = 0;
    for (let i = 0; i < count; i++) {
      const slot = start + headerBytes + 2 * i;
      const node = this.#nodeAt(bytes, start, slot, upper, end, number);
      const valueBytes = readU16(bytes, node) + readU16(bytes, node + 2) * 0x1_0000;
      const flags = readU16(bytes, node + 4);
      const keyStart = node + NODE_BYTES;
      const keyEnd = keyStart + readU16(bytes, node + 6);
      const nodeEnd = keyEnd + ((flags & NODE_BIG) !== 0 ? bigValueBytes : valueBytes);
      if (nodeEnd > end) throw this.#overrun(number, node, nodeEnd, end);
      if (keyEnd - keyStart < keyBytesMin) {
        throw this.#pages.corrupt(number, node + 6, 'a key of 1 byte or more', [0]);
      }
      // mdb_node_add rounds nodes up to even sizes. With their sum bounded, nodes that overlap cannot
      // multiply the bytes of a page.
      room -= (nodeEnd - node + 1) & ~1;
      if (room < 0) throw this.#overlap(number, slot, room);
      if (i === 0) this.#checkFirst(bytes, keyStart, keyEnd, number);
      else if (equalBytes(bytes, lastStart, lastEnd, bytes, keyStart, keyEnd)) {
        throw this.#repeated(number, keyStart);
      }
      entries += visitor.visit(bytes, keyStart, keyEnd, valueBytes, flags, number);
      lastStart = keyStart;
      lastEnd = keyEnd;
    }
    if (this.#db!.depth > 1) this.#keepLast(bytes, lastStart, lastEnd);
    return entries;
  }

  /** A leaf of keys of one size, one after the other, without pointers. */
  #fixedLeaf(bytes: Buffer, start: number, size: number, number: number): number {
    const { headerBytes, padAt } = this.#pages.layout;
    const count = this.#pages.countEntries(bytes, start, size, number);
    const keyBytes = readU16(bytes, start + padAt);
    const isSound = keyBytes > 0 && keyBytes === this.#db!.pad;
    if (!isSound || headerBytes + count * keyBytes > size) {
      throw this.#pages.corrupt(number, start + padAt, `${count} keys in ${size} bytes`, [
        `keys of ${keyBytes} bytes, ${this.#db!.pad} by the record`,
      ]);
    }
    for (let i = 0; i < count; i++) {
      const keyStart = start + headerBytes + i * keyBytes;
      const keyEnd = keyStart + keyBytes;
      if (i === 0) this.#checkFirst(bytes, keyStart, keyEnd, number);
      else if (equalBytes(bytes, keyStart - keyBytes, keyStart, bytes, keyStart, keyEnd)) {
        throw this.#repeated(number, keyStart);
      }
      this.#visitor!.visit(bytes, keyStart, keyEnd, 0, 0, number);
    }
    const lastEnd = start + headerBytes + count * keyBytes;
    if (this.#db!.depth > 1) this.#keepLast(bytes, lastEnd - keyBytes, lastEnd);
    return count;
  }

  #nodeAt(
    bytes: Buffer,
    start: number,
    slot: number,
    upper: number,
    end: number,
    number: number,
  ): number {
    const node = start + readU16(bytes, slot) + this.#pages.layout.base;
    // mdb_node_add: nodes lie at even offsets, from `upper` on.
    if (node >= upper && node + NODE_BYTES <= end && ((node - start) & 1) === 0) return node;
    throw this.#pages.corrupt(
      number,
      slot,
      `a node at an even offset in [${upper}, ${end - NODE_BYTES}]`,
      [node],
    );
  }

  /** The first key of a leaf. */
  #checkFirst(bytes: Buffer, start: number, end: number, number: number): void {
    if (this.#lastBytes < 0) return;
    if (!equalBytes(this.#last, 0, this.#lastBytes, bytes, start, end)) return;
    throw this.#repeated(number, start);
  }

  #keepLast(bytes: Buffer, start: number, end: number): void {
    bytes.copy(this.#last, 0, start, end);
    this.#lastBytes = end - start;
  }

  #overrun(number: number, node: number, nodeEnd: number, end: number): Error {
    return this.#pages.corrupt(number, node, `a node that ends by ${end}`, [nodeEnd]);
  }

  #overlap(number: number, slot: number, room: number): Error {
    return this.#pages.corrupt(number, slot, 'nodes that fit beside each other', [
      `${-room} bytes too many`,
    ]);
  }

  #repeated(number: number, at: number): Error {
    return this.#pages.corrupt(number, at, 'each key once', ['one a second time']);
  }
}
