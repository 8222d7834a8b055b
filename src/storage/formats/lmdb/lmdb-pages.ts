import { readU64 } from '../../scanners/bytes.ts';
import { LinkedPages, type PageLink } from '../../scanners/linked-pages.ts';
import { LostValues } from '../../scanners/lost-values.ts';
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

/**
 * Fetches the pages of one LMDB file and verifies of each: it is inside the file, was not used
 * before, carries its own number and is of the expected kind; and where its entries are.
 */
export class LmdbPages extends LinkedPages {
  readonly layout: LmdbLayout;
  /** The duplicates that are not served. */
  readonly lost: LostValues;

  constructor(file: PageFile, header: LmdbHeader) {
    super(file, FIRST_TREE_PAGE, header.lastPage + 1);
    this.lost = new LostValues(file);
    this.layout = header.layout;
  }

  /** Reads a tree page to `target` and returns its kind: PAGE_* flags. */
  fetch(page: number, from: PageLink, target: Buffer): number {
    this.claim(page, 1, from);
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
      throw this.limit(page, `values up to ${VALUE_BYTES_MAX} bytes`, valueBytes);
    }
    const { headerBytes, runPagesAt, version } = this.layout;
    const first = readU64(leaf, at);
    // mdb.c: OVPAGES; only the first page of a run has a header.
    const needed = Math.floor((headerBytes - 1 + valueBytes) / this.pageBytes) + 1;
    this.claim(first, needed, { page, at });
    const bytes = this.lend(needed * this.pageBytes);
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
    this.claim(first + needed, pages - needed, { page, at });
    return bytes;
  }

  #checkOwnNumber(bytes: Buffer, page: number): void {
    const own = readU64(bytes, 0);
    if (own !== page) throw this.corrupt(page, 0, `its own number ${page}`, [own]);
  }
}
