import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** Significant digits: a figure is at most a hundredth off. */
const FIGURES = 2;

const NS_PER_MS = 1e6;

/** The latencies of one thread, in nanoseconds. */
export interface Latencies {
  /** Since the measured time began. */
  readonly measured: RecordableHistogram;
  /** Since the last progress. */
  readonly recent: RecordableHistogram;
}

/** Node shares a histogram with the thread that it is sent to: both see what either records. */
export function createLatencies(): Latencies {
  return {
    measured: createHistogram({ figures: FIGURES }),
    recent: createHistogram({ figures: FIGURES }),
  };
}

/** @param ms Below a nanosecond it counts as one. */
export function recordLatency({ measured, recent }: Latencies, ms: number): void {
  const ns = Math.max(1, Math.round(ms * NS_PER_MS));
  measured.record(ns);
  recent.record(ns);
}

/**
 * The latency, in milliseconds, that a share of all threads' latencies stayed below.
 *
 * @param share From 0 to 1, such as 0.99.
 * @returns `NaN` when there are none.
 */
export function percentileMs(threads: readonly RecordableHistogram[], share: number): number {
  const all = createHistogram({ figures: FIGURES });
  for (const one of threads) all.add(one);
  return all.count === 0 ? Number.NaN : all.percentile(share * 100) / NS_PER_MS;
}
