import { GoromdbError } from '../../common/errors.ts';
import type { PageFile } from './page-file.ts';

/** A place in a file that names a page: where to send the reader of an error message. */
export interface PageLink {
  readonly page: number;
  /** Byte offset in that page. */
  readonly at: number;
}

/** Memory for large values is kept when it is at most this large. */
const KEPT_BYTES = 16 * 1024 * 1024;

/** The pages of a file that link to each other: to each of them leads one link. */
export class LinkedPages {
  readonly file: PageFile;
  readonly pageBytes: number;
  readonly #first: number;
  /** Links may name the pages before this one. */
  protected readonly end: number;
  readonly #used = new PageSet();
  #lent: Buffer = Buffer.alloc(0);

  /** Links may name the pages [first, end). */
  constructor(file: PageFile, first: number, end: number) {
    this.file = file;
    this.pageBytes = file.pageBytes;
    this.#first = first;
    this.end = Math.min(file.pageCount, end);
  }

  /**
   * Claims the pages [first, first + count).
   *
   * @throws GoromdbError DATA_CORRUPT when one may not be named, or was claimed before.
   */
  protected claim(first: number, count: number, from: PageLink): void {
    this.check(first, count, from);
    const end = first + count;
    for (let page = first; page < end; page++) {
      if (this.#used.claim(page)) continue;
      const found = `page ${page} a second time`;
      throw this.corrupt(from.page, from.at, 'each page used once', [found]);
    }
  }

  /** Refuses a link to pages that may not be named. */
  check(first: number, count: number, from: PageLink): void {
    // A number over 2^53 has lost digits, but is still far beyond any page count.
    if (first >= this.#first && first + count <= this.end) return;
    const range = `a link to pages from ${this.#first} to ${this.end - 1}`;
    const found = count === 1 ? `page ${first}` : `${count} pages from ${first} on`;
    throw this.corrupt(from.page, from.at, range, [found]);
  }

  /** See `PageFile.corrupt`. */
  corrupt(page: number, at: number, expected: string, found: readonly unknown[]): GoromdbError {
    return this.file.corrupt(page, at, expected, found);
  }

  limit(page: number, expected: string, bytes: number): GoromdbError {
    const text = `${this.file.path}: page ${page}: expected ${expected}; found one of ${bytes}`;
    return new GoromdbError('LIMIT_EXCEEDED', text);
  }

  /** Memory for so many bytes or more, until the next call. */
  protected lend(bytes: number): Buffer {
    if (this.#lent.length >= bytes) return this.#lent;
    const buffer = Buffer.allocUnsafeSlow(bytes);
    if (bytes <= KEPT_BYTES) this.#lent = buffer;
    return buffer;
  }
}

/** Pages a chunk of a PageSet covers: 8 KiB of bits. */
const CHUNK_PAGES = 65_536;

/**
 * The pages that were used so far, one bit each. A page that two places point to would multiply
 * data or loop. Memory is taken where pages are claimed, so that the size that a sparse file
 * pretends to have costs nothing.
 */
export class PageSet {
  readonly #chunks = new Map<number, Uint8Array>();
  #chunk: Uint8Array | undefined;
  #chunkNumber = -1;

  /** Adds a page. @returns false when it was in the set before. */
  claim(page: number): boolean {
    const number = Math.floor(page / CHUNK_PAGES);
    if (number !== this.#chunkNumber) this.#select(number);
    const chunk = this.#chunk!;
    const bit = page % CHUNK_PAGES;
    const mask = 1 << (bit & 7);
    const before = chunk[bit >> 3];
    chunk[bit >> 3] = before | mask;
    return (before & mask) === 0;
  }

  #select(number: number): void {
    let chunk = this.#chunks.get(number);
    if (chunk === undefined) {
      chunk = new Uint8Array(CHUNK_PAGES / 8);
      this.#chunks.set(number, chunk);
    }
    this.#chunk = chunk;
    this.#chunkNumber = number;
  }
}
