import { hashKey } from './hash.ts';
import { RecordReader } from './record.ts';
import type { DataSetInfo, Entry, RecordVisitor, Storage } from './storage.ts';

/**
 * A table as it travels between threads: plain memory and numbers.
 *
 * The index is an open-addressing hash table with linear probing. A slot is two unsigned 32-bit
 * words: the record's offset in its segment (0: the slot is empty), and `tag << 16 | segment`,
 * where the tag is the low 16 bits of the key's hash. The slot where a key's search begins comes
 * from the high bits: floor(hash × slots / 2^32), so the number of slots need not be a power of
 * two and the index is no larger than its load asks for.
 */
export interface TableParts {
  readonly segments: readonly ArrayBufferLike[];
  /** For each segment, where its last record ends. The first begins at 1. */
  readonly used: readonly number[];
  readonly index: ArrayBufferLike;
  /** The CRC-32 of what is used of each segment, and last that of the index. */
  readonly sums: readonly number[];
  readonly slots: number;
  readonly seed: number;
  readonly keys: number;
  /** Bytes of records and index. */
  readonly bytes: number;
}

/** A table and what it is, ready to be served. */
export interface ServedTable {
  readonly table: TableParts;
  readonly info: DataSetInfo;
}

/** The memory of a table that can be handed over to another thread; shared memory need not be. */
export function transferableMemory(parts: TableParts): readonly ArrayBuffer[] {
  const memory = [...parts.segments, parts.index];
  return memory.filter((part): part is ArrayBuffer => part instanceof ArrayBuffer);
}

const TWO_TO_MINUS_32 = 2 ** -32;
const TWO_TO_32 = 2 ** 32;

const NO_BYTES = Buffer.alloc(0);

/**
 * The slot where the search for a hash begins. The product can exceed 2^53, but a double keeps its
 * upper 53 bits, so the largest hash, 2^32 - 1, still comes out below `slots`.
 */
export function firstSlot(hash: number, slots: number): number {
  return Math.floor(hash * slots * TWO_TO_MINUS_32);
}

class TableEntry extends RecordReader implements Entry {
  buffer: Buffer = NO_BYTES;
  readonly cas: number;

  constructor(cas: number) {
    super();
    this.cas = cas;
  }

  get wireStart(): number {
    return this.keyStart;
  }
}

/**
 * Serves a table from memory. No object is made for a key, neither at loading nor at looking up,
 * so ten million keys cost the garbage collector nothing.
 */
class Table implements Storage {
  readonly info: DataSetInfo;
  readonly #entry: TableEntry;
  readonly #scanned: TableEntry;
  readonly #seed: number;
  #slots: number;
  #index: Uint32Array;
  #segments: readonly Buffer[];
  readonly #used: readonly number[];

  constructor(parts: TableParts, info: DataSetInfo) {
    this.info = info;
    this.#entry = new TableEntry(info.generation);
    this.#scanned = new TableEntry(info.generation);
    this.#seed = parts.seed;
    this.#slots = parts.slots;
    this.#index = new Uint32Array(parts.index);
    this.#segments = parts.segments.map((memory) => Buffer.from(memory));
    this.#used = parts.used;
  }

  get(key: Buffer, start: number, end: number): Entry | undefined {
    return this.#find(key, start, end) === 0 ? undefined : this.#entry;
  }

  /** @returns Where the record's slot is in the index, counted from 1; 0 when there is none. */
  #find(key: Buffer, start: number, end: number): number {
    const hash = hashKey(key, start, end, this.#seed);
    const tag = hash & 0xffff;
    const index = this.#index;
    let at = firstSlot(hash, this.#slots) * 2;
    for (let offset = index[at]; offset !== 0; offset = index[at]) {
      const place = index[at + 1];
      if (place >>> 16 === tag) {
        const segment = this.#segments[place & 0xffff];
        if (this.#matches(segment, offset, key, start, end)) return at + 1;
      }
      at += 2;
      if (at === index.length) at = 0;
    }
    return 0;
  }

  /** A cursor is the next record's place: segment × 2^32 + offset. */
  scan(cursor: number, limit: number, visit: RecordVisitor): number {
    const record = this.#scanned;
    let number = Math.floor(cursor / TWO_TO_32);
    let offset = cursor % TWO_TO_32 || 1;
    for (let left = limit; number < this.#segments.length; number++, offset = 1) {
      const segment = this.#segments[number];
      while (offset < this.#used[number]) {
        if (left === 0) return number * TWO_TO_32 + offset;
        record.readKey(segment, offset);
        record.readValue(segment);
        record.buffer = segment;
        if (this.#isIndexed(segment, number, offset, record)) {
          visit(segment, record.keyStart, record.keyEnd, record);
          left--;
        }
        offset = record.valueEnd + 2;
      }
    }
    return 0;
  }

  /** A record whose key came again later is still in its segment, but no slot leads to it. */
  #isIndexed(segment: Buffer, number: number, offset: number, record: TableEntry): boolean {
    const slot = this.#find(segment, record.keyStart, record.keyEnd) - 1;
    return this.#index[slot] === offset && (this.#index[slot + 1] & 0xffff) === number;
  }

  #matches(segment: Buffer, offset: number, key: Buffer, start: number, end: number): boolean {
    const entry = this.#entry;
    entry.readKey(segment, offset);
    const at = entry.keyStart;
    if (entry.keyEnd - at !== end - start) return false;
    for (let i = start, j = at; i < end; i++, j++) {
      if (key[i] !== segment[j]) return false;
    }
    entry.readValue(segment);
    entry.buffer = segment;
    return true;
  }

  close(): void {
    // One empty slot: the memory goes, and a late `get` is a miss, not a crash.
    this.#slots = 1;
    this.#index = new Uint32Array(2);
    this.#segments = [];
    this.#entry.buffer = NO_BYTES;
    this.#scanned.buffer = NO_BYTES;
  }
}

/** Makes a storage of a table that a `TableBuilder` built, in this thread or another. */
export function openTable(parts: TableParts, info: DataSetInfo): Storage {
  return new Table(parts, info);
}
