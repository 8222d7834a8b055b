import { HISTOGRAM_BUCKETS } from './histogram.ts';

/** What a thread that loads counts, in the order of its block. All only grow. */
const STAT_NAMES = [
  /** Replies: one for each get or pipeline of meta commands. */
  'requests',
  'keys',
  'hits',
  /** Lines that are no reply to what was asked, such as `ERROR` and `SERVER_ERROR`. */
  'errors',
  'bytesRead',
  /** Replies that were compared byte by byte with what they should be, and those that were wrong. */
  'checked',
  'wrong',
  'connected',
  /** Connections that ended before they were told to. */
  'lost',
] as const;

export type LoadStats = Record<(typeof STAT_NAMES)[number], number>;

/** Whole cache lines: threads that count at the same time do not take lines from each other. */
const BLOCK_NUMBERS = Math.ceil((STAT_NAMES.length + HISTOGRAM_BUCKETS) / 8) * 8;

/** All counts at one moment. */
export interface LoadSnapshot {
  readonly stats: LoadStats;
  readonly latencies: Float64Array;
}

/** Memory shared by the threads that load and the one that reports. */
export function createLoadMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * BLOCK_NUMBERS * 8);
}

/** One thread's block, for that thread to write. */
export function blockOf(
  memory: SharedArrayBuffer,
  thread: number,
): {
  readonly add: (name: keyof LoadStats, count: number) => void;
  readonly latencies: Float64Array;
} {
  const start = thread * BLOCK_NUMBERS;
  const block = new Float64Array(memory, start * 8, BLOCK_NUMBERS);
  const places = Object.fromEntries(STAT_NAMES.map((name, at) => [name, at])) as LoadStats;
  return {
    add: (name, count) => {
      block[places[name]] += count;
    },
    latencies: block.subarray(STAT_NAMES.length, STAT_NAMES.length + HISTOGRAM_BUCKETS),
  };
}

/** The sums over all threads now. */
export function snapshot(memory: SharedArrayBuffer): LoadSnapshot {
  const all = new Float64Array(memory);
  const sums = new Float64Array(BLOCK_NUMBERS);
  for (let i = 0; i < all.length; i++) sums[i % BLOCK_NUMBERS] += all[i];
  const stats = Object.fromEntries(STAT_NAMES.map((name, at) => [name, sums[at]])) as LoadStats;
  const latencies = sums.subarray(STAT_NAMES.length, STAT_NAMES.length + HISTOGRAM_BUCKETS);
  return { stats, latencies };
}

/** What was counted between two snapshots. */
export function difference(from: LoadSnapshot, to: LoadSnapshot): LoadSnapshot {
  const names = STAT_NAMES.map((name) => [name, to.stats[name] - from.stats[name]] as const);
  return {
    stats: Object.fromEntries(names) as LoadStats,
    latencies: to.latencies.map((count, bucket) => count - from.latencies[bucket]),
  };
}
