import { compareBytes, readU16, readU32, readU64 } from '../../scanners/bytes.ts';
import type { PageLink } from '../../scanners/linked-pages.ts';
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../../scanners/scanner.ts';
import type { BoltBucket } from './bolt-bucket.ts';
import { COUNT_AT, FLAGS_AT, PAGE_HEADER_BYTES } from './bolt-header.ts';
import { type BoltPages, ELEMENT_BYTES, PAGE_BRANCH } from './bolt-pages.ts';

/** bbolt page.go, bucketLeafFlag: the value of the element is a bucket. */
const ELEMENT_BUCKET = 0x01;

/** Branches hold two keys or more, so that no file of real size has a deeper tree. */
export const DEPTH_MAX = 32;

/** Takes the elements of the leaves of a tree, in order. */
export interface ElementVisitor {
  /**
   * @param bytes Memory that holds the key in [keyStart, keyEnd) and the value in
   * [keyEnd, valueEnd). Lent for the call only.
   * @param flags 0: a record; ELEMENT_BUCKET: a bucket.
   * @param shift bytes[i] is byte i + shift of the page and its overflow pages.
   */
  visit(
    bytes: Buffer,
    keyStart: number,
    keyEnd: number,
    valueEnd: number,
    flags: number,
    page: number,
    shift: number,
  ): void;
}

/**
 * Walks the tree of one bucket after the other, page by page from the root, and verifies each page
 * and element before it hands it out: depth, bounds, sizes, order of keys.
 *
 * Every writer lays the data of a page out without gaps, in the order of the elements (bbolt
 * node.go, node.write). So an element has one place where it can be: a number that is off by one
 * shows, also a count, which nothing else in the file repeats.
 */
export class BoltTree {
  readonly #pages: BoltPages;
  /** The key that the next one must not be below: the last one, or a separator of a branch. */
  readonly #floor: Buffer = Buffer.alloc(KEY_BYTES_MAX);
  #floorBytes = -1;
  /** Whether the next key may equal #floor. */
  #floorAllowed = false;
  #visitor: ElementVisitor | undefined;
  readonly #firstLevel: number;

  /**
   * @param firstLevel Where its levels begin in the memory of the pages: a tree that is walked while
   * another one is needs levels of its own, DEPTH_MAX of them.
   */
  constructor(pages: BoltPages, firstLevel = 0) {
    this.#pages = pages;
    this.#firstLevel = firstLevel;
  }

  /** Visits all elements of a bucket. */
  walk(bucket: BoltBucket, visitor: ElementVisitor): void {
    this.#visitor = visitor;
    this.#floorBytes = -1;
    const { root, inline, from } = bucket;
    if (inline === undefined) {
      this.#page(root, from, 1);
      return;
    }
    const end = this.#elements(inline, inline.length, from.page, from.at);
    if (end !== inline.length) {
      const expected = `elements that fill ${inline.length} bytes`;
      throw this.#pages.corrupt(from.page, from.at, expected, [end]);
    }
  }

  #page(number: number, from: PageLink, level: number): void {
    if (level > DEPTH_MAX) {
      throw this.#pages.corrupt(from.page, from.at, `${DEPTH_MAX} levels or less`, ['more']);
    }
    const bytes = this.#pages.fetch(number, from, this.#firstLevel + level);
    const isBranch = readU16(bytes, FLAGS_AT) === PAGE_BRANCH;
    // Writers remove a page with its last element; only a root may stay.
    if (readU16(bytes, COUNT_AT) === 0 && (isBranch || level > 1)) {
      throw this.#pages.corrupt(number, COUNT_AT, '1 element or more', [0]);
    }
    const size = this.#pages.spanBytes(bytes);
    if (isBranch) this.#branch(bytes, size, number, level);
    else if (this.#pages.isWhole(bytes)) this.#elements(bytes, size, number, 0);
    else this.#largeLeaf(bytes, size, number);
  }

