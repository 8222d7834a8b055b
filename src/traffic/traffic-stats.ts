/** What a sending thread counts, in the order of its block. Counters only grow. */
const STAT_NAMES = [
  /** Replies: one for each get or pipeline of meta commands. */
  'requests',
  'keys',
  'hits',
  /** Lines that are no reply to what was asked, such as `ERROR` and `SERVER_ERROR`. */
  'errors',
  'bytesRead',
  /** Replies that were compared byte by byte, and those that were wrong. */
  'checked',
  'wrong',
  'connected',
  /** Connections that ended early. */
  'lost',
] as const;

export type TrafficStats = Record<(typeof STAT_NAMES)[number], number>;

/** Whole cache lines: threads that count at the same time do not take lines from each other. */
const BLOCK_NUMBERS = Math.ceil(STAT_NAMES.length / 8) * 8;

/** Memory shared by the threads that send and the one that reports. */
export function createStatsMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(threads * BLOCK_NUMBERS * 8);
}

/** Counts for one thread, in its block. */
export type StatsAdder = (name: keyof TrafficStats, count: number) => void;

export function statsAdder(memory: SharedArrayBuffer, thread: number): StatsAdder {
  const block = new Float64Array(memory, thread * BLOCK_NUMBERS * 8, BLOCK_NUMBERS);
  const places = Object.fromEntries(STAT_NAMES.map((name, at) => [name, at])) as TrafficStats;
  return (name, count) => {
    block[places[name]] += count;
  };
}

/** The totals of all threads now. */
export function sumStats(memory: SharedArrayBuffer): TrafficStats {
  const sums = new Float64Array(BLOCK_NUMBERS);
  new Float64Array(memory).forEach((number, at) => {
    sums[at % BLOCK_NUMBERS] += number;
  });
  return Object.fromEntries(STAT_NAMES.map((name, at) => [name, sums[at]])) as TrafficStats;
}

/** What was counted between two moments. */
export function difference(from: TrafficStats, to: TrafficStats): TrafficStats {
  const names = STAT_NAMES.map((name) => [name, to[name] - from[name]] as const);
  return Object.fromEntries(names) as TrafficStats;
}
