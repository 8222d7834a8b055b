/** What the server counts, in the order of a counter block. The names are memcached's. */
export const COUNTER_NAMES = [
  'curr_connections',
  'total_connections',
  'rejected_connections',
  'cmd_get',
  'cmd_set',
  'cmd_flush',
  'cmd_touch',
  'cmd_meta',
  'get_hits',
  'get_misses',
  'touch_hits',
  'touch_misses',
  'delete_misses',
  'incr_misses',
  'decr_misses',
  'bytes_read',
  'bytes_written',
  'conn_yields',
  'protocol_errors',
] as const;

export type CounterName = (typeof COUNTER_NAMES)[number];

/** Numbers of one serving thread, by name. */
export type Counters = Record<CounterName, number>;

/**
 * Bytes of one thread's block: whole cache lines (64 bytes), so that threads which count at the
 * same time do not take lines from each other.
 */
const BLOCK_BYTES = Math.ceil((COUNTER_NAMES.length * 8) / 64) * 64;

/** Memory for the counters of some threads, to be shared with all of them. */
export function createCounterMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(BLOCK_BYTES * threads);
}

/**
 * The counters of one thread. Only that thread may write; any may read. An aligned 64-bit word is
 * loaded and stored whole on the machines that Node runs on, so a reader sees no torn number, and
 * a double counts exactly to 2^53.
 */
export function countersOf(memory: SharedArrayBuffer, thread: number): Counters {
  const block = new Float64Array(memory, BLOCK_BYTES * thread, COUNTER_NAMES.length);
  return COUNTER_NAMES.reduce(
    (counters, name, at) =>
      Object.defineProperty(counters, name, {
        get: () => block[at],
        set: (value: number) => {
          block[at] = value;
        },
      }),
    {} as Counters,
  );
}

/** The sum over all threads. */
export function sumCounters(memory: SharedArrayBuffer): Counters {
  const threads = memory.byteLength / BLOCK_BYTES;
  const sum = Object.fromEntries(COUNTER_NAMES.map((name) => [name, 0])) as Counters;
  for (let thread = 0; thread < threads; thread++) {
    const counters = countersOf(memory, thread);
    for (const name of COUNTER_NAMES) sum[name] += counters[name];
  }
  return sum;
}
