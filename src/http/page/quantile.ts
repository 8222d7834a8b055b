/** Finds quantiles of histograms. */
import type { Histogram } from '../../common/status.ts';

/** How much lies at or below each bound; the last bound is infinity. */
export type Buckets = ReadonlyMap<number, number>;

/** Several histograms as one. */
export function pooled(histograms: readonly Histogram[]): Buckets {
  const buckets = new Map<number, number>();
  for (const { count, buckets: some } of histograms) {
    for (const [upTo, below] of [...some, [Number.POSITIVE_INFINITY, count] as const]) {
      buckets.set(upTo, (buckets.get(upTo) ?? 0) + below);
    }
  }
  return new Map([...buckets].sort(([a], [b]) => a - b));
}

/** What came to the buckets since. */
export function since(before: Buckets, after: Buckets): Buckets {
  return new Map([...after].map(([upTo, count]) => [upTo, count - (before.get(upTo) ?? 0)]));
}

/**
 * Below what value a share of a histogram lies, as Prometheus' `histogram_quantile` has it.
 *
 * @param share From 0 to 1.
 * @returns Undefined when the histogram is empty.
 */
export function quantileOf(buckets: Buckets, share: number): number | undefined {
  const all = [...buckets];
  const total = all.at(-1)?.[1] ?? 0;
  if (total <= 0) return undefined;
  const wanted = share * total;
  let [lower, below] = [0, 0];
  for (const [bound, count] of all) {
    if (count >= wanted) {
      // Above the last bound nothing is known.
      if (bound === Number.POSITIVE_INFINITY) return lower;
      return lower + (bound - lower) * ((wanted - below) / Math.max(count - below, Number.EPSILON));
    }
    [lower, below] = [bound, count];
  }
  return lower;
}
