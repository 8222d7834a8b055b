import { readSync } from 'node:fs';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import type { ScanInput } from './scanner.ts';

/** Most bytes that one read-ahead fetches. Larger ones are not faster (2026-11-21). */
const WINDOW_BYTES = 512 * 1024;
/** First read-ahead after random reads; each one that pays off doubles the next. */
const FIRST_WINDOW_PAGES = 16;
/**
 * A page that lies at most this far ahead still counts as the next. Writers that recycle pages make
 * rows that go back and forth by some pages (mdb_load: +7, -5, +1), so a window also begins
 * earlier.
 */
const NEAR_PAGES = 16;
/** Distance between two progress reports. */
const PROGRESS_BYTES = 16 * 1024 * 1024;

/**
 * Fills target[at, at + length) with the bytes of the file from `position` on.
 *
 * @throws GoromdbError DATA_CORRUPT when the file ends before, FILE_UNREADABLE when reading fails.
 */
export function readAt(
  input: ScanInput,
  target: Uint8Array,
  at: number,
  length: number,
  position: number,
): void {
  let done = 0;
  while (done < length) {
    const count = readSome(input, target, at + done, length - done, position + done);
    if (count === 0) {
      throw new GoromdbError(
        'DATA_CORRUPT',
        `${input.path}: byte ${position + done}: expected ${length - done} more bytes, ` +
          `found the end of the file`,
      );
    }
    done += count;
  }
}

function readSome(
  input: ScanInput,
  target: Uint8Array,
  at: number,
  length: number,
  position: number,
): number {
  try {
    return readSync(input.fd, target, at, length, position);
  } catch (cause) {
    throw new GoromdbError(
      'FILE_UNREADABLE',
      `${input.path}: cannot read ${length} bytes at byte ${position}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/**
 * Reads a file of equal pages by page number, into memory of the caller. Reads ahead as long as the
 * page numbers run on; a page out of the row costs a read of that page alone. Page numbers come
 * from untrusted files: any number is allowed, one outside the file is an error.
 */
export class PageFile {
  readonly path: string;
  readonly pageBytes: number;
  /** Whole pages in the file. What follows the last whole page is not reachable. */
  readonly pageCount: number;
  /** Where the record is that is being added: its page, and the byte in that page. */
  recordPage = 0;
  recordAt = 0;
  readonly #input: ScanInput;
  readonly #onProgress: ((bytes: number) => void) | undefined;
  #readBytes = 0;
  #reportAt = PROGRESS_BYTES;
  /** Memory of the read-ahead; made when pages first run on. */
  #window: Uint8Array | undefined;
  #windowFirst = 0;
  #windowEnd = 0;
  #windowHits = 0;
  /** Pages that the next read-ahead fetches. */
  #ahead = FIRST_WINDOW_PAGES;
  /** The page after the one that was read last. */
  #next = -1;

  /**
   * @param pageBytes Size of a page, at least 1.
   * @param onProgress Called about every 16 MiB with how many bytes were read, at most the size.
   */
  constructor(input: ScanInput, pageBytes: number, onProgress?: (bytes: number) => void) {
    this.path = input.path;
    this.pageBytes = pageBytes;
    this.pageCount = Math.floor(input.size / pageBytes);
    this.#input = input;
    this.#onProgress = onProgress;
  }

  /**
   * Copies the pages [first, first + count) to target, from `at` on.
   *
   * @throws GoromdbError DATA_CORRUPT when they are not all inside the file.
   */
  read(first: number, count: number, target: Uint8Array, at = 0): void {
    // A number over 2^53 has lost digits, but is still far beyond any page count.
    if (!(first >= 0 && count >= 0 && first + count <= this.pageCount)) {
      throw this.corrupt(first, 0, `pages below ${this.pageCount}, the end of the file`, [
        count === 1 ? `page ${first}` : `${count} pages from ${first}`,
      ]);
    }
    const length = count * this.pageBytes;
    if (!this.#readFromWindow(first, count, target, at)) {
      readAt(this.#input, target, at, length, first * this.pageBytes);
    }
    this.#next = first + count;
    this.#readBytes += length;
    if (this.#readBytes >= this.#reportAt) {
      this.#reportAt = this.#readBytes + PROGRESS_BYTES;
      this.#onProgress?.(Math.min(this.#readBytes, this.#input.size));
    }
  }

  /** The place of the record that is being added, for messages. */
  get place(): string {
    return `page ${this.recordPage}, byte ${this.recordPage * this.pageBytes + this.recordAt}`;
  }

  /** Makes a DATA_CORRUPT error that names the file, the page and the byte in the file. */
  corrupt(page: number, at: number, expected: string, found: readonly unknown[]): GoromdbError {
    return new GoromdbError(
      'DATA_CORRUPT',
      `${this.path}: page ${page}, byte ${page * this.pageBytes + at}: ` +
        `expected ${expected}; found ${found.join(' ')}`,
    );
  }

  #readFromWindow(first: number, count: number, target: Uint8Array, at: number): boolean {
    if (first < this.#windowFirst || first + count > this.#windowEnd) {
      // A page outside the row (a branch between two leaves) must not end the row.
      if (!isNear(first, this.#next) && !isNear(first, this.#windowEnd)) return false;
      if (!this.#refill(first, count)) return false;
    }
    const from = (first - this.#windowFirst) * this.pageBytes;
    const length = count * this.pageBytes;
    target.set(this.#window!.subarray(from, from + length), at);
    this.#windowHits += count;
    return true;
  }

  #refill(first: number, count: number): boolean {
    const most = Math.floor(WINDOW_BYTES / this.pageBytes);
    const paidOff = this.#windowHits * 2 >= this.#windowEnd - this.#windowFirst;
    this.#ahead = Math.min(paidOff ? this.#ahead * 2 : FIRST_WINDOW_PAGES, most);
    const behind = Math.min(first, NEAR_PAGES, this.#ahead >> 2);
    if (behind + count > this.#ahead) return false;
    this.#window ??= Buffer.allocUnsafeSlow(most * this.pageBytes);
    const start = first - behind;
    const pages = Math.min(this.#ahead, this.pageCount - start);
    // The window is empty while it is filled: a failed read must not leave half of it valid.
    this.#windowEnd = this.#windowFirst = 0;
    readAt(this.#input, this.#window, 0, pages * this.pageBytes, start * this.pageBytes);
    this.#windowFirst = start;
    this.#windowEnd = start + pages;
    this.#windowHits = 0;
    return true;
  }
}

function isNear(page: number, expected: number): boolean {
  return page >= expected && page < expected + NEAR_PAGES;
}
