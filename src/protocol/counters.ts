/** What the server counts, in the order of a counter block. The names are memcached's. */
export const COUNTER_NAMES = [
  'curr_connections',
  'total_connections',
  'rejected_connections',
  'idle_kicks',
  'stall_kicks',
  'buffer_kicks',
  'stale_kicks',
  'stale_connections',
  'auth_cmds',
  'auth_errors',
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
  'refused_set',
  'refused_add',
  'refused_replace',
  'refused_append',
  'refused_prepend',
  'refused_cas',
  'refused_incr',
  'refused_decr',
  'refused_delete',
  'refused_touch',
  'refused_flush_all',
  'refused_ms',
  'refused_md',
  'refused_ma',
  'serving_thread_restarts',
  'scrub_passes',
  'scrub_file_faults',
  'scrub_table_faults',
] as const;

export type CounterName = (typeof COUNTER_NAMES)[number];

/** Numbers of one serving thread, by name. */
export type Counters = Record<CounterName, number>;

/**
 * Bytes of one thread's block: whole cache lines (64 bytes), so that threads which count at the
 * same time do not take lines from each other.
 */
const BLOCK_BYTES = Math.ceil((COUNTER_NAMES.length * 8) / 64) * 64;

/** These tell how things stand; a reset leaves them alone. */
const STANDING: ReadonlySet<CounterName> = new Set(['curr_connections', 'stale_connections']);

/**
 * Memory for the counters of some threads, to be shared with all of them: a block for each thread,
 * and behind these a block with the sums at the last reset. The main thread counts too where it
 * watches over others: it is one thread more, the last.
 */
export function createCounterMemory(threads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(BLOCK_BYTES * (threads + 1));
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

/** Counts keys that were asked for. */
export function countGets(counters: Counters, hits: number, misses: number): void {
  counters.cmd_get += hits + misses;
  counters.get_hits += hits;
  counters.get_misses += misses;
}

/** Counts keys that were touched: to memcached these are not also keys that were got. */
export function countTouches(counters: Counters, hits: number, misses: number): void {
  counters.cmd_touch += hits + misses;
  counters.touch_hits += hits;
  counters.touch_misses += misses;
}

/** A thread has ended: nothing of what its counters say of the moment is so any more. */
export function clearStanding(memory: SharedArrayBuffer, thread: number): void {
  const counters = countersOf(memory, thread);
  for (const name of STANDING) counters[name] = 0;
}

/** The sums over all threads since the last reset. */
export function sumCounters(memory: SharedArrayBuffer): Counters {
  const sums = totals(memory);
  const before = baseline(memory);
  return Object.fromEntries(
    COUNTER_NAMES.map((name, at) => [name, sums[at] - before[at]]),
  ) as Counters;
}

/**
 * Makes the sums begin again at 0. No thread may write another one's counters, so what is reset is
 * not these but what is subtracted from them. Two threads that reset at once write the same
 * numbers, but for what was counted in between.
 */
export function resetCounters(memory: SharedArrayBuffer): void {
  const sums = totals(memory);
  const before = baseline(memory);
  COUNTER_NAMES.forEach((name, at) => {
    if (!STANDING.has(name)) before[at] = sums[at];
  });
}

/** The sums over all threads since the start. */
function totals(memory: SharedArrayBuffer): Float64Array {
  const sums = new Float64Array(COUNTER_NAMES.length);
  for (let at = 0; at < memory.byteLength - BLOCK_BYTES; at += BLOCK_BYTES) {
    const block = new Float64Array(memory, at, COUNTER_NAMES.length);
    for (let i = 0; i < sums.length; i++) sums[i] += block[i];
  }
  return sums;
}

/** The block with what the sums were at the last reset. */
function baseline(memory: SharedArrayBuffer): Float64Array {
  return new Float64Array(memory, memory.byteLength - BLOCK_BYTES, COUNTER_NAMES.length);
}
