import { readU32, readU64 } from '../../scanners/bytes.ts';
import { damaged, unknown, unsupported } from '../../scanners/faults.ts';
import { readAt } from '../../scanners/page-file.ts';
import type { ScanInput } from '../../scanners/scanner.ts';
import { looksLikeTable } from '../../table/table-layout.ts';

/** mdb.c: MDB_MAGIC, little-endian at the start of MDB_meta. */
const MAGIC = 0xbeefc0de;
/** mdb.c: mdb_env_set_pagesize allows powers of two from 256 on. */
const PAGE_BYTES_MIN = 256;
/** Enough for a page header and MDB_meta in both formats: 24 + 144 bytes. */
const META_BYTES = 168;
/** mdb.c: P_META in the page flags. */
const PAGE_META = 0x08;
/** lmdb.h: MDB_ENCRYPT in MDB_meta.mm_flags, v2 only. */
const FLAG_ENCRYPT = 0x2000;
/** mdb.c: P_INVALID, all ones, is the root of a tree without pages. */
const NO_PAGE_HALF = 0xffffffff;

/** Where the two data formats of LMDB differ. Offsets are in bytes from the start of a page. */
export interface LmdbLayout {
  /** mdb.c: MDB_DATA_VERSION. 1: LMDB 0.9; 2: LMDB 1.0 and the npm package `lmdb`. */
  readonly version: 1 | 2;
  /** PAGEHDRSZ: where the node pointers of a page begin. */
  readonly headerBytes: number;
  readonly flagsAt: number;
  /** For the fixed key size of LEAF2 pages. */
  readonly padAt: number;
  readonly lowerAt: number;
  readonly upperAt: number;
  /** Length of an overflow run in pages, u32. */
  readonly runPagesAt: number;
  /** PAGEBASE: what lower, upper and node pointers count from. */
  readonly base: number;
  /** What a leaf holds in place of a big value: pgno, or MDB_ovpage. */
  readonly bigValueBytes: number;
  /** MAX_PAGESIZE. */
  readonly pageBytesMax: number;
}

/** LMDB 0.9 mdb.c: MDB_page, header of 16 bytes. */
const V1: LmdbLayout = {
  version: 1,
  headerBytes: 16,
  padAt: 8,
  flagsAt: 10,
  lowerAt: 12,
  upperAt: 14,
  runPagesAt: 12,
  base: 0,
  bigValueBytes: 8,
  pageBytesMax: 0x8000,
};

/** LMDB 1.0 mdb.c: MDB_page_header, 24 bytes: a transaction number follows the page number. */
const V2: LmdbLayout = {
  version: 2,
  headerBytes: 24,
  padAt: 16,
  flagsAt: 18,
  lowerAt: 20,
  upperAt: 22,
  runPagesAt: 20,
  base: 24,
  bigValueBytes: 24,
  pageBytesMax: 0x10000,
};

/** mdb.c: MDB_db, what a file knows about one tree. */
export interface LmdbDatabase {
  /** Key size of LEAF2 pages. */
  readonly pad: number;
  readonly flags: number;
  readonly depth: number;
  readonly entries: number;
  /** undefined: the tree has no pages. */
  readonly root: number | undefined;
}

/** Bytes of MDB_db in a file. */
export const LMDB_DATABASE_BYTES = 48;

/** The newest state of a file, by its meta pages. */
export interface LmdbHeader {
  readonly layout: LmdbLayout;
  readonly pageBytes: number;
  readonly main: LmdbDatabase;
  /** The last page that the newest transaction knows. The file may end before it. */
  readonly lastPage: number;
  readonly transaction: number;
  /**
   * False: the file comes from the npm package `lmdb` and was copied (or its machine failed) before
   * the newest transaction was flushed. That package then goes back to an older transaction, which
   * this scanner did not read.
   */
  readonly flushed: boolean;
}

interface Meta {
  readonly main: LmdbDatabase;
  readonly lastPage: number;
  readonly transaction: number;
}

