/** Makes the hash index of records that were packed: see `TableLayout`. */
import { createHash } from 'node:crypto';
import { GoromdbError } from '../../common/errors.ts';
import { RecordReader } from '../record.ts';
import { FAST_HASH, firstSlot, type HashFunction, type HashSpec, hashFunctionOf } from './hash.ts';
import { tooLarge } from './record-packer.ts';
import { SLOTS_MAX } from './table-layout.ts';

/** Slots for each key. At 1.43 a hit reads 2.2 slots on average and a miss 6, mostly neighbours. */
const SLOTS_PER_KEY = 1 / 0.7;

/**
 * Slots that a search may look at, whether it finds its key or not. Honest keys stay below 400 at a
 * hundred million keys and this load; keys that were chosen to collide, or to fill slots side by side,
 * go beyond it, and the other hash is taken.
 */
export const PROBES_MAX = 1024;

/**
 * Keys that may be compared while so many records are indexed. A record whose key came before needs
 * one comparison, any other one hardly ever: the tags are different in all but one of 30,000. A
 * thousand keys of one hash need half a million, so a file of such
 * groups would take hours.
 */
export function comparesMax(records: number): number {
  return 2 * records + 1024 * PROBES_MAX;
}

/**
 * Records that are indexed together. The processor then waits for the slots of all of them at the same
 * time: a million keys are indexed in 0.18 s in place of 0.23 (medians of 20 runs each, in turn,
 * 2026-11-21).
 */
const RECORDS_TOGETHER = 16;

/** A stretch of whole records. */
export interface RecordBlock {
  readonly segment: number;
  /** Where in the segment the block's memory begins. */
  readonly base: number;
  readonly bytes: Buffer<ArrayBufferLike>;
  /** Where its records begin and end in `bytes`. */
  readonly start: number;
  readonly end: number;
}

/** Where a key lies. The memory is lent until the next one is asked for. */
export interface KeyPlace {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** All records of a table to be, in the order in which they were added. */
export interface PackedRecords {
  readonly count: number;
  /** Block after block, each lent until the next one is asked for. Can be walked again. */
  blocks(): Iterable<RecordBlock>;
  /** The key of the record at an offset of a segment; not of the block that was given last. */
  keyAt(segment: number, offset: number): KeyPlace;
}

/** Records whose keys came before. */
export interface Repeats {
  readonly count: number;
  /** The number of the first of them, counted from 0 in the order in which they were added. */
  readonly first: number;
  /** Its key. */
  readonly key: Buffer;
}

export interface TableIndex {
  readonly hash: HashSpec;
  /** Two words for each slot. */
  readonly words: Uint32Array<ArrayBuffer>;
  readonly keys: number;
  /** Undefined: every key came once. */
  readonly repeats: Repeats | undefined;
}

/** Slots for so many records: always more than there are, so that a search ends at an empty one. */
function slotsFor(records: number): number {
  return Math.max(2, Math.ceil(records * SLOTS_PER_KEY));
}

/**
 * Indexes records; of two with one key the later one wins.
 *
 * @param firsts Gets a bit for each record whose key did not come before.
 * @throws GoromdbError LIMIT_EXCEEDED, OUT_OF_MEMORY; DATA_CORRUPT when keys collide in both hashes.
 */
export function buildIndex(records: PackedRecords, firsts?: Uint8Array): TableIndex {
  const slots = slotsFor(records.count);
  if (slots > SLOTS_MAX) {
    throw tooLarge('the number of records', records.count, Math.floor(SLOTS_MAX / SLOTS_PER_KEY));
  }
  const words = allocateSlots(slots);
  const fast = new IndexFiller(words, FAST_HASH, records).fill(firsts);
  if (fast !== undefined) return { hash: FAST_HASH, words, ...fast };
  words.fill(0);
  firsts?.fill(0);
  const hash: HashSpec = { kind: 'halfsiphash', key: secretOf(records) };
  const safe = new IndexFiller(words, hash, records).fill(firsts);
  if (safe !== undefined) return { hash, words, ...safe };
  throw new GoromdbError(
    'DATA_CORRUPT',
    `the keys collide in the hash index under two hashes: expected at most ${PROBES_MAX} probes for ` +
      'a key; they seem chosen to do so',
  );
}

/** @throws GoromdbError OUT_OF_MEMORY. */
export function allocateSlots(slots: number): Uint32Array<ArrayBuffer> {
  try {
    return new Uint32Array(slots * 2);
  } catch (cause) {
    const message = `not enough memory for the index: expected ${slots * 8} bytes`;
    throw new GoromdbError('OUT_OF_MEMORY', message, { cause });
  }
}

/** Counts the slots that are in use, and those of the longest row of them side by side. */
export function usedSlots(words: Uint32Array): { readonly used: number; readonly side: number } {
  let used = 0;
  let side = 0;
  let row = 0;
  let first: number | undefined;
  for (let at = 0; at < words.length; at += 2) {
    if (words[at] !== 0) {
      used++;
      row++;
    } else {
      side = Math.max(side, row);
      first ??= row;
      row = 0;
    }
  }
  // The first slot is beside the last one.
  return { used, side: Math.max(side, row + (first ?? 0)) };
}

/** Nobody can choose keys for a secret that comes from all of them. */
function secretOf(records: PackedRecords): readonly [number, number] {
  const sha256 = createHash('sha256');
  for (const { bytes, start, end } of records.blocks()) sha256.update(bytes.subarray(start, end));
  const digest = sha256.digest();
  return [digest.readUInt32LE(0), digest.readUInt32LE(4)];
}

class IndexFiller {
  readonly #words: Uint32Array;
  readonly #slots: number;
  readonly #hash: HashFunction;
  readonly #records: PackedRecords;
  readonly #reader = new RecordReader();
  /** Of the records that are indexed together; the last hash is of no meaning. */
  readonly #starts = new Uint32Array(RECORDS_TOGETHER);
  readonly #hashes = new Uint32Array(RECORDS_TOGETHER + 1);
  /** Where the keys of the block begin and end that were hashed last. */
  readonly #keys = new Uint32Array(2 * RECORDS_TOGETHER);
  #comparesLeft: number;

