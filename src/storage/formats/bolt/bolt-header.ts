import { readU32, readU64 } from '../../scanners/bytes.ts';
import { damaged, unknown } from '../../scanners/faults.ts';
import { readAt } from '../../scanners/page-file.ts';
import type { ScanInput } from '../../scanners/scanner.ts';

/** bbolt page.go: pageHeaderSize. */
export const PAGE_HEADER_BYTES = 16;
/** bbolt page.go: offsets in the header of a page. */
export const FLAGS_AT = 8;
export const COUNT_AT = 10;
export const OVERFLOW_AT = 12;

/** bbolt page.go: metaPageFlag. */
const PAGE_META = 0x04;
/** bbolt db.go: magic and version. */
const MAGIC = 0xed0cdaed;
const VERSION = 2;

/** bbolt db.go, meta: offsets from the start of the page. The file has the machine's byte order. */
const MAGIC_AT = 16;
const VERSION_AT = 20;
const PAGE_BYTES_AT = 24;
const ROOT_AT = 32;
const HIGH_WATER_AT = 56;
const TRANSACTION_AT = 64;
const CHECKSUM_AT = 72;
/** Page header and meta. */
const META_BYTES = 80;

/** FNV-1a, 64 bits: offset basis and prime. */
const FNV_BASIS = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** A page holds its header and a meta at least. */
const PAGE_BYTES_MIN = 128;
/** bbolt 1.4 db.go, getPageSizeFromSecondMeta: no page is larger. */
const PAGE_BYTES_MAX = 16 * 1024 * 1024;
/** Where the search for the second meta page begins; sizes double from here. */
const PAGE_BYTES_USUAL_MIN = 512;

/** The newest state of a file, by its meta pages. */
export interface BoltHeader {
  readonly pageBytes: number;
  /** Page of the bucket that holds the buckets. */
  readonly root: number;
  /** High water mark: the newest transaction knows the pages below. The file may end before. */
  readonly pagesEnd: number;
  /** The meta page that says so, 0 or 1. */
  readonly metaPage: number;
  /** Where in that page the root is, in bytes. */
  readonly rootAt: number;
}

interface Meta {
  /** Header and meta of the page. */
  readonly bytes: Buffer;
  readonly position: number;
  readonly pageBytes: number;
  readonly transaction: bigint;
}

/** What a place holds that is no meta, and whether it is one of another kind or damaged. */
interface NoMeta {
  readonly found: string;
  readonly isBolt: boolean;
}

/** @param head The first bytes of a file. */
export function isBolt(head: Buffer): boolean {
  return readU32(head, MAGIC_AT) === MAGIC;
}

/**
 * Finds the newest meta page as bbolt does (db.go: DB.meta): the highest transaction of those with
 * the right magic, version and checksum. One of the two may be damaged, as a writer that was killed
 * leaves it: the other one leads to the complete state before. Where the first one is damaged, the
 * second is searched at all usual page sizes. Nothing that they point to is checked here.
 *
 * @throws GoromdbError FORMAT_UNKNOWN when this is no bolt file of a little-endian machine,
 * DATA_CORRUPT when it is one but damaged.
 */
export function readBoltHeader(input: ScanInput): BoltHeader {
  if (input.size === 0) throw noBolt(input, 'an empty file');
  const first = readMeta(input, 0);
  const second = isMeta(first) ? readMeta(input, first.pageBytes) : searchSecondMeta(input);
  if (isMeta(first) && (!isMeta(second) || second.transaction <= first.transaction)) {
    return verifiedHeader(input, first, 0, first.pageBytes);
  }
  if (isMeta(second)) return verifiedHeader(input, second, 1, second.position);
  const { found, isBolt } = first as NoMeta;
  if (!isBolt) throw noBolt(input, found);
  throw damaged(input, 0, 'one sound meta page of two', `${found}, and no second one`);
}

function isMeta(meta: Meta | NoMeta | undefined): meta is Meta {
  return meta !== undefined && 'bytes' in meta;
}

