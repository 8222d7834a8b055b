import process from 'node:process';
import type { LookupCounts } from './lookup-counts.ts';
import type { Batch, DataSetInfo, Entry, Storage } from './storage.ts';

/** Lookups that are kept, of all threads together. */
const ENTRIES = 8_192;
/** And of one thread at least. */
const ENTRIES_MIN = 512;
/** How far back a sample goes, in seconds: so long does a full one last. */
export const SAMPLE_WINDOW_SECONDS = 300;
/** Lookups of longer keys are not sampled: memcached's clients cannot ask for them. */
const KEY_BYTES_MAX = 250;

/** An entry: its state, the time of the lookup in seconds, the key. */
const STATE = 0;
const TIME = 1;
const KEY_START = 8;
const ENTRY_BYTES = KEY_START + 256;
const ENTRY_WORDS = ENTRY_BYTES / 4;

/** Bits of the state; below them is the key's length, above them a number that changes each time. */
const IS_HIT = 1 << 8;
const IS_THERE = 1 << 9;
const LENGTH_MASK = 0xff;
const TURN_SHIFT = 16;
const TURN_MASK = 0x7fff;

/** Lookups between two samples before the first rate is known. */
const FIRST_GAP = 64;

const NO_KEYS = Buffer.alloc(0);
const NO_BOUNDS = new Int32Array(0);

/** A lookup that a client made. */
export interface SampledLookup {
  readonly key: Buffer;
  readonly wasHit: boolean;
}

/** Memory for the samples of some threads, to be shared with all of them. */
export function createSampleMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * entriesOf(threads) * ENTRY_BYTES);
}

function entriesOf(threads: number): number {
  return Math.max(ENTRIES_MIN, Math.floor(ENTRIES / threads));
}

/** Seconds on a clock that all threads of the process share and that never goes back. */
function nowSeconds(): number {
  return process.hrtime()[0];
}

/**
 * Keeps a sample of one thread's lookups: about as many in each second as fill the memory in the
 * window, each lookup of that second with the same chance. To a lookup it adds a call and a
 * countdown, which could not be distinguished from noise: 150 to 250 ns a lookup among 500 keys,
 * and around 700 ns among 100,000, with it now faster and now slower than without (2026-11-21).
 */
export class LookupSampler {
  /** Lookups until the next one that is kept. */
  left = FIRST_GAP;
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #entries: number;
  readonly #perSecond: number;
  #gap = FIRST_GAP;
  /** What `left` has been set to, in sum, since the last tick. */
  #granted = FIRST_GAP;
  #next = 0;
  #turn = 0;
  #seconds = nowSeconds();

  /** @param threads Of how many this is one. */
  constructor(memory: SharedArrayBuffer, thread: number, threads: number) {
    this.#entries = entriesOf(threads);
    const start = thread * this.#entries * ENTRY_BYTES;
    this.#words = new Int32Array(memory, start, this.#entries * ENTRY_WORDS);
    this.#bytes = Buffer.from(memory, start, this.#entries * ENTRY_BYTES);
    this.#perSecond = this.#entries / SAMPLE_WINDOW_SECONDS;
  }

  /** The same storage, its lookups sampled and counted. */
  observe(storage: Storage, counts: LookupCounts): Storage {
    return new ObservedStorage(storage, this, counts);
  }

  /** To be called once a second: sets the clock, and the gap by how much was asked for. */
  tick(): void {
    const lookups = this.#granted - this.left;
    this.#gap = Math.max(1, Math.round(lookups / this.#perSecond));
    this.#seconds = nowSeconds();
    this.#granted = 0;
    this.#grant();
  }

  /** Keeps a lookup, when `left` has come to 0. */
  take(key: Buffer, start: number, end: number, isHit: boolean): void {
    this.#grant();
    const length = end - start;
    if (length > KEY_BYTES_MAX) return;
    const words = this.#words;
    const at = this.#next * ENTRY_WORDS;
    this.#next = (this.#next + 1) % this.#entries;
    this.#turn = (this.#turn + 1) & TURN_MASK;
    // Who reads an entry that changes meanwhile sees by the state that it did.
    Atomics.store(words, at + STATE, 0);
    Atomics.store(words, at + TIME, this.#seconds);
    key.copy(this.#bytes, at * 4 + KEY_START, start, end);
    const state = (this.#turn << TURN_SHIFT) | IS_THERE | (isHit ? IS_HIT : 0) | length;
    Atomics.store(words, at + STATE, state);
  }

  /** A random gap: clients that ask for the same keys in turn would be seen in part only. */
  #grant(): void {
    this.left = 1 + Math.floor(Math.random() * (2 * this.#gap - 1));
    this.#granted += this.left;
  }
}

class ObservedStorage implements Storage {
  readonly info: DataSetInfo;
  readonly scan: Storage['scan'];
  readonly batch: Batch | undefined;
  readonly #storage: Storage;
  readonly #sampler: LookupSampler;
  readonly #counts: LookupCounts;

  constructor(storage: Storage, sampler: LookupSampler, counts: LookupCounts) {
    this.info = storage.info;
    this.scan = storage.scan?.bind(storage);
    this.batch = storage.batch && new ObservedBatch(storage.batch, sampler, counts);
    this.#storage = storage;
    this.#sampler = sampler;
    this.#counts = counts;
  }

  get(key: Buffer, start: number, end: number): Entry | undefined {
    const entry = this.#storage.get(key, start, end);
    const sampler = this.#sampler;
    this.#counts.count(entry !== undefined);
    if (--sampler.left === 0) sampler.take(key, start, end, entry !== undefined);
    return entry;
  }

  close(): void {
    this.#storage.close();
  }
}

class ObservedBatch implements Batch {
  readonly #batch: Batch;
  readonly #sampler: LookupSampler;
  readonly #counts: LookupCounts;
  #keys: Buffer = NO_KEYS;
  #bounds: Int32Array = NO_BOUNDS;

  constructor(batch: Batch, sampler: LookupSampler, counts: LookupCounts) {
    this.#batch = batch;
    this.#sampler = sampler;
    this.#counts = counts;
  }

  locate(keys: Buffer, bounds: Int32Array, count: number): void {
    this.#keys = keys;
    this.#bounds = bounds;
    this.#batch.locate(keys, bounds, count);
  }

  entry(i: number): Entry | undefined {
    const entry = this.#batch.entry(i);
    this.#counts.count(entry !== undefined);
    const sampler = this.#sampler;
    if (--sampler.left === 0) {
      const bounds = this.#bounds;
      sampler.take(this.#keys, bounds[2 * i], bounds[2 * i + 1], entry !== undefined);
    }
    return entry;
  }
}

/** The lookups that all threads have sampled in the window, in no order. */
export function readSample(memory: SharedArrayBuffer): readonly SampledLookup[] {
  const words = new Int32Array(memory);
  const bytes = Buffer.from(memory);
  const oldest = nowSeconds() - SAMPLE_WINDOW_SECONDS;
  const sample: SampledLookup[] = [];
  for (let at = 0; at < words.length; at += ENTRY_WORDS) {
    const state = Atomics.load(words, at + STATE);
    if (state === 0 || Atomics.load(words, at + TIME) < oldest) continue;
    const start = at * 4 + KEY_START;
    const key = Buffer.from(bytes.subarray(start, start + (state & LENGTH_MASK)));
    if (Atomics.load(words, at + STATE) === state) {
      sample.push({ key, wasHit: (state & IS_HIT) !== 0 });
    }
  }
  return sample;
}
