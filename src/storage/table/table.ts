/**
 * What belongs in this folder: the table: how it is built, written, mapped, checked and searched.
 */
import { equalWords, viewOf } from '../copy-words.ts';
import { loadMapReader, mappedBytes } from '../map-window.ts';
import { RecordReader } from '../record.ts';
import {
  BATCH_KEYS_MAX,
  type Batch,
  type DataSetInfo,
  type Entry,
  type Lease,
  type RecordVisitor,
  type Storage,
} from '../storage.ts';
import { firstSlot, type HashFunction, hashFunctionOf } from './hash.ts';
import type { Region, TableLayout } from './table-layout.ts';

/**
 * A table as it travels between threads.
 *
 * The index is an open-addressing hash table with linear probing. A slot is two unsigned 32-bit
 * words: the record's offset in its segment (0: the slot is empty), and `tag << 16 | segment`,
 * where the tag is the low 16 bits of the key's hash. The slot where a key's search begins comes
 * from the high bits: floor(hash × slots / 2^32), so the number of slots need not be a power of
 * two and the index is no larger than its load asks for.
 */
export interface TableParts {
  readonly layout: TableLayout;
  /** Where the table's file is mapped; or memory: that of each segment, then that of the index. */
  readonly place: { readonly address: number } | { readonly memory: readonly ArrayBufferLike[] };
}

const TWO_TO_32 = 2 ** 32;

const NO_BYTES = Buffer.alloc(0);
const NO_VIEW = viewOf(NO_BYTES);
const NO_BOUNDS = new Int32Array(0);

class TableEntry extends RecordReader implements Entry {
  buffer: Buffer = NO_BYTES;
  view: DataView = NO_VIEW;
  readonly cas: number;
  readonly lease: Lease;

  constructor(cas: number, lease: Lease) {
    super();
    this.cas = cas;
    this.lease = lease;
  }

  get wireStart(): number {
    return this.keyStart;
  }
}

/**
 * Serves a table. No object is made for a key, neither at loading nor at looking up, so ten million
 * keys cost the garbage collector nothing.
 */
class Table implements Storage, Batch, Lease {
  readonly info: DataSetInfo;
  readonly #entry: TableEntry;
  readonly #scanned: TableEntry;
  readonly #hash: HashFunction;
  readonly #onFree: () => void;
  #slots: number;
  #index: Uint32Array;
  #segments: readonly Buffer[];
  /** The same memory as the segments. */
  #views: readonly DataView[];
  /** Where the last key that was asked for lies, and the same memory as a view. */
  #asked: Buffer = NO_BYTES;
  #askedView = NO_VIEW;
  readonly #used: readonly number[];
  /** Of the last `locate`; the last number is of no meaning. */
  readonly #slotsAhead = new Uint32Array(BATCH_KEYS_MAX + 1);
  readonly #tagsAhead = new Uint32Array(BATCH_KEYS_MAX);
  #keysAhead: Buffer = NO_BYTES;
  #boundsAhead: Int32Array = NO_BOUNDS;
  /** Whoever reads from the memory, the table itself among them. */
  #holders = 1;
  #isOpen = true;

  constructor({ layout, place }: TableParts, info: DataSetInfo, onFree: () => void) {
    const { hash, segments, index } = layout;
    const bytesOf = (region: Region, i: number): Buffer =>
      'address' in place
        ? mappedBytes(place.address, region.at, region.bytes)
        : Buffer.from(place.memory[i]);
    const slots = bytesOf(index, segments.length);
    this.info = info;
    this.#onFree = onFree;
    this.#entry = new TableEntry(info.generation, this);
    this.#scanned = new TableEntry(info.generation, this);
    this.#hash = hashFunctionOf(hash);
    this.#slots = index.bytes / 8;
    this.#index = new Uint32Array(slots.buffer, slots.byteOffset, index.bytes / 4);
    this.#segments = segments.map(bytesOf);
    this.#views = this.#segments.map(viewOf);
    this.#used = segments.map(({ bytes }) => bytes);
  }

  get batch(): Batch {
    return this;
  }

  get(key: Buffer, start: number, end: number): Entry | undefined {
    return this.#find(key, start, end) === 0 ? undefined : this.#entry;
  }

