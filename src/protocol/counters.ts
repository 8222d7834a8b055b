import type { DataSetCounter, Metric } from '../common/status.ts';

type Declaration = readonly [kind: Metric['kind'], help: string];

const write = (command: string): Declaration => [
  'counter',
  `Refused writes that count as memcached's ${command}, in all protocols.`,
];

/**
 * What the server counts: the name that `stats` and `Goromdb.counters` have for it, memcached's where
 * it has one, and what it means. The order is that of a counter block.
 */
export const COUNTERS = {
  curr_connections: ['gauge', 'Open connections.'],
  total_connections: ['counter', 'Connections since the start, also those that were rejected.'],
  rejected_connections: ['counter', 'Connections above the limit, or from addresses not allowed.'],
  idle_kicks: ['counter', 'Connections closed after -idle-timeout.'],
  stall_kicks: ['counter', 'Connections closed after -stall-timeout.'],
  buffer_kicks: ['counter', 'Connections closed by -buffer-limit or -conn-buffer-limit.'],
  stale_kicks: ['counter', 'Connections closed after -stale-timeout.'],
  fault_kicks: ['counter', 'Connections closed because a request failed in the server.'],
  stale_connections: ['gauge', 'Connections whose reply still reads replaced data.'],
  auth_cmds: ['counter', 'Login attempts.'],
  auth_errors: ['counter', 'Logins that failed.'],
  cmd_get: ['counter', 'Keys that were asked for.'],
  cmd_set: ['counter', 'Commands that would store a value.'],
  cmd_flush: ['counter', 'flush_all commands.'],
  cmd_touch: ['counter', 'Keys that were touched.'],
  cmd_meta: ['counter', 'Meta commands.'],
  cmd_redis: ['counter', 'Commands in the Redis protocol.'],
  silent_nodes: ['gauge', 'Nodes that do not answer: Redis Cluster clients are not sent to them.'],
  redis_redirects: [
    'counter',
    'Commands for keys of other nodes, answered with MOVED or CROSSSLOT.',
  ],
  get_hits: ['counter', 'Keys that were asked for and found.'],
  get_misses: ['counter', 'Keys that were asked for and not found.'],
  touch_hits: ['counter', 'Keys that were touched and found.'],
  touch_misses: ['counter', 'Keys that were touched and not found.'],
  delete_misses: ['counter', 'delete commands, all of which are refused.'],
  incr_misses: ['counter', 'incr commands, all of which are refused.'],
  decr_misses: ['counter', 'decr commands, all of which are refused.'],
  forwarded_in: ['counter', 'Keys that servers of other shards asked for.'],
  forwarded_out: ['counter', 'Keys that this server asked servers of other shards for.'],
  forward_redirects: [
    'counter',
    'Keys that a server with other shards sent elsewhere, as during a split.',
  ],
  forward_faults: ['counter', 'Keys that no server of their shard answered.'],
  bytes_read: ['counter', 'Bytes received from clients.'],
  bytes_written: ['counter', 'Bytes sent to clients.'],
  conn_yields: ['counter', 'How often a busy connection let the others go first.'],
  protocol_errors: ['counter', 'Commands that were unknown or malformed.'],
  refused_set: write('set'),
  refused_add: write('add'),
  refused_replace: write('replace'),
  refused_append: write('append'),
  refused_prepend: write('prepend'),
  refused_cas: write('cas'),
  refused_incr: write('incr'),
  refused_decr: write('decr'),
  refused_delete: write('delete'),
  refused_touch: write('touch'),
  refused_flush_all: write('flush_all'),
  refused_ms: write('ms'),
  refused_md: write('md'),
  refused_ma: write('ma'),
  loads_taken: ['counter', 'Drops that were taken, or that serve already.'],
  loads_rejected: ['counter', 'Drops that were rejected.'],
  loads_failed: ['counter', 'Loads that failed for another reason than the file.'],
  serving_thread_restarts: ['counter', 'Serving threads that died and were replaced.'],
  scrub_passes: ['counter', 'How often the serving generation was verified.'],
  scrub_file_faults: ['counter', 'Dropped files that a scrub found damaged in their slot.'],
  scrub_table_faults: ['counter', 'Tables that a scrub found damaged while they served.'],
} as const satisfies Record<string, Declaration> & Record<DataSetCounter, Declaration>;

export type CounterName = keyof typeof COUNTERS;

export const COUNTER_NAMES = Object.keys(COUNTERS) as readonly CounterName[];

/** Those that are counted for each data set too. */
export const DATA_SET_COUNTERS: readonly DataSetCounter[] = [
  'loads_taken',
  'loads_rejected',
  'loads_failed',
  'scrub_passes',
  'scrub_file_faults',
  'scrub_table_faults',
];

/** To count them from 0. */
export function noneCounted(): Record<DataSetCounter, number> {
  return Object.fromEntries(DATA_SET_COUNTERS.map((name) => [name, 0])) as Record<
    DataSetCounter,
    number
  >;
}

/** Numbers of one serving thread, by name. */
export type Counters = Record<CounterName, number>;

/**
 * Bytes of one thread's block: whole cache lines (64 bytes), so that threads which count at the
 * same time do not take lines from each other.
 */
const BLOCK_BYTES = Math.ceil((COUNTER_NAMES.length * 8) / 64) * 64;

/** A reset leaves these alone. */
const GAUGES = COUNTER_NAMES.filter((name) => COUNTERS[name][0] === 'gauge');

/**
 * Memory for the counters of some threads, to be shared with all of them: a block for each thread,
 * and behind these a block with the totals at the last reset. The main thread counts too where it
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
  for (const name of GAUGES) counters[name] = 0;
}

/** The totals of all threads since the last reset. */
export function sumCounters(memory: SharedArrayBuffer): Counters {
  const sums = totals(memory);
  const before = baseline(memory);
  return Object.fromEntries(
    COUNTER_NAMES.map((name, at) => [name, sums[at] - before[at]]),
  ) as Counters;
}

/**
 * Makes the totals begin again at 0. No thread may write another one's counters, so what is reset is
 * not these but what is subtracted from them. Two threads that reset at once write the same
 * numbers, but for what was counted in between.
 */
export function resetCounters(memory: SharedArrayBuffer): void {
  const sums = totals(memory);
  const before = baseline(memory);
  COUNTER_NAMES.forEach((name, at) => {
    if (COUNTERS[name][0] === 'counter') before[at] = sums[at];
  });
}

/** The totals of all threads since the start. */
function totals(memory: SharedArrayBuffer): Float64Array {
  const sums = new Float64Array(COUNTER_NAMES.length);
  for (let at = 0; at < memory.byteLength - BLOCK_BYTES; at += BLOCK_BYTES) {
    const block = new Float64Array(memory, at, COUNTER_NAMES.length);
    for (let i = 0; i < sums.length; i++) sums[i] += block[i];
  }
  return sums;
}

/** The block with the totals at the last reset. */
function baseline(memory: SharedArrayBuffer): Float64Array {
  return new Float64Array(memory, memory.byteLength - BLOCK_BYTES, COUNTER_NAMES.length);
}

/** A line of a stats reply: name and value. */
export type Stat = readonly [name: string, value: string | number];
