import type { Database, RootDatabase } from 'lmdb';
import { GoromdbError, messageOf } from '../errors.ts';
import {
  fitsMap,
  HEAD_BYTES,
  KIND_PARTS,
  OTHERS_NAME,
  otherKey,
  PART_BYTES,
  partKey,
  RECORDS_NAME,
  setPartNumber,
} from './map-format.ts';
import { MapPositions } from './map-positions.ts';
import { copyBytes } from './record.ts';
import type { DataSetInfo, Entry, RecordVisitor, Storage } from './storage.ts';

/** A map as it travels between threads: where it is, and how to read it. */
export interface MapParts {
  /** An LMDB file of data format 2 that was proven sound, or that the loader wrote. */
  readonly path: string;
  /** `plain`: keys and values lie in the main database as they are; `own`: see map-format.ts. */
  readonly layout: MapLayout;
  readonly keys: number;
  /** Size of the file. */
  readonly bytes: number;
  /**
   * What stands before all keys that are asked for, and not in the file: so an LMDB file need not be
   * rewritten for it.
   */
  readonly prefix?: string;
}

export type MapLayout = 'plain' | 'own';

/** Longest value in bytes that a `plain` map may have: the package lends longer ones by view. */
export const PLAIN_VALUE_BYTES_MAX = 16 * 1024 * 1024 - 1;

/** Small values are copied into memory of this size, which is let go of when it is full. */
const CHUNK_BYTES = 64 * 1024;

/** A value from this length on gets memory of its own. */
const LARGE_BYTES = 16 * 1024;

const NO_BYTES = Buffer.alloc(0);

type Binary = Database<Buffer, Buffer>;

const OPTIONS = { keyEncoding: 'binary', encoding: 'binary', cache: false } as const;

class MapEntry implements Entry {
  buffer: Buffer = NO_BYTES;
  valueStart = 0;
  valueEnd = 0;
  flags = 0;
  readonly cas: number;
  readonly wireStart = -1;

  constructor(cas: number) {
    this.cas = cas;
  }
}

/**
 * Serves records from an LMDB file through its memory map, for data sets that are larger than
 * memory. Values come out by copy: a view of the map is gone, with the process, when the map is
 * closed under it.
 */
class Mapped implements Storage {
  readonly info: DataSetInfo;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #records: Binary;
  /** undefined: the layout is `plain`. */
  readonly #others: Binary | undefined;
  readonly #entry: MapEntry;
  readonly #scanned: MapEntry;
  readonly #positions: MapPositions;
  readonly #prefix: Buffer;
  /** Memory that values are copied to, once: whoever was lent a part of it may keep it. */
  #chunk: Buffer = NO_BYTES;
  #chunkUsed = 0;
  #isOpen = true;

  constructor(
    root: RootDatabase<Buffer, Buffer>,
    records: Binary,
    others: Binary | undefined,
    info: DataSetInfo,
    prefix: string,
  ) {
    this.info = info;
    this.#prefix = Buffer.from(prefix);
    this.#root = root;
    this.#records = records;
    this.#others = others;
    this.#entry = new MapEntry(info.generation);
    this.#scanned = new MapEntry(info.generation);
    this.#positions = new MapPositions(others === undefined ? [records] : [records, others]);
  }

  get(key: Buffer, start: number, end: number): Entry | undefined {
    if (!this.#isOpen) return undefined;
    const own = start + this.#prefix.length;
    if (own > start) {
      const isUnder = own <= end && this.#prefix.compare(key, start, own) === 0;
      if (!isUnder) return undefined;
    }
    const asked = key.subarray(own, end);
    const isFound = fitsMap(end - own)
      ? this.#find(asked, this.#entry)
      : this.#findOther(asked, this.#entry);
    return isFound ? this.#entry : undefined;
  }

  scan(cursor: number, limit: number, visit: RecordVisitor): number {
    if (!this.#isOpen) return 0;
    const entry = this.#scanned;
    return this.#positions.walk(cursor, limit, (key, database) => {
      if (database !== 0) return this.#show(this.#readOther(key, entry), entry, visit);
      this.#find(key, entry);
      return this.#show(key, entry, visit);
    });
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#entry.buffer = NO_BYTES;
    this.#scanned.buffer = NO_BYTES;
    // Nothing was written, so there is nothing to wait for: the map is gone when this returns.
    void this.#root.close();
  }

