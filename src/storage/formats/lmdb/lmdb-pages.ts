import { GoromdbError } from '../../../common/errors.ts';
import { readU64 } from '../../scanners/bytes.ts';
import { LostValues } from '../../scanners/lost-values.ts';
import { PageClaims, type PageLink } from '../../scanners/page-claims.ts';
import type { PageFile } from '../../scanners/page-file.ts';
import { VALUE_BYTES_MAX } from '../../scanners/scanner.ts';
import type { LmdbHeader, LmdbLayout } from './lmdb-header.ts';

/** mdb.c: page flags. */
export const PAGE_BRANCH = 0x01;
export const PAGE_LEAF = 0x02;
const PAGE_OVERFLOW = 0x04;
/** Keys of one size without node headers, in trees of MDB_DUPFIXED duplicates. */
export const PAGE_LEAF2 = 0x20;
/** A page inside a leaf node, for a few duplicates. */
export const PAGE_SUB = 0x40;

/**
 * Flags that LMDB uses while it writes and that may stay behind: P_DIRTY (v1), P_DIRTY_OVF (v2) and
 * P_KEEP. All other flags say what a page is.
 */
const WORK_FLAGS = 0x10 | 0x2000 | 0x8000;

/** The first two pages are meta pages. */
const FIRST_TREE_PAGE = 2;
/** A buffer for big values is kept when it is at most this large. */
const KEPT_VALUE_BYTES = 16 * 1024 * 1024;

/**
 * Fetches the pages of one LMDB file and proves of each: it is inside the file, was not used before,
 * carries its own number and is of the expected kind; and where its entries are.
 */
export class LmdbPages {
  readonly file: PageFile;
  readonly layout: LmdbLayout;
  readonly pageBytes: number;
  /** The duplicates that are not served. */
  readonly lost: LostValues;
  readonly #claims: PageClaims;
  #value: Buffer = Buffer.alloc(0);

  constructor(file: PageFile, header: LmdbHeader) {
    this.file = file;
    this.lost = new LostValues(file);
    this.layout = header.layout;
    this.pageBytes = header.pageBytes;
    // In the file, and known to the newest transaction.
    const end = Math.min(file.pageCount, header.lastPage + 1);
    this.#claims = new PageClaims(file, FIRST_TREE_PAGE, end);
  }

  /** Reads a tree page to `target` and returns its kind: PAGE_* flags. */
  fetch(page: number, from: PageLink, target: Buffer): number {
    this.#claims.claim(page, 1, from);
    this.file.read(page, 1, target);
    this.#checkOwnNumber(target, page);
    return this.kindAt(target, 0);
  }

  /** What the page or sub-page that begins at bytes[start] is. */
  kindAt(bytes: Buffer, start: number): number {
    return bytes.readUInt16LE(start + this.layout.flagsAt) & ~WORK_FLAGS;
  }

  /**
   * Checks the bounds in the header of the page or sub-page at bytes[start, start + size).
   *
   * @returns the number of entries, at least 1.
   */
  countEntries(bytes: Buffer, start: number, size: number, page: number): number {
    const { headerBytes, base, lowerAt, upperAt } = this.layout;
    const lower = bytes.readUInt16LE(start + lowerAt) + base;
    const upper = bytes.readUInt16LE(start + upperAt) + base;
    const isLeaf2 = (this.kindAt(bytes, start) & PAGE_LEAF2) !== 0;
    // mdb.c: NUMKEYS. On LEAF2 pages the bounds only count, with 1-byte keys upper even grows.
    const isSound = (lower & 1) === 0 && lower > headerBytes && (isLeaf2 || lower <= upper);
    if (!isSound || (!isLeaf2 && upper > size)) {
      throw this.corrupt(page, start + lowerAt, `bounds of entries in ${size} bytes`, [
        `lower ${lower}, upper ${upper}`,
      ]);
    }
    return (lower - headerBytes) >> 1;
  }

  /**
   * Claims the overflow pages of a big value and reads the value. The memory is lent until the next
   * call.
   *
   * @param at Where the reference to the pages begins in `leaf`.
   * @param valueBytes Size of the value by its leaf node.
   * @returns memory that holds the value from `layout.headerBytes` on.
   */
  readBigValue(leaf: Buffer, at: number, valueBytes: number, page: number): Buffer {
    if (valueBytes > VALUE_BYTES_MAX) {
      throw new GoromdbError(
        'LIMIT_EXCEEDED',
        `${this.file.path}: page ${page}: expected values up to ${VALUE_BYTES_MAX} bytes; ` +
          `found one of ${valueBytes}`,
      );
    }
    const { headerBytes, runPagesAt, version } = this.layout;
    const first = readU64(leaf, at);
    // mdb.c: OVPAGES; only the first page of a run has a header.
    const needed = Math.floor((headerBytes - 1 + valueBytes) / this.pageBytes) + 1;
    this.#claims.claim(first, needed, { page, at });
    const bytes = this.#valueBuffer(needed * this.pageBytes);
    this.file.read(first, needed, bytes);
    this.#checkOwnNumber(bytes, first);
    const kind = this.kindAt(bytes, 0);
    if (kind !== PAGE_OVERFLOW) {
      throw this.corrupt(first, this.layout.flagsAt, 'an overflow page', [`flags ${kind}`]);
    }
    const pages = bytes.readUInt32LE(runPagesAt);
    // MDB_ovpage repeats the length of the run.
    if (pages < needed || (version === 2 && readU64(leaf, at + 16) !== pages)) {
      throw this.corrupt(first, runPagesAt, `${needed} or more pages for ${valueBytes} bytes`, [
        `${pages} pages`,
      ]);
    }
    // A shorter value that replaced a longer one leaves pages over at the end of the run.
    this.#claims.claim(first + needed, pages - needed, { page, at });
    return bytes;
  }

  corrupt(page: number, at: number, expected: string, found: readonly unknown[]): GoromdbError {
    return this.file.corrupt(page, at, expected, found);
  }

  #checkOwnNumber(bytes: Buffer, page: number): void {
    const own = readU64(bytes, 0);
    if (own !== page) throw this.corrupt(page, 0, `its own number ${page}`, [own]);
  }

  #valueBuffer(size: number): Buffer {
    if (this.#value.length >= size) return this.#value;
    const buffer = Buffer.allocUnsafeSlow(size);
    if (size <= KEPT_VALUE_BYTES) this.#value = buffer;
    return buffer;
  }
}
