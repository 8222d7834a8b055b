/** Length of the values where it is not what changes. */
export const VALUE_BYTES = 100;

/** One way to load servers that hold the same data. */
export interface Scenario {
  readonly name: string;
  /** Flags of `goromdb bench`. */
  readonly flags: readonly string[];
}

/** The scenarios of the targets. */
export const MAIN: readonly Scenario[] = [
  { name: 'single get, 50 connections', flags: [] },
  { name: 'pipelined 16', flags: ['-pipeline', '16'] },
  { name: 'multi-get 100', flags: ['-multi', '100'] },
];

/** More ways to ask for the same data. */
export const MORE: readonly Scenario[] = [
  { name: 'multi-get 10', flags: ['-multi', '10'] },
  { name: 'meta quiet pipeline of 16', flags: ['-command', 'meta', '-multi', '16'] },
  { name: 'single get, all misses', flags: ['-misses', '100'] },
  { name: 'multi-get 100, all misses', flags: ['-multi', '100', '-misses', '100'] },
  { name: 'single get, Zipf', flags: ['-choose', 'zipf'] },
  { name: 'multi-get 100, Zipf', flags: ['-multi', '100', '-choose', 'zipf'] },
  { name: 'single get, 1 connection', flags: ['-connections', '1'] },
  { name: 'single get, 1,000 connections', flags: ['-connections', '1000'] },
];

/** Values by their length; long ones over fewer keys, so that the data fits into memory. */
export const VALUES = [
  { valueBytes: 10, keys: 100_000 },
  { valueBytes: VALUE_BYTES, keys: 100_000 },
  { valueBytes: 1_000, keys: 100_000 },
  { valueBytes: 10_000, keys: 10_000 },
  { valueBytes: 1_000_000, keys: 200 },
] as const;

export const KEY_COUNTS = [10_000, 100_000, 1_000_000, 10_000_000] as const;

export const CONNECTION_COUNTS = [1, 10, 50, 200, 1_000, 4_000, 10_000] as const;

/** More than two only where there are processors for them. */
export const THREAD_COUNTS = [1, 2, 4, 8] as const;
