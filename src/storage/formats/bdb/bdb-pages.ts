import { LinkedPages, type PageLink } from '../../scanners/linked-pages.ts';
import { LostValues } from '../../scanners/lost-values.ts';
import type { PageFile } from '../../scanners/page-file.ts';
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../../scanners/scanner.ts';
import { type BdbMeta, META_BYTES, pageChecksum } from './bdb-header.ts';

/** dbinc/db_page.h: page types. */
const PAGE_INVALID = 0;
export const PAGE_HASH_UNSORTED = 2;
export const PAGE_BTREE_INTERNAL = 3;
export const PAGE_RECNO_INTERNAL = 4;
export const PAGE_BTREE_LEAF = 5;
export const PAGE_RECNO_LEAF = 6;
const PAGE_OVERFLOW = 7;
export const PAGE_DUPLICATE_LEAF = 12;
export const PAGE_HASH = 13;

/** db_page.h: offsets in PAGE. */
const PAGE_PREVIOUS_AT = 12;
export const PAGE_NEXT_AT = 16;
export const PAGE_ENTRIES_AT = 20;
export const PAGE_FREE_END_AT = 22;
export const PAGE_LEVEL_AT = 24;
export const PAGE_TYPE_AT = 25;
/** db_page.h: SIZEOF_PAGE; with PG_CHKSUM behind it. */
const HEADER_BYTES = 26;
const HEADER_SUM_BYTES = 32;
const PAGE_SUM_AT = 28;

/**
 * Fetches the pages of one Berkeley DB file and verifies of each: it is inside the file, was not
 * used before, has the right checksum and carries its own number.
 */
export class BdbPages extends LinkedPages {
  /** P_OVERHEAD: where the item index of a page begins, and the data of an overflow page. */
  readonly headerBytes: number;
  /** The duplicates that are not served. */
  readonly lost: LostValues;
  readonly #bigEndian: boolean;
  readonly #checksums: boolean;
  readonly #overflow: Buffer;
  /** Two, as a key is compared with the one before it. */
  readonly #keys: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)];
  #keyTurn: 0 | 1 = 0;

  constructor(file: PageFile, meta: BdbMeta) {
    super(file, 1, meta.lastPage + 1);
    this.lost = new LostValues(file);
    this.headerBytes = meta.checksums ? HEADER_SUM_BYTES : HEADER_BYTES;
    this.#bigEndian = meta.bigEndian;
    this.#checksums = meta.checksums;
    this.#overflow = Buffer.alloc(meta.pageBytes);
  }

  u16(bytes: Uint8Array, at: number): number {
    return this.#bigEndian ? (bytes[at] << 8) | bytes[at + 1] : bytes[at] | (bytes[at + 1] << 8);
  }

