import { damaged, unknown, unsupported } from '../../scanners/faults.ts';
import { readAt } from '../../scanners/page-file.ts';
import type { ScanInput } from '../../scanners/scanner.ts';

/** dbinc/db_page.h: DBMETASIZE, what all meta pages have in common. Checksums cover it. */
export const META_BYTES = 512;
/** db.h: DB_BTREEMAGIC, DB_HASHMAGIC; at 12 in DBMETA, in the byte order of the file. */
const MAGIC_AT = 12;
const MAGIC_BTREE = 0x053162;
const MAGIC_HASH = 0x061561;
/** db.h: DB_QAMMAGIC, DB_HEAPMAGIC. */
const OTHER_METHODS: ReadonlyMap<number, string> = new Map([
  [0x042253, 'queue'],
  [0x074582, 'heap'],
]);
/** dbinc/db_page.h: P_HASHMETA, P_BTREEMETA. */
const PAGE_HASH_META = 8;
const PAGE_BTREE_META = 9;
/** Versions that Berkeley DB 5.3 opens without an upgrade of the file. */
const VERSIONS: Readonly<Record<Method, readonly number[]>> = { btree: [8, 9], hash: [7, 8, 9] };
/** db_page.h: DBMETA.metaflags. */
const META_CHECKSUM = 0x01;
const META_PARTITIONS = 0x02 | 0x04;
/** db_page.h: BTM_* in DBMETA.flags of a btree. */
const BTREE_DUPLICATES = 0x01;
const BTREE_RECNO = 0x02;
const BTREE_DATABASES = 0x20;
const BTREE_COMPRESSED = 0x80;
const BTREE_FLAGS = 0xff;
/** db_page.h: DB_HASH_* in DBMETA.flags of a hash. */
const HASH_DUPLICATES = 0x01;
const HASH_DATABASES = 0x02;
const HASH_FLAGS = 0x07;
/** db_page.h: chksum in BTMETA and HMETA. */
const META_SUM_AT = 492;
const PAGE_BYTES_MIN = 512;
const PAGE_BYTES_MAX = 65_536;

type Method = 'btree' | 'hash';

/** What a meta page says about one database. Nothing that it points to is checked. */
export interface BdbMeta {
  readonly method: Method;
  /** Page number of the meta page. */
  readonly page: number;
  readonly bigEndian: boolean;
  readonly pageBytes: number;
  /** Every page carries a checksum. */
  readonly checksums: boolean;
  /** Last page of the file; only the meta page at the start of a file keeps it up to date. */
  readonly lastPage: number;
  /** The database may hold several values for a key. */
  readonly duplicates: boolean;
  /** Btree: its records are names of databases. Also set in the meta pages of those. */
  readonly databases: boolean;
  /** The first META_BYTES of the page, for what only one access method has. */
  readonly bytes: Buffer;
}

/** @param head The first bytes of a file. */
export function isBdb(head: Buffer): boolean {
  if (head.length < MAGIC_AT + 4) return false;
  return isMagic(head.readUInt32LE(MAGIC_AT)) || isMagic(head.readUInt32BE(MAGIC_AT));
}

function isMagic(number: number): boolean {
  return number === MAGIC_BTREE || number === MAGIC_HASH;
}

/**
 * Reads and checks the meta page at the start of a file.
 *
 * @throws GoromdbError FORMAT_UNKNOWN when this is no Berkeley DB file, FORMAT_UNSUPPORTED when it
 * is one that goromdb does not read, DATA_CORRUPT when it is damaged.
 */
export function readBdbHeader(input: ScanInput): BdbMeta {
  const bytes = Buffer.alloc(META_BYTES);
  const have = Math.min(input.size, META_BYTES);
  if (have === 0) throw noBdb(input, 'the file is empty');
  readAt(input, bytes, 0, have, 0);
  const bigEndian = detectOrder(input, bytes);
  if (have < META_BYTES) throw damaged(input, 0, `a meta page of ${META_BYTES} bytes`, have);
  const meta = parseMeta(input, bytes, 0, 0, bigEndian);
  if (input.size < meta.pageBytes) {
    throw damaged(input, 0, `a page of ${meta.pageBytes} bytes`, `a file of ${input.size}`);
  }
  // __db_master_open: names of databases are always in a btree.
  if (meta.method === 'hash' && meta.databases) {
    throw damaged(input, 48, 'a hash file without databases inside', 'flags that say it has some');
  }
  return meta;
}

/**
 * Checks the meta page of a database inside a file.
 *
 * @param page Number of the page.
 * @param file What the meta page at the start of the file says.
 */
export function readBdbDatabase(
  input: ScanInput,
  bytes: Buffer,
  page: number,
  file: BdbMeta,
): BdbMeta {
  const position = page * file.pageBytes;
  const meta = parseMeta(input, bytes, page, position, file.bigEndian);
  if (meta.pageBytes !== file.pageBytes) {
    throw damaged(input, position + 20, `page size ${file.pageBytes} as in page 0`, meta.pageBytes);
  }
  if (meta.checksums !== file.checksums) {
    const has = (checksums: boolean) => (checksums ? 'checksums' : 'no checksums');
    throw damaged(input, position + 26, `${has(file.checksums)} as in page 0`, has(meta.checksums));
  }
  return meta;
}

