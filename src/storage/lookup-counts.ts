import type { LookupFigures } from '../common/status.ts';

/** What asks the storages of a thread, as metrics call it. */
export const ASKERS = ['text', 'meta', 'binary', 'redis', 'forward', 'other'] as const;

/** Where each is in {@link ASKERS}. */
export const ASKER = { text: 0, meta: 1, binary: 2, redis: 3, forward: 4, other: 5 } as const;

/** A data set, which notes how long it took to answer those who asked for its keys. */
export interface Asked {
  /** @param weight Reads that the measured one stands for. */
  took(seconds: number, weight: number): void;
}

/** Who asks now: a thread answers one request at a time. Sessions set it before they look up keys. */
export class Asker {
  at: number = ASKER.other;
  /** The data set in which a key was looked up last. */
  asked: Asked | undefined = undefined;
}

/** Hits and misses of each asker, on whole cache lines of 64 bytes: see `createCounterMemory`. */
const BLOCK_BYTES = Math.ceil((ASKERS.length * 2 * 8) / 64) * 64;

/** Memory for the counts of one data set, to be shared with all threads. */
export function createLookupMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * BLOCK_BYTES);
}

/** Counts one thread's lookups in a data set. Only that thread writes; any may read. */
export class LookupCounts {
  readonly #asker: Asker;
  readonly #counts: Float64Array;
  readonly #asked: Asked | undefined;

  /** @param asked The data set. Default: nobody notes how long its answers take. */
  constructor(memory: SharedArrayBuffer, thread: number, asker: Asker, asked?: Asked) {
    this.#asker = asker;
    this.#asked = asked;
    this.#counts = new Float64Array(memory, thread * BLOCK_BYTES, ASKERS.length * 2);
  }

  count(isHit: boolean): void {
    const asker = this.#asker;
    asker.asked = this.#asked;
    this.#counts[2 * asker.at + (isHit ? 0 : 1)]++;
  }
}

/** The sums of all threads, of those protocols in which keys were looked up. */
export function readLookups(memory: SharedArrayBuffer): readonly LookupFigures[] {
  const words = new Float64Array(memory);
  const sums = ASKERS.map((protocol, asker) => {
    let hits = 0;
    let misses = 0;
    for (let at = 2 * asker; at < words.length; at += BLOCK_BYTES / 8) {
      hits += words[at];
      misses += words[at + 1];
    }
    return { protocol, hits, misses };
  });
  return sums.filter(({ hits, misses }) => hits + misses > 0);
}