/** @param head The first bytes of a file. */
export function isLmdb(head: Buffer): boolean {
  const hasMagic = [V1, V2].some(({ headerBytes }) => readU32(head, headerBytes) === MAGIC);
  return hasMagic && !looksLikeTable(head);
}

/** Reads MDB_db at bytes[at, at + 48). */
export function readLmdbDatabase(bytes: Buffer, at: number): LmdbDatabase {
  const rootLow = bytes.readUInt32LE(at + 40);
  const rootHigh = bytes.readUInt32LE(at + 44);
  const none = rootLow === NO_PAGE_HALF && rootHigh === NO_PAGE_HALF;
  return {
    pad: bytes.readUInt32LE(at),
    flags: bytes.readUInt16LE(at + 4),
    depth: bytes.readUInt16LE(at + 6),
    entries: readU64(bytes, at + 32),
    root: none ? undefined : rootLow + rootHigh * 0x1_0000_0000,
  };
}

/**
 * Reads and checks the meta pages. Nothing that they point to is checked here.
 *
 * @throws GoromdbError FORMAT_UNKNOWN when this is no LMDB file that any 64-bit little-endian
 * machine wrote, FORMAT_UNSUPPORTED when it is encrypted or has page checksums, DATA_CORRUPT when
 * it is one but damaged.
 */
export function readLmdbHeader(input: ScanInput): LmdbHeader {
  const first = Buffer.alloc(META_BYTES);
  const have = Math.min(input.size, META_BYTES);
  if (have === 0) throw noLmdb(input, 'the file is empty');
  readAt(input, first, 0, have, 0);
  const layout = detectLayout(input, first);
  if (have < META_BYTES) throw noLmdb(input, `a file of ${input.size} bytes`);
  const pageBytes = readPageBytes(input, first, layout);
  if (input.size < 2 * pageBytes) {
    throw damaged(input, 0, `two meta pages of ${pageBytes} bytes`, `${input.size} bytes`);
  }
  refuseProtected(input, first, layout, pageBytes);
  const second = Buffer.alloc(META_BYTES);
  readAt(input, second, 0, META_BYTES, pageBytes);
  checkMetaPage(input, first, layout, 0, 0);
  // LMDB 1.0 believes the second meta page without a look. A file where it is bad is not served.
  checkMetaPage(input, second, layout, 1, pageBytes);
  const metas = [readMeta(first, layout), readMeta(second, layout)];
  // mdb.c: mdb_env_pick_meta; the first one wins a tie.
  const newest = metas[1].transaction > metas[0].transaction ? metas[1] : metas[0];
  const flushed = checkFlushedCopy(input, layout, pageBytes, newest);
  return { layout, pageBytes, ...newest, flushed };
}

function detectLayout(input: ScanInput, page: Buffer): LmdbLayout {
  for (const layout of [V1, V2]) {
    if (page.readUInt32LE(layout.headerBytes) !== MAGIC) continue;
    // LMDB 1.0 keeps flags in the high half of the version.
    const version = page.readUInt32LE(layout.headerBytes + 4) & 0xffff;
    if (version === layout.version) return layout;
    throw noLmdb(input, `LMDB data version ${version} with a ${layout.headerBytes}-byte header`);
  }
  for (const at of [V1.headerBytes, V2.headerBytes]) {
    if (page.readUInt32BE(at) === MAGIC) throw noLmdb(input, 'LMDB from a big-endian machine');
  }
  // A 32-bit machine writes page headers of 12 bytes (v2: of 16, refused by its version above).
  if (page.readUInt32LE(12) === MAGIC || page.readUInt32BE(12) === MAGIC) {
    throw noLmdb(input, 'LMDB from a 32-bit machine');
  }
  throw noLmdb(input, `bytes ${page.toString('hex', 0, 32).replace(/(.{8})(?=.)/g, '$1 ')}`);
}

