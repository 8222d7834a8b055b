import { attacks } from './attacks.ts';
import { building } from './building.ts';
import { cluster } from './cluster.ts';
import { connectionCounts, keyCounts, openLoop, threadCounts, valueSizes } from './comparisons.ts';
import { scenarios } from './contest.ts';
import { loading } from './loading.ts';
import { once } from './once.ts';
import type { Section } from './result.ts';
import { MAIN, MORE, VALUE_BYTES } from './scenarios.ts';
import { scraped } from './scraped.ts';
import { starting } from './starting.ts';
import { steadyHeap } from './steady-heap.ts';
import { swapping } from './swapping.ts';

/** The parts of the benchmark, each of which can be run alone. */
export const SECTIONS: Readonly<Record<string, Section>> = {
  main: (effort) => scenarios(MAIN, { keys: 100_000, valueBytes: VALUE_BYTES }, effort),
  million: (effort) => scenarios(MAIN, { keys: 1_000_000, valueBytes: VALUE_BYTES }, effort),
  more: (effort) => scenarios(MORE, { keys: 100_000, valueBytes: VALUE_BYTES }, effort),
  values: valueSizes,
  threads: threadCounts,
  rate: openLoop,
  keys: keyCounts,
  connections: connectionCounts,
  building,
  loading,
  starting,
  swapping,
  heap: steadyHeap,
  attacks,
  scraped,
  cluster,
  once,
};
