/**
 * A table's file: an LMDB file of data format 2, written by hand, so that the package `lmdb` maps it.
 * It holds a few large values, each in a run of overflow pages of its own:
 *
 *     description   JSON behind its CRC-32, padded with spaces to 16 pages
 *     index         the slots: see `TableParts`
 *     segment000…   the records: see record.ts
 *
 * Pages have 4096 bytes: 0 and 1 are meta pages, 2 is the one leaf page, 3 to 18 hold the description.
 * The segments follow, then the index. A value begins 24 bytes behind its run's first page. All but
 * the values follows from the description, so a reader writes it anew and compares.
 */
import { crc32 } from 'node:zlib';
import type { HashSpec } from './hash.ts';

const PAGE_BYTES = 4096;

/** LMDB's mdb.c: MDB_MAGIC, of each meta page. */
const MAGIC = 0xbeefc0de;

/** Bytes of a page's header in data format 2: the first value of a run begins behind it. */
export const PAGE_HEAD_BYTES = 24;

const DESCRIPTION_PAGE = 3;
const DESCRIPTION_PAGES = 16;
const DESCRIPTION_BYTES = DESCRIPTION_PAGES * PAGE_BYTES - PAGE_HEAD_BYTES;

/** Where the first segment's run begins. All before is the head of the file. */
const FIRST_PAGE = DESCRIPTION_PAGE + DESCRIPTION_PAGES;
export const HEAD_BYTES = FIRST_PAGE * PAGE_BYTES;

/** One leaf page has room for these and the two other values. */
export const SEGMENTS_MAX = 90;

/** A segment's offsets stay below 2^31: V8 has such integers without making objects of them. */
export const SEGMENT_BYTES_MAX = 2 ** 31 - 2 ** 16;

/** An index may take 4 GiB: the largest view that Node 20 makes. */
export const SLOTS_MAX = 2 ** 29 - PAGE_BYTES;

/** Of the name of a part. */
const PART_CHARS_MAX = 64;

/** A stretch of records or slots, and the CRC-32 of all its bytes. */
export interface Region {
  /** Where it begins in the file. */
  readonly at: number;
  readonly bytes: number;
  readonly crc32: number;
}

/** What lies where in a table's file. */
export interface TableLayout {
  readonly hash: HashSpec;
  readonly keys: number;
  /** Records of the segments, those whose key came again later among them. */
  readonly records: number;
  /** A segment's first record begins at its offset 1. */
  readonly segments: readonly Region[];
  /** 8 bytes for each slot. */
  readonly index: Region;
  /** Which keys of a data set it has all of, as `goromdb split` names them; undefined: it does not say. */
  readonly part?: string | undefined;
  /** Size of the file. */
  readonly bytes: number;
}

/** What the description says: the layout without what follows from it. */
interface Description {
  readonly format: 'goromdb-table';
  readonly version: 1;
  readonly hash: HashSpec;
  readonly keys: number;
  readonly records: number;
  readonly slots: number;
  readonly segments: readonly { readonly bytes: number; readonly crc32: number }[];
  readonly index: { readonly crc32: number };
  readonly part?: string | undefined;
}

/** Where the run of pages behind a value begins that lies at `at`. */
export function nextRun(at: number, bytes: number): number {
  return Math.ceil((at + bytes) / PAGE_BYTES) * PAGE_BYTES + PAGE_HEAD_BYTES;
}

/** Where the first segment lies. */
export const FIRST_SEGMENT_AT = HEAD_BYTES + PAGE_HEAD_BYTES;

/** Works out where everything lies. */
export function layoutOf(parts: {
  readonly hash: HashSpec;
  readonly keys: number;
  readonly records: number;
  readonly segments: readonly { readonly bytes: number; readonly crc32: number }[];
  readonly slots: number;
  readonly index: { readonly crc32: number };
  readonly part?: string | undefined;
}): TableLayout {
  const { hash, keys, records, slots, part } = parts;
  let at = FIRST_SEGMENT_AT;
  const segments = parts.segments.map(({ bytes, crc32 }): Region => {
    const region = { at, bytes, crc32 };
    at = nextRun(at, bytes);
    return region;
  });
  const index = { at, bytes: slots * 8, crc32: parts.index.crc32 };
  const bytes = nextRun(index.at, index.bytes) - PAGE_HEAD_BYTES;
  return { hash, keys, records, segments, index, bytes, part };
}

