import type { Histogram } from '../../common/status.ts';
import type { Asked } from '../../storage/lookup-counts.ts';
import { record, sumOf, wordsOf } from './histogram.ts';
import { DURATION_BOUNDS } from './request-meter.ts';

const WORDS = wordsOf(DURATION_BOUNDS);
/** In whole cache lines of 64 bytes: see `createCounterMemory`. */
const BLOCK_BYTES = Math.ceil((WORDS * 8) / 64) * 64;

/** Memory for the durations of one data set, to be shared with all threads. */
export function createDurationMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * BLOCK_BYTES);
}

function wordsIn(memory: SharedArrayBuffer, thread: number): Float64Array {
  return new Float64Array(memory, thread * BLOCK_BYTES, WORDS);
}

/** Notes how long one thread's answers from a data set took. Only that thread writes; any may read. */
export class SetDurations implements Asked {
  readonly #words: Float64Array;

  constructor(memory: SharedArrayBuffer, thread: number) {
    this.#words = wordsIn(memory, thread);
  }

  took(seconds: number, weight: number): void {
    record(this.#words, DURATION_BOUNDS, seconds, weight);
  }
}

/** What all threads have noted. */
export function readDurations(memory: SharedArrayBuffer): Histogram {
  const threads = Array.from({ length: memory.byteLength / BLOCK_BYTES }, (_, i) => i);
  return sumOf(
    threads.map((thread) => wordsIn(memory, thread)),
    DURATION_BOUNDS,
  );
}
