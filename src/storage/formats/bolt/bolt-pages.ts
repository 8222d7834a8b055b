import type { GoromdbError } from '../../../common/errors.ts';
import { readU16, readU32, readU64 } from '../../scanners/bytes.ts';
import { LinkedPages, type PageLink } from '../../scanners/linked-pages.ts';
import type { PageFile } from '../../scanners/page-file.ts';
import {
  type BoltHeader,
  COUNT_AT,
  FLAGS_AT,
  OVERFLOW_AT,
  PAGE_HEADER_BYTES,
} from './bolt-header.ts';

/** bbolt page.go: branchPageFlag and leafPageFlag. A page of a tree has one of them and no other. */
export const PAGE_BRANCH = 0x01;
export const PAGE_LEAF = 0x02;

/** bbolt page.go: size of branchPageElement and of leafPageElement. */
export const ELEMENT_BYTES = 16;

/** The first two pages are meta pages. */
const FIRST_TREE_PAGE = 2;
/** Pages that span more bytes than this are not fetched in one piece. */
const WHOLE_SPAN_BYTES_MAX = 1024 * 1024;

/**
 * Fetches the pages of one bolt file and verifies of each: it is inside the file, was not used
 * before, carries its own number, is of a tree, and spans as many pages as its elements need.
 */
export class BoltPages extends LinkedPages {
  /** One page, with its overflow pages, per level of the tree. */
  readonly #levels: Buffer[] = [];

  constructor(file: PageFile, header: BoltHeader) {
    super(file, FIRST_TREE_PAGE, header.pagesEnd);
  }

  /**
   * Reads a page of a tree and its overflow pages. The memory is lent until the next call for the
   * same level.
   *
   * @returns memory that holds the page as far as `isWhole` says, else its header and elements.
   */
  fetch(page: number, from: PageLink, level: number): Buffer {
    this.claim(page, 1, from);
    const bytes = this.#levelBuffer(level, this.pageBytes);
    this.file.read(page, 1, bytes);
    const own = readU64(bytes, 0);
    if (own !== page) throw this.corrupt(page, 0, `its own number ${page}`, [own]);
    const flags = readU16(bytes, FLAGS_AT);
    if (flags !== PAGE_BRANCH && flags !== PAGE_LEAF) {
      throw this.corrupt(page, FLAGS_AT, 'a branch or leaf page', [`flags ${flags}`]);
    }
    return readU32(bytes, OVERFLOW_AT) === 0 ? bytes : this.#fetchOverflow(page, bytes, level);
  }

  /** Bytes of a page and its overflow pages. */
  spanBytes(bytes: Buffer): number {
    return (readU32(bytes, OVERFLOW_AT) + 1) * this.pageBytes;
  }

  /** Whether `fetch` has read all of a span. */
  isWhole(bytes: Buffer): boolean {
    return readU32(bytes, OVERFLOW_AT) === 0 || this.spanBytes(bytes) <= WHOLE_SPAN_BYTES_MAX;
  }

  /**
   * Reads the bytes [start, end) of the span that begins at `page`. The memory is lent until the
   * next call.
   *
   * @returns memory that holds them from start % pageBytes on.
   */
  readPiece(page: number, start: number, end: number): Buffer {
    const first = Math.floor(start / this.pageBytes);
    const count = Math.ceil(end / this.pageBytes) - first;
    const bytes = this.lend(count * this.pageBytes);
    this.file.read(page + first, count, bytes);
    return bytes;
  }

  /** Reads what follows the first page, in `bytes`, once its length is verified. */
  #fetchOverflow(page: number, bytes: Buffer, level: number): Buffer {
    const spanBytes = this.spanBytes(bytes);
    const pages = spanBytes / this.pageBytes;
    if (page + pages > this.end) {
      const range = `pages that end by ${this.end}`;
      throw this.corrupt(page, OVERFLOW_AT, range, [`${pages} pages from ${page} on`]);
    }
    const headBytes = PAGE_HEADER_BYTES + readU16(bytes, COUNT_AT) * ELEMENT_BYTES;
    const headPages = Math.ceil(headBytes / this.pageBytes);
    if (headPages > pages) throw this.#wrongLength(page, headBytes, pages);
    const isWhole = this.isWhole(bytes);
    const all = this.#levelBuffer(level, isWhole ? spanBytes : headPages * this.pageBytes);
    this.file.read(page + 1, headPages - 1, all, this.pageBytes);
    // Writers allocate what the elements need (bbolt), or a page more where they fill the last one
    // (boltdb). So a length that is made up cannot claim pages by the million.
    const end = dataEnd(all, headBytes);
    const isTight = pages >= end / this.pageBytes && pages <= end / this.pageBytes + 1;
    if (!isTight) throw this.#wrongLength(page, end, pages);
    this.claim(page + 1, pages - 1, { page, at: OVERFLOW_AT });
    if (isWhole) {
      this.file.read(page + headPages, pages - headPages, all, headPages * this.pageBytes);
    } else if (readU16(all, FLAGS_AT) === PAGE_BRANCH) {
      throw this.limit(page, `branch pages up to ${WHOLE_SPAN_BYTES_MAX} bytes`, spanBytes);
    }
    return all;
  }

  /** Memory of a level, with what it held. */
  #levelBuffer(level: number, size: number): Buffer {
    const before = this.#levels[level];
    if (before !== undefined && before.length >= size) return before;
    const buffer = Buffer.allocUnsafeSlow(size);
    before?.copy(buffer);
    this.#levels[level] = buffer;
    return buffer;
  }

  #wrongLength(page: number, bytes: number, pages: number): GoromdbError {
    return this.corrupt(page, OVERFLOW_AT, `as many pages as ${bytes} bytes need`, [
      `${pages} pages of ${this.pageBytes} bytes`,
    ]);
  }
}

/** Where the data of the last element ends, by the elements alone. */
function dataEnd(bytes: Buffer, headBytes: number): number {
  const last = headBytes - ELEMENT_BYTES;
  if (last < PAGE_HEADER_BYTES) return headBytes;
  if (readU16(bytes, FLAGS_AT) === PAGE_BRANCH) {
    return last + readU32(bytes, last) + readU32(bytes, last + 4);
  }
  return last + readU32(bytes, last + 4) + readU32(bytes, last + 8) + readU32(bytes, last + 12);
}