  #show(own: Buffer, entry: MapEntry, visit: RecordVisitor): boolean | undefined {
    const key = this.#prefix.length === 0 ? own : Buffer.concat([this.#prefix, own]);
    return visit(key, 0, key.length, entry);
  }

  #find(key: Buffer, entry: MapEntry): boolean {
    const found = this.#records.getBinaryFast(key);
    if (found === undefined) return false;
    if (this.#others === undefined) {
      entry.flags = 0;
      this.#copy(found, 0, found.length, entry);
    } else {
      this.#read(found, HEAD_BYTES, key, entry);
    }
    return true;
  }

  #findOther(key: Buffer, entry: MapEntry): boolean {
    if (this.#others === undefined) return false;
    const found = this.#others.getBinaryFast(otherKey(key));
    if (found === undefined) return false;
    const valueStart = valueStartOf(found);
    if (found.compare(key, 0, key.length, HEAD_BYTES + 4, valueStart) !== 0) return false;
    this.#read(found, valueStart, key, entry);
    return true;
  }

  /** Reads the record behind a key of `others`. @returns The record's own key. */
  #readOther(otherKey: Buffer, entry: MapEntry): Buffer {
    const found = this.#others!.getBinaryFast(otherKey)!;
    const valueStart = valueStartOf(found);
    const key = Buffer.from(found.subarray(HEAD_BYTES + 4, valueStart));
    this.#read(found, valueStart, key, entry);
    return key;
  }

  /**
   * @param found Memory of the package, which its next get writes over. Its `length` is that of the
   *   value, while the memory is longer: `subarray` with both bounds is the safe way to its bytes.
   */
  #read(found: Buffer, valueStart: number, key: Buffer, entry: MapEntry): void {
    entry.flags = found.readUInt32LE(1);
    if (found[0] === KIND_PARTS) this.#join(found.readUInt32LE(valueStart), key, entry);
    else this.#copy(found, valueStart, found.length, entry);
  }

  #copy(source: Buffer, start: number, end: number, entry: MapEntry): void {
    const bytes = end - start;
    if (bytes >= LARGE_BYTES) {
      entry.buffer = Buffer.allocUnsafeSlow(bytes);
      entry.valueStart = 0;
    } else {
      if (this.#chunkUsed + bytes > this.#chunk.length) {
        this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
        this.#chunkUsed = 0;
      }
      entry.buffer = this.#chunk;
      entry.valueStart = this.#chunkUsed;
      this.#chunkUsed += bytes;
    }
    entry.valueEnd = copyBytes(entry.buffer, entry.valueStart, source, start, end);
  }

  #join(bytes: number, key: Buffer, entry: MapEntry): void {
    const joined = Buffer.allocUnsafeSlow(bytes);
    const part = partKey(key);
    for (let at = 0; at < bytes; at += PART_BYTES) {
      setPartNumber(part, at / PART_BYTES);
      const found = this.#others!.getBinaryFast(part)!;
      copyBytes(joined, at, found, 0, found.length);
    }
    entry.buffer = joined;
    entry.valueStart = 0;
    entry.valueEnd = bytes;
  }
}

/** Where the value begins in a record of `others`. */
function valueStartOf(found: Buffer): number {
  return HEAD_BYTES + 4 + found.readUInt32LE(HEAD_BYTES);
}

/**
 * Opens a map in this thread. The package opens a file once a process, by its inode, so that all
 * threads share the map. It keeps the file open under any name: it may be unlinked meanwhile.
 *
 * It must be a file that this user may write to although nothing is written: of others the package
 * leaks the descriptors when it closes them.
 *
 * @throws GoromdbError LOADER_FAILED when the system refuses.
 */
export async function openMap(parts: MapParts, info: DataSetInfo): Promise<Storage> {
  // Not before it is needed: it takes native code and 16 MiB of addresses a thread.
  const { open } = await import('lmdb');
  const { prefix = '' } = parts;
  let root: RootDatabase<Buffer, Buffer> | undefined;
  try {
    root = open({ ...OPTIONS, path: parts.path, noSubdir: true, readOnly: true, maxDbs: 2 });
    if (parts.layout === 'plain') return new Mapped(root, root, undefined, info, prefix);
    const records: Binary = root.openDB(RECORDS_NAME, OPTIONS);
    return new Mapped(root, records, root.openDB(OTHERS_NAME, OPTIONS), info, prefix);
  } catch (cause) {
    void root?.close();
    throw new GoromdbError('LOADER_FAILED', `cannot map ${parts.path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
