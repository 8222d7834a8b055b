import type { RequestFigures } from '../../common/status.ts';
import { ASKERS, type Asked, type Asker } from '../../storage/lookup-counts.ts';
import { record, sumOf, wordsOf } from './histogram.ts';
import type { SlowLog } from './slow-log.ts';

/** Upper bounds of the buckets of durations, in seconds. A single get takes some 10 µs. */
export const DURATION_BOUNDS = [
  5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5,
];
/** And of sizes, in bytes. One read takes 64 KiB at most. */
const SIZE_BOUNDS = [32, 64, 128, 256, 512, 1024, 4096, 16_384, 65_536];

/** So many reads are measured in a second, about; with fewer, each one is. */
const SAMPLES_PER_SECOND = 500;

const DURATION_WORDS = wordsOf(DURATION_BOUNDS);
const ASKER_WORDS = DURATION_WORDS + wordsOf(SIZE_BOUNDS);
/** Words of memory that a thread's meter takes. */
export const REQUEST_WORDS = ASKERS.length * ASKER_WORDS;

/** A read that is measured. */
export interface Sample {
  readonly startMs: number;
  readonly bytes: number;
  /** Reads that it is one of. */
  readonly weight: number;
  /** Who asked, once that is known. */
  asker: number;
  /** And for what: of several data sets the last one. */
  asked: Asked | undefined;
}

/**
 * Measures how long a thread takes from the moment that it has read from a client until the whole
 * reply is given to the system. Which reads are measured is random, so that the clock and the memory
 * cost next to nothing: a read that is not measured costs a countdown. Each one that is counts for those
 * since the last, so counts are those of all reads.
 */
export class RequestMeter {
  /** Reads until the next one that is measured. */
  left = 1;
  readonly #words: Float64Array;
  readonly #asker: Asker;
  readonly #slow: SlowLog | undefined;
  #gap = 1;
  #granted = 1;
  /** Reads since the last tick that were measured, or stood for. */
  #reads = 0;

  /** @param slow Undefined: no request is logged. */
  constructor(words: Float64Array, asker: Asker, slow: SlowLog | undefined) {
    this.#words = words;
    this.#asker = asker;
    this.#slow = slow;
  }

  /** Begins to measure a read, when `left` has come to 0. @param bytes That it brought. */
  begin(bytes: number): Sample {
    // It may have come when a connection could not be measured: then the next one counts for more.
    const weight = this.#granted - this.left;
    this.#reads += weight;
    this.#granted = 1 + Math.floor(Math.random() * (2 * this.#gap - 1));
    this.left = this.#granted;
    this.#asker.asked = undefined;
    return { startMs: performance.now(), bytes, weight, asker: this.#asker.at, asked: undefined };
  }

  /** Who has asked since `begin`, and for what. */
  identify(sample: Sample): void {
    sample.asker = this.#asker.at;
    sample.asked = this.#asker.asked;
  }

  /** All that was asked is answered. @param whose The connection. */
  end(sample: Sample, whose: { readonly client: string | undefined }): void {
    const { startMs, bytes, weight, asker, asked } = sample;
    const seconds = (performance.now() - startMs) / 1000;
    const at = asker * ASKER_WORDS;
    record(this.#words.subarray(at, at + DURATION_WORDS), DURATION_BOUNDS, seconds, weight);
    record(this.#words.subarray(at + DURATION_WORDS, at + ASKER_WORDS), SIZE_BOUNDS, bytes, weight);
    asked?.took(seconds, weight);
    this.#slow?.note(sample, seconds, whose);
  }

  /** To be called once a second. */
  tick(): void {
    this.#gap = Math.max(1, Math.round(this.#reads / SAMPLES_PER_SECOND));
    this.#reads = 0;
  }
}

/** What threads have measured, by protocol, of those that were spoken. */
export function readRequests(threads: readonly Float64Array[]): readonly RequestFigures[] {
  return ASKERS.flatMap((protocol, asker) => {
    const at = asker * ASKER_WORDS;
    const part = (from: number, end: number): readonly Float64Array[] =>
      threads.map((words) => words.subarray(at + from, at + end));
    const duration = sumOf(part(0, DURATION_WORDS), DURATION_BOUNDS);
    const size = sumOf(part(DURATION_WORDS, ASKER_WORDS), SIZE_BOUNDS);
    return duration.count === 0 ? [] : [{ protocol, duration, size }];
  });
}
