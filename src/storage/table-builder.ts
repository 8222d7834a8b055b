import { randomInt } from 'node:crypto';
import { GoromdbError } from '../errors.ts';
import { sumPart } from './checksum.ts';
import { copyWords, viewOf, WORDS_BYTES_MAX, WORDS_SLACK_BYTES } from './copy-words.ts';
import { hashKey } from './hash.ts';
import {
  copyBytes,
  RecordReader,
  recordBytes,
  writeRecordHead,
  writeRecordTail,
} from './record.ts';
import { KEY_BYTES_MAX, type RecordSink, VALUE_BYTES_MAX } from './scanners/scanner.ts';
import { firstSlot, type TableParts } from './table.ts';

/** Bytes of the first segment; each further one doubles, so that small data sets stay small. */
const SEGMENT_BYTES_MIN = 256 * 1024;

/**
 * Bytes of a segment at most, unless it holds a single larger record. Memory that is not written
 * to is not resident, so the unused end of the last segment costs address space only.
 */
const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;

/** A slot has 16 bits for the segment's number: 4 TiB of records. */
const SEGMENTS_MAX = 65_536;

/** Slots for each key. At 1.43 a hit reads 2.2 slots on average and a miss 6, mostly neighbours. */
const SLOTS_PER_KEY = 1 / 0.7;

/** An index may take 4 GiB: the largest view that Node 20 makes. */
const SLOTS_MAX = 2 ** 29 - 1;

/**
 * Probes that one key may need. Honest keys stay below 400 at a hundred million keys and this
 * load; keys that were chosen to collide go beyond it, and another seed is tried.
 */
const PROBES_MAX = 1024;

/** Seeds to try before the keys count as chosen to collide. */
const SEEDS_MAX = 8;

/** Records between two calls of `rest`, a power of two: some ten microseconds of work. */
const REST_RECORDS = 128;

/**
 * Records that are indexed together. The processor then waits for the slots of all of them at the same
 * time: a million keys are indexed in 0.18 s in place of 0.23 (medians of 20 runs each, in turn).
 */
const RECORDS_TOGETHER = 16;

/** Bytes that are summed between two calls of `rest`: a third of a millisecond. */
const SUM_BYTES = 1024 * 1024;

export interface TableBuilderOptions {
  /** Memory that several threads can read; false: memory that can be handed to one thread. */
  readonly shared: boolean;
  /** Bytes that records and index may take together. */
  readonly bytesMax: number;
  /** Called after every {@link REST_RECORDS} records that were added or indexed. */
  readonly rest?: (() => void) | undefined;
}

/** Records whose keys came before. */
export interface Repeats {
  readonly count: number;
  /** The number of the first of them, counted from 0 in the order in which they were added. */
  readonly first: number;
  /** Its key. */
  readonly key: Buffer;
}

interface Segment {
  readonly bytes: Buffer<ArrayBufferLike>;
  /** The same bytes. */
  readonly view: DataView;
  used: number;
}

/** A segment begins at 1: offset 0 marks an empty slot in the index. */
function segmentOf(memory: ArrayBufferLike): Segment {
  const bytes = Buffer.from(memory);
  return { bytes, view: viewOf(bytes), used: 1 };
}

/** Collects records and makes a table of them. Of two records with one key the later one wins. */
export class TableBuilder implements RecordSink {
  readonly #options: TableBuilderOptions;
  readonly #segments: Segment[] = [];
  readonly #other = new RecordReader();
  /** Of the records that are indexed together; the last hash is of no meaning. */
  readonly #offsets = new Uint32Array(RECORDS_TOGETHER);
  readonly #hashes = new Uint32Array(RECORDS_TOGETHER + 1);
  #segment: Segment = segmentOf(new ArrayBuffer(0));
  /** Where the last value came from. Scanners hand over one page after the other in one buffer. */
  #source: Uint8Array = this.#segment.bytes;
  #sourceView: DataView = this.#segment.view;
  #records = 0;
  #repeats: Repeats | undefined;