function readMeta(input: ScanInput, position: number): Meta | NoMeta {
  const have = Math.min(META_BYTES, input.size - position);
  if (have < META_BYTES && position > 0) return { found: 'the end of the file', isBolt: false };
  const bytes = Buffer.alloc(META_BYTES);
  readAt(input, bytes, 0, have, position);
  const magic = bytes.readUInt32LE(MAGIC_AT);
  if (magic !== MAGIC) {
    const isOther = bytes.readUInt32BE(MAGIC_AT) === MAGIC;
    const hex = bytes.toString('hex', 0, Math.min(have, 32)).replace(/(.{8})(?=.)/g, '$1 ');
    return { found: isOther ? 'bolt from a big-endian machine' : `bytes ${hex}`, isBolt: false };
  }
  if (have < META_BYTES) return { found: `a file of ${input.size} bytes`, isBolt: true };
  const version = bytes.readUInt32LE(VERSION_AT);
  if (version !== VERSION) return { found: `bolt version ${version}`, isBolt: false };
  // bbolt db.go, meta.validate: files from before there were checksums have 0.
  const sum = bytes.readBigUInt64LE(CHECKSUM_AT);
  const expected = fnv1a(bytes, PAGE_HEADER_BYTES, CHECKSUM_AT);
  if (sum !== 0n && sum !== expected) {
    return { found: `checksum ${hex(sum)} (its bytes have ${hex(expected)})`, isBolt: true };
  }
  const pageBytes = bytes.readUInt32LE(PAGE_BYTES_AT);
  if (pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX) {
    const range = `${PAGE_BYTES_MIN} to ${PAGE_BYTES_MAX}`;
    return { found: `a page size of ${pageBytes} (from ${range})`, isBolt: true };
  }
  return { bytes, position, pageBytes, transaction: bytes.readBigUInt64LE(TRANSACTION_AT) };
}

function searchSecondMeta(input: ScanInput): Meta | undefined {
  for (let size = PAGE_BYTES_USUAL_MIN; size <= PAGE_BYTES_MAX; size *= 2) {
    const meta = readMeta(input, size);
    // What a page holds may look like a meta, but then hardly one of just this size.
    if (isMeta(meta) && meta.pageBytes === size) return meta;
  }
  return undefined;
}

function verifiedHeader(
  input: ScanInput,
  meta: Meta,
  metaPage: number,
  pageBytes: number,
): BoltHeader {
  const { bytes, position } = meta;
  if (input.size < 2 * pageBytes) {
    throw damaged(input, 0, `two meta pages of ${pageBytes} bytes`, `${input.size} bytes`);
  }
  const own = readU64(bytes, 0);
  if (own !== metaPage) throw damaged(input, position, `page number ${metaPage}`, String(own));
  const flags = bytes.readUInt16LE(FLAGS_AT);
  if (flags !== PAGE_META) {
    const found = `flags ${flags}`;
    throw damaged(input, position + FLAGS_AT, `a meta page (flags ${PAGE_META})`, found);
  }
  if (meta.pageBytes !== pageBytes) {
    const at = position + PAGE_BYTES_AT;
    throw damaged(input, at, `page size ${pageBytes} as in page 0`, String(meta.pageBytes));
  }
  return {
    pageBytes,
    root: readU64(bytes, ROOT_AT),
    pagesEnd: readU64(bytes, HIGH_WATER_AT),
    metaPage,
    rootAt: ROOT_AT,
  };
}

function fnv1a(bytes: Buffer, start: number, end: number): bigint {
  let hash = FNV_BASIS;
  for (let i = start; i < end; i++) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(bytes[i])) * FNV_PRIME);
  }
  return hash;
}

function hex(sum: bigint): string {
  return sum.toString(16).padStart(16, '0');
}

function noBolt(input: ScanInput, found: string): Error {
  return unknown(input, `a BoltDB file (version ${VERSION}, little-endian)`, found);
}