function readPageBytes(input: ScanInput, page: Buffer, layout: LmdbLayout): number {
  // mdb.c: mm_psize is md_pad of the first MDB_db.
  const bytes = page.readUInt32LE(layout.headerBytes + 24);
  const isPower = (bytes & (bytes - 1)) === 0;
  if (isPower && bytes >= PAGE_BYTES_MIN && bytes <= layout.pageBytesMax) return bytes;
  throw noLmdb(
    input,
    `a page size of ${bytes} (a power of two from ${PAGE_BYTES_MIN} to ${layout.pageBytesMax})`,
  );
}

function refuseProtected(
  input: ScanInput,
  page: Buffer,
  layout: LmdbLayout,
  pageBytes: number,
): void {
  if (layout.version !== 2) return;
  // mdb.c: mm_flags is md_flags of the first MDB_db.
  if ((page.readUInt16LE(layout.headerBytes + 28) & FLAG_ENCRYPT) !== 0) {
    throw unsupported(input, 'expected an LMDB file without encryption, found an encrypted one');
  }
  // mdb.c: mdb_env_init_meta saves the size of a page checksum in the last two bytes of page 0.
  const tail = Buffer.alloc(2);
  readAt(input, tail, 0, 2, pageBytes - 2);
  const sumBytes = tail.readUInt16LE(0);
  if (sumBytes === 0) return;
  throw unsupported(
    input,
    `expected pages without checksums, found ${sumBytes} bytes of one on each`,
  );
}

function checkMetaPage(
  input: ScanInput,
  page: Buffer,
  layout: LmdbLayout,
  number: number,
  position: number,
): void {
  const own = readU64(page, 0);
  if (own !== number) throw damaged(input, position, `page number ${number}`, String(own));
  const flags = page.readUInt16LE(layout.flagsAt);
  if (flags !== PAGE_META) {
    throw damaged(input, position, `a meta page (flags ${PAGE_META})`, `flags ${flags}`);
  }
  const magic = page.readUInt32LE(layout.headerBytes);
  const version = page.readUInt32LE(layout.headerBytes + 4) & 0xffff;
  const pageBytes = page.readUInt32LE(layout.headerBytes + 24);
  if (magic !== MAGIC || version !== layout.version) {
    throw damaged(input, position, `LMDB magic, version ${layout.version}`, `${magic}, ${version}`);
  }
  if (number === 1 && pageBytes !== position) {
    throw damaged(input, position, `page size ${position} as in page 0`, String(pageBytes));
  }
}

function readMeta(page: Buffer, layout: LmdbLayout): Meta {
  const meta = layout.headerBytes;
  return {
    main: readLmdbDatabase(page, meta + 72),
    lastPage: readU64(page, meta + 120),
    transaction: readU64(page, meta + 128),
  };
}

/**
 * The npm package `lmdb` (option overlappingSync, its default) copies the meta that it has flushed
 * to the middle of page 0, and reads that copy when it does not trust the others. So the copy must
 * say the same; an older one means that the newest transaction was not flushed.
 */
function checkFlushedCopy(
  input: ScanInput,
  layout: LmdbLayout,
  pageBytes: number,
  newest: Meta,
): boolean {
  // With 256-byte pages half a page is inside the first meta.
  if (layout.version !== 2 || pageBytes < 512) return true;
  const bytes = Buffer.alloc(META_BYTES);
  readAt(input, bytes, 0, META_BYTES, pageBytes / 2);
  const copy = readMeta(bytes, layout);
  if (copy.transaction === 0) return true;
  if (copy.transaction < newest.transaction) return false;
  const same =
    copy.transaction === newest.transaction &&
    copy.lastPage === newest.lastPage &&
    copy.main.root === newest.main.root &&
    copy.main.depth === newest.main.depth;
  if (same) return true;
  throw damaged(
    input,
    pageBytes / 2,
    `a copy of the meta of transaction ${newest.transaction}`,
    `another state, of transaction ${copy.transaction}`,
  );
}

function noLmdb(input: ScanInput, found: string): Error {
  return unknown(input, 'an LMDB file (data version 1 or 2, 64-bit, little-endian)', found);
}