  constructor(options: TableBuilderOptions) {
    this.#options = options;
  }

  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    flags: number,
  ): void {
    const keyBytes = keyEnd - keyStart;
    const valueBytes = valueEnd - valueStart;
    if (flags >>> 0 !== flags)
      throw new RangeError(`flags are not an unsigned 32-bit number: ${flags}`);
    if (keyBytes > KEY_BYTES_MAX) throw tooLarge('a key', keyBytes, KEY_BYTES_MAX);
    if (valueBytes > VALUE_BYTES_MAX) throw tooLarge('a value', valueBytes, VALUE_BYTES_MAX);
    const bytes = recordBytes(keyBytes, valueBytes, flags);
    if (this.#segment.used + bytes > this.#segment.bytes.length) this.#addSegment(bytes);
    const segment = this.#segment;
    let at = segment.used;
    at = writeRecordHead(segment.bytes, at, key, keyStart, keyEnd, valueBytes, flags);
    at = this.#copyValue(segment, at, value, valueStart, valueEnd);
    segment.used = writeRecordTail(segment.bytes, at);
    this.#records++;
    if (this.#records % REST_RECORDS === 0) this.#options.rest?.();
  }

  /** Indexes what was added. The builder is used up by it. */
  build(): TableParts {
    const slots = this.#slots();
    if (slots > SLOTS_MAX) {
      throw tooLarge('the number of records', this.#records, Math.floor(SLOTS_MAX / SLOTS_PER_KEY));
    }
    const bytes = this.#usedBytes() + slots * 8;
    this.#checkBytes(bytes);
    const index = new Uint32Array(this.#allocate(slots * 8));
    for (let attempt = 1; attempt <= SEEDS_MAX; attempt++) {
      const seed = randomInt(2 ** 32);
      const keys = this.#fillIndex(index, seed);
      if (keys !== undefined) {
        const segments = this.#segments.map((segment) => segment.bytes.buffer);
        const used = this.#segments.map((segment) => segment.used);
        const sums = [
          ...segments.map((memory, i) => this.#sum(memory, used[i])),
          this.#sum(index.buffer, slots * 8),
        ];
        return { segments, used, index: index.buffer, sums, slots, seed, keys, bytes };
      }
      index.fill(0);
    }
    throw new GoromdbError(
      'DATA_CORRUPT',
      `the keys collide in the hash index under ${SEEDS_MAX} random seeds: expected at most ` +
        `${PROBES_MAX} probes for a key; they seem chosen to do so`,
    );
  }

  /** What `build` has found; undefined: every key came once. */
  get repeats(): Repeats | undefined {
    return this.#repeats;
  }

  /**
   * By words where it can be. A million values of 100 bytes make a hundred megabytes of garbage
   * otherwise, which V8 collects with threads of its own beside those that serve.
   */
  #copyValue(
    { bytes, view }: Segment,
    at: number,
    source: Uint8Array,
    start: number,
    end: number,
  ): number {
    const length = end - start;
    const hasSlack =
      end + WORDS_SLACK_BYTES <= source.length && at + length + WORDS_SLACK_BYTES <= bytes.length;
    if (length > WORDS_BYTES_MAX || !hasSlack) return copyBytes(bytes, at, source, start, end);
    if (source !== this.#source) {
      this.#source = source;
      this.#sourceView = viewOf(source);
    }
    copyWords(view, at, this.#sourceView, start, end);
    return at + length;
  }

  #sum(memory: ArrayBufferLike, end: number): number {
    let sum = 0;
    for (let at = 0; at < end; at += SUM_BYTES) {
      sum = sumPart(memory, at, Math.min(end, at + SUM_BYTES), sum);
      this.#options.rest?.();
    }
    return sum;
  }

  /** Always more than there are records, so that a search ends at an empty slot. */
  #slots(): number {
    return Math.max(2, Math.ceil(this.#records * SLOTS_PER_KEY));
  }

  #usedBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.used, 0);
  }

  #addSegment(recordLength: number): void {
    const doubled = Math.min(this.#segment.bytes.length * 2, SEGMENT_BYTES_MAX);
    const length = Math.max(SEGMENT_BYTES_MIN, doubled, recordLength + 1);
    // With the index that these records need, so that a data set which cannot fit fails early.
    this.#checkBytes(this.#usedBytes() + recordLength + this.#slots() * 8);
    if (this.#segments.length === SEGMENTS_MAX) {
      throw tooLarge('the number of segments', SEGMENTS_MAX + 1, SEGMENTS_MAX);
    }
    this.#segment = segmentOf(this.#allocate(length));
    this.#segments.push(this.#segment);
  }

  #allocate(bytes: number): ArrayBufferLike {
    try {
      return this.#options.shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
    } catch (cause) {
      throw new GoromdbError(
        'OUT_OF_MEMORY',
        `not enough memory: expected ${bytes} bytes more beside ${this.#usedBytes()}`,
        { cause },
      );
    }
  }

  #checkBytes(bytes: number): void {
    if (bytes > this.#options.bytesMax) {
      throw tooLarge('the data set in memory (see -memory)', bytes, this.#options.bytesMax);
    }
  }

  /** @returns The number of distinct keys; undefined when a key needs too many probes. */
  #fillIndex(index: Uint32Array, seed: number): number | undefined {
    const record = new RecordReader();
    const { rest } = this.#options;
    let turns = 0;
    let keys = 0;
    let repeats = 0;
    this.#repeats = undefined;
    for (let number = 0; number < this.#segments.length; number++) {
      const { bytes, used } = this.#segments[number];
      for (let next = 1; next < used; ) {
        const count = this.#hashAhead(number, next, seed, index);
        for (let i = 0; i < count; i++) {
          const offset = this.#offsets[i];
          record.readKey(bytes, offset);
          const isNew = this.#insert(index, this.#hashes[i], number, offset, record);
          if (isNew === undefined) return undefined;
          if (isNew) keys++;
          else if (repeats++ === 0) {
            const key = Buffer.from(bytes.subarray(record.keyStart, record.keyEnd));
            this.#repeats = { count: 1, first: keys, key };
          }
        }
        record.readValue(bytes);
        next = record.valueEnd + 2;
        if (++turns % (REST_RECORDS / RECORDS_TOGETHER) === 0) rest?.();
      }
    }
    if (this.#repeats !== undefined) this.#repeats = { ...this.#repeats, count: repeats };
    return keys;
  }

  /**
   * Notes offsets and hashes of the next records of a segment, and has their slots fetched.
   *
   * @returns How many there are.
   */
  #hashAhead(segment: number, start: number, seed: number, index: Uint32Array): number {
    const { bytes, used } = this.#segments[segment];
    const offsets = this.#offsets;
    const hashes = this.#hashes;
    const record = this.#other;
    let count = 0;
    for (let offset = start; count < RECORDS_TOGETHER && offset < used; count++) {
      record.readKey(bytes, offset);
      offsets[count] = offset;
      hashes[count] = hashKey(bytes, record.keyStart, record.keyEnd, seed);
      record.readValue(bytes);
      offset = record.valueEnd + 2;
    }
    let read = 0;
    for (let i = 0; i < count; i++) read ^= index[firstSlot(hashes[i], index.length / 2) * 2];
    // What is not used would not be read.
    hashes[RECORDS_TOGETHER] = read;
    return count;
  }

  /** @returns Whether the key is a new one; undefined when it needs too many probes. */
  #insert(
    index: Uint32Array,
    hash: number,
    segment: number,
    offset: number,
    record: RecordReader,
  ): boolean | undefined {
    const tag = hash & 0xffff;
    let at = firstSlot(hash, index.length / 2) * 2;
    for (let probes = 0; probes < PROBES_MAX; probes++) {
      const isFree = index[at] === 0;
      if (isFree || (index[at + 1] >>> 16 === tag && this.#sameKey(index, at, segment, record))) {
        index[at] = offset;
        index[at + 1] = (tag << 16) | segment;
        return isFree;
      }
      at += 2;
      if (at === index.length) at = 0;
    }
    return undefined;
  }

  #sameKey(index: Uint32Array, at: number, segment: number, record: RecordReader): boolean {
    const { bytes } = this.#segments[segment];
    const other = this.#other;
    const otherBytes = this.#segments[index[at + 1] & 0xffff].bytes;
    other.readKey(otherBytes, index[at]);
    if (other.keyEnd - other.keyStart !== record.keyEnd - record.keyStart) return false;
    return (
      bytes.compare(otherBytes, other.keyStart, other.keyEnd, record.keyStart, record.keyEnd) === 0
    );
  }
}

function tooLarge(what: string, found: number, limit: number): GoromdbError {
  return new GoromdbError(
    'LIMIT_EXCEEDED',
    `${what} is too large: expected at most ${limit}, found ${found}`,
  );
}