/**
 * Checksum of a page: hash/hash_func.c, __ham_func4, with the 4 bytes that keep the sum counted as
 * zeros (hmac/hmac.c, __db_chksum). Four bytes a round measured no faster.
 */
export function pageChecksum(bytes: Buffer, sumAt: number, end: number): number {
  let sum = 0;
  for (let at = 0; at < sumAt; at++) sum = (Math.imul(sum, 33) + bytes[at]) | 0;
  sum = Math.imul(sum, 33 ** 4);
  for (let at = sumAt + 4; at < end; at++) sum = (Math.imul(sum, 33) + bytes[at]) | 0;
  return sum >>> 0;
}

function detectOrder(input: ScanInput, bytes: Buffer): boolean {
  for (const bigEndian of [false, true]) {
    const magic = bigEndian ? bytes.readUInt32BE(MAGIC_AT) : bytes.readUInt32LE(MAGIC_AT);
    if (isMagic(magic)) return bigEndian;
    const method = OTHER_METHODS.get(magic);
    if (method !== undefined) throw notPlain(input, `a ${method} file`);
    // db_185.h: before version 2 the magic was the first number.
    const first = bigEndian ? bytes.readUInt32BE(0) : bytes.readUInt32LE(0);
    if (isMagic(first)) {
      throw notPlain(input, 'a file of version 1.85');
    }
  }
  throw noBdb(input, `bytes ${bytes.toString('hex', 0, 32).replace(/(.{8})(?=.)/g, '$1 ')}`);
}

function parseMeta(
  input: ScanInput,
  bytes: Buffer,
  page: number,
  position: number,
  bigEndian: boolean,
): BdbMeta {
  const u32 = (at: number) => (bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at));
  const magic = u32(MAGIC_AT);
  if (!isMagic(magic)) {
    throw damaged(input, position + MAGIC_AT, 'the magic number of a btree or hash', magic);
  }
  const method = magic === MAGIC_BTREE ? 'btree' : 'hash';
  const version = u32(16);
  if (!VERSIONS[method].includes(version)) {
    const known = VERSIONS[method].join(', ');
    throw notPlain(input, `${method} version ${version} (of the versions ${known})`);
  }
  if (bytes[24] !== 0) throw notPlain(input, 'an encrypted file');
  const checksums = checkMetaFlags(input, bytes, position);
  if (checksums) checkMetaSum(input, bytes, position, u32(META_SUM_AT));
  const pageBytes = u32(20);
  const isPower = (pageBytes & (pageBytes - 1)) === 0;
  if (!isPower || pageBytes < PAGE_BYTES_MIN || pageBytes > PAGE_BYTES_MAX) {
    const range = `a power of two from ${PAGE_BYTES_MIN} to ${PAGE_BYTES_MAX} as page size`;
    throw damaged(input, position + 20, range, pageBytes);
  }
  const type = method === 'btree' ? PAGE_BTREE_META : PAGE_HASH_META;
  if (bytes[25] !== type) throw damaged(input, position + 25, `page type ${type}`, bytes[25]);
  if (u32(8) !== page) throw damaged(input, position + 8, `its own number ${page}`, u32(8));
  const flags = u32(48);
  checkFlags(input, method, flags, position);
  return {
    method,
    page,
    bigEndian,
    pageBytes,
    checksums,
    lastPage: u32(32),
    duplicates: (flags & (method === 'btree' ? BTREE_DUPLICATES : HASH_DUPLICATES)) !== 0,
    databases: (flags & (method === 'btree' ? BTREE_DATABASES : HASH_DATABASES)) !== 0,
    bytes,
  };
}

/** Returns whether the pages have checksums. */
function checkMetaFlags(input: ScanInput, bytes: Buffer, position: number): boolean {
  const flags = bytes[26];
  if ((flags & META_PARTITIONS) !== 0) {
    throw notPlain(input, 'a partitioned database, whose records are in other files');
  }
  if ((flags & ~META_CHECKSUM) !== 0) {
    throw damaged(input, position + 26, 'meta flags 0 or 1', flags);
  }
  return flags === META_CHECKSUM;
}

function checkMetaSum(input: ScanInput, bytes: Buffer, position: number, stored: number): void {
  const sum = pageChecksum(bytes, META_SUM_AT, META_BYTES);
  if (sum === stored) return;
  throw damaged(input, position + META_SUM_AT, `checksum ${hex(sum)}`, hex(stored));
}

function checkFlags(input: ScanInput, method: Method, flags: number, position: number): void {
  if (method === 'btree' && (flags & BTREE_RECNO) !== 0) throw notPlain(input, 'a recno file');
  if (method === 'btree' && (flags & BTREE_COMPRESSED) !== 0) {
    throw notPlain(input, 'a compressed btree');
  }
  const known = method === 'btree' ? BTREE_FLAGS : HASH_FLAGS;
  if ((flags & ~known) !== 0) {
    throw damaged(input, position + 48, `flags of a ${method}`, hex(flags));
  }
}

function hex(number: number): string {
  return `0x${number.toString(16)}`;
}

function noBdb(input: ScanInput, found: string): Error {
  return unknown(input, 'a Berkeley DB file (btree or hash)', found);
}

function notPlain(input: ScanInput, found: string): Error {
  const expected = 'a plain btree or hash of Berkeley DB 4 or 5';
  return unsupported(input, `expected ${expected}; found ${found}`);
}