  #branch(bytes: Buffer, size: number, number: number, level: number): void {
    const count = readU16(bytes, COUNT_AT);
    let at = this.#dataStart(count, size, number, 0);
    for (let i = 0; i < count; i++) {
      const element = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
      const keyStart = element + readU32(bytes, element);
      const keyBytes = readU32(bytes, element + 4);
      const keyEnd = at + keyBytes;
      if (keyStart !== at || keyBytes === 0 || keyEnd > size || keyBytes > KEY_BYTES_MAX) {
        throw this.#badPlace(number, element, keyStart, at, keyBytes, 0, size);
      }
      // bbolt tx_check.go: above all keys on its left, not above any on its right.
      this.#checkFloor(bytes, at, keyEnd, number, 0);
      this.#setFloor(bytes, at, keyEnd, true);
      this.#page(readU64(bytes, element + 8), { page: number, at: element + 8 }, level + 1);
      at = keyEnd;
    }
  }

  /**
   * The elements of a leaf that is whole in memory.
   *
   * @param shift Where the leaf begins in its page: an inline page is inside of another.
   * @returns where the last one ends.
   */
  #elements(bytes: Buffer, size: number, number: number, shift: number): number {
    const visitor = this.#visitor!;
    const count = readU16(bytes, COUNT_AT);
    let at = this.#dataStart(count, size, number, shift);
    let lastStart = 0;
    let lastEnd = 0;
    for (let i = 0; i < count; i++) {
      const element = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
      const end = this.#elementEnd(bytes, element, at, size, number, shift);
      const keyEnd = at + readU32(bytes, element + 8);
      if (i === 0) this.#checkFloor(bytes, at, keyEnd, number, shift);
      else if (compareBytes(bytes, lastStart, lastEnd, bytes, at, keyEnd) >= 0) {
        throw this.#disorder(number, at + shift);
      }
      visitor.visit(bytes, at, keyEnd, end, readU32(bytes, element), number, shift);
      lastStart = at;
      lastEnd = keyEnd;
      at = end;
    }
    if (count > 0) this.#setFloor(bytes, lastStart, lastEnd, false);
    return at;
  }

  /** A leaf that spans many pages, of which `bytes` holds the header and the elements. */
  #largeLeaf(bytes: Buffer, size: number, number: number): void {
    const count = readU16(bytes, COUNT_AT);
    let at = this.#dataStart(count, size, number, 0);
    for (let i = 0; i < count; i++) {
      const element = PAGE_HEADER_BYTES + i * ELEMENT_BYTES;
      const end = this.#elementEnd(bytes, element, at, size, number, 0);
      const piece = this.#pages.readPiece(number, at, end);
      const start = at % this.#pages.pageBytes;
      const shift = at - start;
      const keyEnd = start + readU32(bytes, element + 8);
      this.#checkFloor(piece, start, keyEnd, number, shift);
      // First: the piece is lent, and a visitor may read pages.
      this.#setFloor(piece, start, keyEnd, false);
      const flags = readU32(bytes, element);
      this.#visitor!.visit(piece, start, keyEnd, end - shift, flags, number, shift);
      at = end;
    }
  }

  /** Verifies the element of a leaf whose data must begin at byte `at` of `size`. */
  #elementEnd(
    bytes: Buffer,
    element: number,
    at: number,
    size: number,
    number: number,
    shift: number,
  ): number {
    const flags = readU32(bytes, element);
    const keyStart = element + readU32(bytes, element + 4);
    const keyBytes = readU32(bytes, element + 8);
    const valueBytes = readU32(bytes, element + 12);
    const end = at + keyBytes + valueBytes;
    if (flags > ELEMENT_BUCKET) {
      throw this.#pages.corrupt(number, element + shift, 'a record or a bucket', [
        `flags ${flags}`,
      ]);
    }
    const isInside = keyStart === at && keyBytes > 0 && end <= size;
    if (!isInside || keyBytes > KEY_BYTES_MAX || valueBytes > VALUE_BYTES_MAX) {
      throw this.#badPlace(number, element + shift, keyStart, at, keyBytes, valueBytes, size);
    }
    return end;
  }

  /** Where the data of the first element must begin. */
  #dataStart(count: number, size: number, number: number, shift: number): number {
    const start = PAGE_HEADER_BYTES + count * ELEMENT_BYTES;
    if (start <= size) return start;
    throw this.#pages.corrupt(number, COUNT_AT + shift, `elements that fit in ${size} bytes`, [
      count,
    ]);
  }

  #checkFloor(bytes: Buffer, start: number, end: number, number: number, shift: number): void {
    if (this.#floorBytes < 0) return;
    const order = compareBytes(this.#floor, 0, this.#floorBytes, bytes, start, end);
    if (order > 0 || (order === 0 && !this.#floorAllowed)) {
      throw this.#disorder(number, start + shift);
    }
  }

  #setFloor(bytes: Buffer, start: number, end: number, allowed: boolean): void {
    bytes.copy(this.#floor, 0, start, end);
    this.#floorBytes = end - start;
    this.#floorAllowed = allowed;
  }

  /** Says what is wrong with an element whose data must begin at byte `at` of `size`. */
  #badPlace(
    number: number,
    element: number,
    keyStart: number,
    at: number,
    keyBytes: number,
    valueBytes: number,
    size: number,
  ): Error {
    const pages = this.#pages;
    const end = at + keyBytes + valueBytes;
    if (keyStart !== at) {
      return pages.corrupt(number, element, `an element whose data begins at ${at}`, [keyStart]);
    }
    if (keyBytes === 0) return pages.corrupt(number, element, 'a key of 1 byte or more', [0]);
    if (end > size) return pages.corrupt(number, element, `an element that ends by ${size}`, [end]);
    if (keyBytes > KEY_BYTES_MAX) {
      return pages.limit(number, `keys up to ${KEY_BYTES_MAX} bytes`, keyBytes);
    }
    return pages.limit(number, `values up to ${VALUE_BYTES_MAX} bytes`, valueBytes);
  }

  #disorder(number: number, at: number): Error {
    return this.#pages.corrupt(number, at, 'keys in ascending order', ['one out of order']);
  }
}