  constructor(words: Uint32Array, hash: HashSpec, records: PackedRecords) {
    this.#words = words;
    this.#slots = words.length / 2;
    this.#hash = hashFunctionOf(hash);
    this.#records = records;
    this.#comparesLeft = comparesMax(records.count);
  }

  /** @returns undefined when searches would look at too many slots or keys. */
  fill(
    firsts: Uint8Array | undefined,
  ): { readonly keys: number; readonly repeats: Repeats | undefined } | undefined {
    let keys = 0;
    let first: Omit<Repeats, 'count'> | undefined;
    let count = 0;
    for (const block of this.#records.blocks()) {
      for (let next = block.start; next < block.end; ) {
        const together = this.#hashAhead(block, next);
        for (let i = 0; i < together; i++) {
          const isNew = this.#insert(block, i);
          if (isNew === undefined) return undefined;
          const record = keys + count;
          if (isNew) {
            keys++;
            if (firsts !== undefined) firsts[record >> 3] |= 1 << (record & 7);
          } else if (count++ === 0)
            first = { first: keys, key: Buffer.from(this.#keyOf(block, i)) };
        }
        next = this.#reader.valueEnd + 2;
      }
    }
    if (usedSlots(this.#words).side >= PROBES_MAX) return undefined;
    return { keys, repeats: first && { ...first, count } };
  }

  #keyOf({ bytes }: RecordBlock, i: number): Buffer {
    return bytes.subarray(this.#keys[2 * i], this.#keys[2 * i + 1]);
  }

  /**
   * Notes places and hashes of the next records of a block, and has their slots fetched.
   *
   * @returns How many there are.
   */
  #hashAhead({ bytes, end }: RecordBlock, start: number): number {
    const hashes = this.#hashes;
    const reader = this.#reader;
    let count = 0;
    for (let at = start; count < RECORDS_TOGETHER && at < end; count++) {
      reader.readKey(bytes, at);
      this.#starts[count] = at;
      this.#keys[2 * count] = reader.keyStart;
      this.#keys[2 * count + 1] = reader.keyEnd;
      hashes[count] = this.#hash(bytes, reader.keyStart, reader.keyEnd);
      reader.readValue(bytes);
      at = reader.valueEnd + 2;
    }
    let read = 0;
    for (let i = 0; i < count; i++) read ^= this.#words[firstSlot(hashes[i], this.#slots) * 2];
    // What is not used would not be read.
    hashes[RECORDS_TOGETHER] = read;
    return count;
  }

  /**
   * @returns Whether the key is a new one; undefined when that takes too many probes or comparisons.
   */
  #insert(block: RecordBlock, i: number): boolean | undefined {
    const words = this.#words;
    const hash = this.#hashes[i];
    const tag = hash & 0xffff;
    let at = firstSlot(hash, this.#slots) * 2;
    for (let probes = 0; probes < PROBES_MAX; probes++) {
      const isFree = words[at] === 0;
      const isLike = !isFree && words[at + 1] >>> 16 === tag;
      if (isLike && this.#comparesLeft-- === 0) return undefined;
      if (isFree || (isLike && this.#isSameKey(at, block, i))) {
        words[at] = block.base + this.#starts[i];
        words[at + 1] = (tag << 16) | block.segment;
        return isFree;
      }
      at += 2;
      if (at === words.length) at = 0;
    }
    return undefined;
  }

  #isSameKey(slot: number, block: RecordBlock, i: number): boolean {
    const segment = this.#words[slot + 1] & 0xffff;
    const other = this.#otherKey(segment, this.#words[slot], block);
    const start = this.#keys[2 * i];
    const end = this.#keys[2 * i + 1];
    return (
      other.end - other.start === end - start &&
      block.bytes.compare(other.bytes, other.start, other.end, start, end) === 0
    );
  }

  #otherKey(segment: number, offset: number, block: RecordBlock): KeyPlace {
    const at = offset - block.base;
    if (segment !== block.segment || at < block.start) return this.#records.keyAt(segment, offset);
    const reader = new RecordReader();
    reader.readKey(block.bytes, at);
    return { bytes: block.bytes, start: reader.keyStart, end: reader.keyEnd };
  }
}