/** The first {@link HEAD_BYTES} of a table's file. */
export function headOf(layout: TableLayout): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  const values: readonly Value[] = [
    {
      name: 'description',
      at: DESCRIPTION_PAGE * PAGE_BYTES + PAGE_HEAD_BYTES,
      bytes: DESCRIPTION_BYTES,
    },
    { name: 'index', ...layout.index },
    ...layout.segments.map((region, i) => ({
      name: `segment${String(i).padStart(3, '0')}`,
      ...region,
    })),
  ];
  writeMeta(head, 0, 1n, layout.bytes, values.length);
  writeMeta(head, 1, 0n, layout.bytes, values.length);
  writeLeaf(head, values);
  const [description] = values;
  runHeadOf(description).copy(head, description.at - PAGE_HEAD_BYTES);
  writeDescription(head, description.at, layout);
  return head;
}

/** The header of the run of pages that a segment or the index lies in. */
export function runHeadOf({ at, bytes }: { readonly at: number; readonly bytes: number }): Buffer {
  const head = Buffer.alloc(PAGE_HEAD_BYTES);
  writeU64(head, 0, pageOf(at));
  writeU64(head, 8, 1);
  // Page flags: overflow.
  head.writeUInt16LE(4, 18);
  head.writeUInt32LE(pagesOf(bytes), 20);
  return head;
}

/**
 * Reads the layout out of a file's first {@link HEAD_BYTES}, and verifies all of them.
 *
 * @param fileBytes Size of the file.
 * @returns A text that says what is wrong, where they are not the head of a table of this version.
 */
export function readHead(head: Buffer, fileBytes: number): TableLayout | string {
  const at = DESCRIPTION_PAGE * PAGE_BYTES + PAGE_HEAD_BYTES;
  if (head.length < HEAD_BYTES) return `expected ${HEAD_BYTES} bytes of head, found ${head.length}`;
  const text = head.toString('latin1', at, at + DESCRIPTION_BYTES);
  const sum = crc32(head.subarray(at + 9, at + DESCRIPTION_BYTES));
  if (text.slice(0, 9) !== `${hex(sum)}\n`) return 'the CRC-32 of the description is wrong';
  let found: unknown;
  try {
    found = JSON.parse(text.slice(9));
  } catch {
    return 'the description is no JSON';
  }
  const fault = faultOf(found);
  if (fault !== undefined) return fault;
  const layout = layoutOf(found as Description);
  if (layout.bytes !== fileBytes) {
    return `expected a file of ${layout.bytes} bytes, found ${fileBytes}`;
  }
  const difference = firstDifference(headOf(layout), head);
  return difference === undefined
    ? layout
    : `byte ${difference} is not what the description makes it`;
}

/** Whether a file's first bytes are those of a table, whatever its version and soundness. */
export function looksLikeTable(head: Buffer): boolean {
  const at = DESCRIPTION_PAGE * PAGE_BYTES + PAGE_HEAD_BYTES;
  const isLmdb = head.length > at && head.readUInt32LE(PAGE_HEAD_BYTES) === MAGIC;
  return isLmdb && head.subarray(at, at + 64).includes('{"format":"goromdb-table"');
}

interface Value {
  readonly name: string;
  readonly at: number;
  readonly bytes: number;
}

function writeMeta(
  head: Buffer,
  page: number,
  transaction: bigint,
  fileBytes: number,
  entries: number,
): void {
  const start = page * PAGE_BYTES;
  const at = start + PAGE_HEAD_BYTES;
  const lastPage = fileBytes / PAGE_BYTES - 1;
  writeU64(head, start, page);
  // Page flags: meta.
  head.writeUInt16LE(8, start + 18);
  head.writeUInt32LE(MAGIC, at);
  head.writeUInt32LE(2, at + 4);
  writeU64(head, at + 16, fileBytes);
  // The record of the free pages, whose first words hold the page size and the flags: no page.
  head.writeUInt32LE(PAGE_BYTES, at + 24);
  head.writeUInt16LE(8, at + 28);
  head.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, at + 64);
  const main = at + 72;
  // Depth, leaf pages, overflow pages, entries, root.
  head.writeUInt16LE(1, main + 6);
  writeU64(head, main + 16, 1);
  writeU64(head, main + 24, lastPage - 2);
  writeU64(head, main + 32, entries);
  writeU64(head, main + 40, 2);
  writeU64(head, at + 120, lastPage);
  head.writeBigUInt64LE(transaction, at + 128);
}