  /**
   * A processor waits for many words of memory at the same time when the reads of them are close
   * together and do not depend on each other. So each loop does little but one such read.
   */
  locate(keys: Buffer, bounds: Int32Array, count: number): void {
    const index = this.#index;
    const slots = this.#slotsAhead;
    const tags = this.#tagsAhead;
    const hashOf = this.#hash;
    for (let i = 0; i < count; i++) {
      const hash = hashOf(keys, bounds[2 * i], bounds[2 * i + 1]);
      slots[i] = firstSlot(hash, this.#slots) * 2;
      tags[i] = hash & 0xffff;
    }
    let read = 0;
    for (let i = 0; i < count; i++) read ^= index[slots[i]];
    for (let i = 0; i < count; i++) {
      const at = this.#probe(slots[i], tags[i]);
      slots[i] = at;
      const offset = index[at];
      if (offset === 0) continue;
      const segment = this.#segments[index[at + 1] & 0xffff];
      // A record of 100 bytes lies in two or three lines of the cache.
      read ^= segment[offset] ^ segment[offset + 64] ^ segment[offset + 128];
    }
    // What is not used would not be read.
    slots[BATCH_KEYS_MAX] = read;
    this.#keysAhead = keys;
    this.#boundsAhead = bounds;
  }

  entry(i: number): Entry | undefined {
    const bounds = this.#boundsAhead;
    const slot = this.#slotsAhead[i];
    const tag = this.#tagsAhead[i];
    const place = this.#search(this.#keysAhead, bounds[2 * i], bounds[2 * i + 1], slot, tag);
    return place === 0 ? undefined : this.#entry;
  }

  /** @returns The first slot from `at` on that has the tag or is empty. */
  #probe(first: number, tag: number): number {
    const index = this.#index;
    let at = first;
    while (index[at] !== 0 && index[at + 1] >>> 16 !== tag) {
      at += 2;
      if (at === index.length) at = 0;
    }
    return at;
  }

  /** @returns Where the record's slot is in the index, counted from 1; 0 when there is none. */
  #find(key: Buffer, start: number, end: number): number {
    const hash = this.#hash(key, start, end);
    return this.#search(key, start, end, firstSlot(hash, this.#slots) * 2, hash & 0xffff);
  }

  /** As `#find`, when the slot to begin with and the tag are known. */
  #search(key: Buffer, start: number, end: number, first: number, tag: number): number {
    const index = this.#index;
    if (key !== this.#asked) {
      this.#asked = key;
      this.#askedView = viewOf(key);
    }
    let at = first;
    for (let offset = index[at]; offset !== 0; offset = index[at]) {
      const place = index[at + 1];
      if (place >>> 16 === tag) {
        if (this.#matches(place & 0xffff, offset, start, end)) return at + 1;
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
        record.view = this.#views[number];
        const isShown = this.#isIndexed(segment, number, offset, record);
        const goesOn = !isShown || visit(segment, record.keyStart, record.keyEnd, record) !== false;
        // What is passed over counts: a key may have come a million times.
        left = goesOn ? left - 1 : 0;
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

  /** Compares with the key in the memory that was asked about last. */
  #matches(number: number, offset: number, start: number, end: number): boolean {
    const entry = this.#entry;
    const segment = this.#segments[number];
    const view = this.#views[number];
    entry.readKey(segment, offset);
    const length = end - start;
    if (entry.keyEnd - entry.keyStart !== length) return false;
    if (!equalWords(this.#askedView, start, view, entry.keyStart, length)) return false;
    entry.readValue(segment);
    entry.buffer = segment;
    entry.view = view;
    return true;
  }

  retain(): void {
    this.#holders++;
  }

  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.#onFree();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // One empty slot: the memory goes, and a late `get` is a miss, not a crash.
    this.#slots = 1;
    this.#index = new Uint32Array(2);
    this.#segments = [];
    this.#views = [];
    this.#asked = NO_BYTES;
    this.#askedView = NO_VIEW;
    for (const entry of [this.#entry, this.#scanned]) {
      entry.buffer = NO_BYTES;
      entry.view = NO_VIEW;
    }
    this.release();
  }
}

/** Makes a storage of a table that lies in memory. */
export function openTable(parts: TableParts, info: DataSetInfo): Storage {
  return new Table(parts, info, () => {});
}

/**
 * Makes a storage of a table, in any thread.
 *
 * @param onFree Called once, when the storage is closed and all that was lent of it has been sent: the
 *   map may be closed then.
 * @throws GoromdbError LOADER_FAILED.
 */
export async function openTableIn(
  parts: TableParts,
  info: DataSetInfo,
  onFree: () => void,
): Promise<Storage> {
  if ('address' in parts.place) await loadMapReader();
  return new Table(parts, info, onFree);
}
