/** Finds records in a table's file that is read, not mapped: whatever it holds, and whatever becomes of it. */
import { readAt } from '../scanners/page-file.ts';
import { KEY_BYTES_MAX, type ScanInput } from '../scanners/scanner.ts';
import { firstSlot, type HashFunction, hashFunctionOf } from './hash.ts';
import { RecordChecker } from './record-check.ts';
import { allocateSlots, PROBES_MAX } from './table-index.ts';
import type { TableLayout } from './table-layout.ts';

/** Slots of one read, when the index is not held. */
const WINDOW_SLOTS = 512;

/** Bytes of a read for a record that lies anywhere, and at most where records are asked for in their order. */
const BLOCK_BYTES_MIN = 4 * 1024;
const BLOCK_BYTES_MAX = 256 * 1024;

/** More than a record without its value. */
const HEAD_BYTES_MAX = KEY_BYTES_MAX + 64;

/** The largest tag, and one more. */
const TAGS = 0x10000;

/**
 * Searches as `Table` does, and takes nothing for granted: a slot that leads to no record with the key
 * is passed over. After `find` it says where the record lies; the bytes are lent until the next one.
 */
export class TableSearch {
  bytes: Buffer = Buffer.alloc(0);
  readonly record = new RecordChecker();
  readonly layout: TableLayout;
  readonly #input: ScanInput;
  readonly #hash: HashFunction;
  readonly #slots: number;
  #words: Uint32Array = new Uint32Array(0);
  /** The slot that the words begin with. */
  #firstSlot = 0;
  readonly #memory = Buffer.allocUnsafeSlow(BLOCK_BYTES_MAX);
  #block: Buffer = this.#memory.subarray(0, 0);
  #blockSegment = -1;
  #blockAt = 0;
  #blockBytes = BLOCK_BYTES_MIN;

  /**
   * @param layout What the file's head says: see `readHead`.
   * @param holdsIndex Whether the index is read into memory, for many keys.
   * @throws GoromdbError OUT_OF_MEMORY, DATA_CORRUPT, FILE_UNREADABLE.
   */
  constructor(input: ScanInput, layout: TableLayout, holdsIndex: boolean) {
    this.layout = layout;
    this.#input = input;
    this.#hash = hashFunctionOf(layout.hash);
    this.#slots = layout.index.bytes / 8;
    if (holdsIndex) this.#readSlots(0, this.#slots);
  }

  /**
   * Looks for the key in key[start, end).
   *
   * @returns Where its record begins, as segment × 2^32 + offset; -1 when there is none.
   * @throws GoromdbError DATA_CORRUPT when the file is shorter than its head says, FILE_UNREADABLE.
   */
  find(key: Uint8Array, start: number, end: number): number {
    const hash = this.#hash(key, start, end);
    const tag = hash % TAGS;
    let slot = firstSlot(hash, this.#slots);
    for (let probes = 0; probes < PROBES_MAX; probes++) {
      const at = this.#wordOf(slot);
      const offset = this.#words[at];
      const place = this.#words[at + 1];
      if (offset === 0) return -1;
      if (place >>> 16 === tag && this.#isKeyAt(place & 0xffff, offset, key, start, end)) {
        return (place & 0xffff) * 2 ** 32 + offset;
      }
      slot = slot + 1 === this.#slots ? 0 : slot + 1;
    }
    return -1;
  }

  #wordOf(slot: number): number {
    const held = this.#words.length / 2;
    if (slot < this.#firstSlot || slot >= this.#firstSlot + held) {
      this.#readSlots(slot, Math.min(WINDOW_SLOTS, this.#slots - slot));
    }
    return (slot - this.#firstSlot) * 2;
  }

  #readSlots(first: number, count: number): void {
    if (this.#words.length !== count * 2) this.#words = allocateSlots(count);
    const bytes = Buffer.from(this.#words.buffer);
    readAt(this.#input, bytes, 0, bytes.length, this.layout.index.at + first * 8);
    this.#firstSlot = first;
  }

  #isKeyAt(segment: number, offset: number, key: Uint8Array, start: number, end: number): boolean {
    const { record } = this;
    return (
      this.#read(segment, offset) &&
      this.bytes.compare(key, start, end, record.keyStart, record.keyEnd) === 0
    );
  }

  /** @returns Whether a whole record is there. */
  #read(segment: number, offset: number): boolean {
    const region = this.layout.segments[segment];
    if (region === undefined || offset >= region.bytes) return false;
    const at = this.#blockWith(segment, offset, 1);
    const { record } = this;
    if (record.read(this.#block, at, this.#block.length)) return this.#take(this.#block);
    if (record.fault !== undefined) return false;
    // It goes beyond the end of the block; its head says how long it is.
    if (record.valueEnd === 0) {
      const again = this.#blockWith(segment, offset, HEAD_BYTES_MAX);
      if (record.read(this.#block, again, this.#block.length)) return this.#take(this.#block);
      if (record.fault !== undefined || record.valueEnd === 0) return false;
      return this.#readLong(segment, offset, record.valueEnd + 2 - again);
    }
    return this.#readLong(segment, offset, record.valueEnd + 2 - at);
  }

  #readLong(segment: number, offset: number, bytes: number): boolean {
    const region = this.layout.segments[segment];
    if (bytes > region.bytes - offset) return false;
    const long = Buffer.allocUnsafeSlow(bytes);
    readAt(this.#input, long, 0, bytes, region.at + offset);
    return this.record.read(long, 0, bytes) && this.#take(long);
  }

  #take(bytes: Buffer): true {
    this.bytes = bytes;
    return true;
  }

  /**
   * Has a block that begins at or before the offset, and reaches so many bytes further, or to the end of
   * the segment. Blocks grow as long as each record is asked for a little behind the one before.
   *
   * @returns Where in the block the offset is.
   */
  #blockWith(segment: number, offset: number, bytes: number): number {
    const region = this.layout.segments[segment];
    const end = Math.min(offset + bytes, region.bytes);
    const blockEnd = this.#blockAt + this.#block.length;
    const isSame = segment === this.#blockSegment;
    if (isSame && offset >= this.#blockAt && end <= blockEnd) return offset - this.#blockAt;
    const isNext = isSame && offset >= this.#blockAt && offset <= blockEnd + BLOCK_BYTES_MIN;
    this.#blockBytes = isNext
      ? Math.min(this.#blockBytes * 2, BLOCK_BYTES_MAX)
      : Math.max(BLOCK_BYTES_MIN, bytes);
    const length = Math.min(Math.max(this.#blockBytes, bytes), region.bytes - offset);
    this.#block = this.#memory.subarray(0, length);
    this.#blockSegment = -1;
    readAt(this.#input, this.#block, 0, length, region.at + offset);
    this.#blockSegment = segment;
    this.#blockAt = offset;
    return 0;
  }
}