  u32(bytes: Buffer, at: number): number {
    return this.#bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }

  /** Reads a page to `target` and returns its type. */
  fetch(page: number, from: PageLink, target: Buffer): number {
    this.claim(page, 1, from);
    this.file.read(page, 1, target);
    return this.#verify(page, target);
  }

  /** As `fetch`, for a page of a hash table: undefined when it was never written. */
  fetchBucket(page: number, from: PageLink, target: Buffer): number | undefined {
    this.claim(page, 1, from);
    this.file.read(page, 1, target);
    // hash/hash_conv.c, __ham_pgin: a table grows by groups of pages that are holes until their
    // first use. Berkeley DB takes every page without a number for one; a hole is all zeros.
    if (target[PAGE_TYPE_AT] === PAGE_INVALID && isZero(target)) return undefined;
    return this.#verify(page, target);
  }

  /** Reads the start of a meta page, which has a checksum of its own kind. */
  fetchMeta(page: number, from: PageLink): Buffer {
    this.claim(page, 1, from);
    const bytes = Buffer.alloc(this.pageBytes);
    this.file.read(page, 1, bytes);
    return bytes.subarray(0, META_BYTES);
  }

  /** Where the items of a page begin: HOFFSET, 16 bits, so that 65536 is 0. */
  itemsStart(bytes: Buffer): number {
    const start = this.u16(bytes, PAGE_FREE_END_AT);
    return start === 0 && this.pageBytes === 65_536 ? 65_536 : start;
  }

  /** Checks that index and items of a page fit, and returns the number of items. */
  countItems(bytes: Buffer, page: number): number {
    const count = this.u16(bytes, PAGE_ENTRIES_AT);
    const start = this.itemsStart(bytes);
    const indexEnd = this.headerBytes + 2 * count;
    if (indexEnd > start || start > this.pageBytes) {
      throw this.corrupt(page, PAGE_FREE_END_AT, `items from ${indexEnd} to ${this.pageBytes}`, [
        `${count} items from ${start} on`,
      ]);
    }
    return count;
  }

  /** As `countItems`, for pages that hold keys and data by turns. */
  countPairs(bytes: Buffer, page: number): number {
    const count = this.countItems(bytes, page);
    if ((count & 1) === 0) return count;
    throw this.corrupt(page, PAGE_ENTRIES_AT, 'as many keys as data', [`${count} items`]);
  }

  /**
   * Claims the pages of a big value and reads it. The memory is lent until the next call.
   *
   * @param first Its first page.
   * @param length Bytes of the value by its reference.
   */
  readValue(first: number, length: number, from: PageLink): Buffer {
    if (length > VALUE_BYTES_MAX) {
      throw this.limit(from.page, `values up to ${VALUE_BYTES_MAX} bytes`, length);
    }
    // A length that the file cannot hold must not cost memory.
    const room = this.end * (this.pageBytes - this.headerBytes);
    if (length > room) {
      throw this.corrupt(from.page, from.at, `a length of at most ${room} bytes`, [length]);
    }
    return this.#readChain(first, length, from, this.lend(length));
  }

  /** As `readValue`, for a key. The memory is lent until the call after the next one. */
  readKey(first: number, length: number, from: PageLink): Buffer {
    if (length > KEY_BYTES_MAX) {
      throw this.limit(from.page, `keys up to ${KEY_BYTES_MAX} bytes`, length);
    }
    this.#keyTurn = this.#keyTurn === 0 ? 1 : 0;
    const turn = this.#keyTurn;
    if (this.#keys[turn].length === 0) this.#keys[turn] = Buffer.alloc(KEY_BYTES_MAX);
    return this.#readChain(first, length, from, this.#keys[turn]);
  }

  #readChain(first: number, length: number, from: PageLink, target: Buffer): Buffer {
    const bytes = this.#overflow;
    let done = 0;
    let link = from;
    let previous = 0;
    let page = first;
    while (done < length) {
      const type = this.fetch(page, link, bytes);
      if (type !== PAGE_OVERFLOW) {
        throw this.corrupt(page, PAGE_TYPE_AT, 'an overflow page', [`type ${type}`]);
      }
      this.checkPrevious(bytes, page, previous);
      // db_page.h: OV_LEN.
      const part = this.u16(bytes, PAGE_FREE_END_AT);
      const most = Math.min(length - done, this.pageBytes - this.headerBytes);
      if (part === 0 || part > most) {
        throw this.corrupt(page, PAGE_FREE_END_AT, `a part of 1 to ${most} bytes`, [part]);
      }
      bytes.copy(target, done, this.headerBytes, this.headerBytes + part);
      done += part;
      previous = page;
      link = { page, at: PAGE_NEXT_AT };
      page = this.u32(bytes, PAGE_NEXT_AT);
    }
    if (page !== 0) {
      throw this.corrupt(link.page, link.at, `an end after ${length} bytes`, [`page ${page}`]);
    }
    return target;
  }

  /** Checks the back link of a page in a chain. */
  checkPrevious(bytes: Buffer, page: number, previous: number): void {
    const found = this.u32(bytes, PAGE_PREVIOUS_AT);
    if (found === previous) return;
    throw this.corrupt(page, PAGE_PREVIOUS_AT, `page ${previous} before it`, [`page ${found}`]);
  }

  #verify(page: number, bytes: Buffer): number {
    if (this.#checksums) {
      const stored = this.u32(bytes, PAGE_SUM_AT);
      const sum = pageChecksum(bytes, PAGE_SUM_AT, bytes.length);
      if (stored !== sum) {
        throw this.corrupt(page, PAGE_SUM_AT, `checksum 0x${sum.toString(16)}`, [
          `0x${stored.toString(16)}`,
        ]);
      }
    }
    const own = this.u32(bytes, 8);
    if (own !== page) throw this.corrupt(page, 8, `its own number ${page}`, [own]);
    return bytes[PAGE_TYPE_AT];
  }
}

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}