/** Nodes are filled in from the page's end, the pointers to them from its beginning. */
function writeLeaf(head: Buffer, values: readonly Value[]): void {
  const start = 2 * PAGE_BYTES;
  let upper = PAGE_BYTES;
  writeU64(head, start, 2);
  writeU64(head, start + 8, 1);
  // Page flags: leaf.
  head.writeUInt16LE(2, start + 18);
  values.forEach(({ name, at, bytes }, i) => {
    const nodeBytes = 8 + name.length + 24;
    upper -= nodeBytes + (nodeBytes & 1);
    const node = start + upper;
    head.writeUInt16LE(bytes % 65_536, node);
    head.writeUInt16LE(Math.floor(bytes / 65_536), node + 2);
    // Node flags: the value lies in overflow pages.
    head.writeUInt16LE(1, node + 4);
    head.writeUInt16LE(name.length, node + 6);
    head.write(name, node + 8, 'latin1');
    const payload = node + 8 + name.length;
    writeU64(head, payload, pageOf(at));
    writeU64(head, payload + 8, 1);
    writeU64(head, payload + 16, pagesOf(bytes));
    head.writeUInt16LE(upper - PAGE_HEAD_BYTES, start + PAGE_HEAD_BYTES + 2 * i);
  });
  head.writeUInt16LE(2 * values.length, start + 20);
  head.writeUInt16LE(upper - PAGE_HEAD_BYTES, start + 22);
}

function writeDescription(head: Buffer, at: number, layout: TableLayout): void {
  const { hash, keys, records, segments, index, part } = layout;
  const description: Description = {
    ...{ format: 'goromdb-table', version: 1, hash, keys, records, slots: index.bytes / 8 },
    segments: segments.map(({ bytes, crc32 }) => ({ bytes, crc32 })),
    index: { crc32: index.crc32 },
    part,
  };
  const text = JSON.stringify(description).padEnd(DESCRIPTION_BYTES - 9);
  head.write(`${hex(crc32(text))}\n${text}`, at, 'latin1');
}

function faultOf(found: unknown): string | undefined {
  const { format, version, hash, keys, records, slots, segments, index, part } = (found ??
    {}) as Partial<Description>;
  if (format !== 'goromdb-table') return 'it does not describe a table';
  if (version !== 1) return `expected version 1 of the format, found ${JSON.stringify(version)}`;
  const isWhole =
    isHash(hash) &&
    isCount(records, SLOTS_MAX) &&
    isCount(keys, records!) &&
    isCount(slots, SLOTS_MAX) &&
    slots! > keys! &&
    (part === undefined || (typeof part === 'string' && part.length <= PART_CHARS_MAX)) &&
    isCount(index?.crc32, 0xffff_ffff) &&
    Array.isArray(segments) &&
    segments.length <= SEGMENTS_MAX &&
    segments.every(
      (one) =>
        isCount(one?.bytes, SEGMENT_BYTES_MAX) && one.bytes > 0 && isCount(one.crc32, 0xffff_ffff),
    );
  return isWhole ? undefined : 'the description has a number that cannot be';
}

function isHash(hash: HashSpec | undefined): boolean {
  if (hash?.kind === 'fnv1a') return isCount(hash.seed, 0xffff_ffff);
  if (hash?.kind !== 'halfsiphash' || !Array.isArray(hash.key)) return false;
  return hash.key.length === 2 && hash.key.every((word) => isCount(word, 0xffff_ffff));
}

function isCount(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function firstDifference(a: Buffer, b: Buffer): number | undefined {
  if (a.equals(b.subarray(0, a.length))) return undefined;
  return a.findIndex((byte, i) => byte !== b[i]);
}

function pageOf(at: number): number {
  return Math.floor(at / PAGE_BYTES);
}

function pagesOf(bytes: number): number {
  return Math.ceil((PAGE_HEAD_BYTES + bytes) / PAGE_BYTES);
}

function writeU64(target: Buffer, at: number, value: number): void {
  target.writeBigUInt64LE(BigInt(value), at);
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0');
}
