/** Ticks of the histogram's clock in a millisecond: a tick is 100 ns. */
const TICKS_PER_MS = 10_000;

/** Buckets for each doubling, so that a figure is at most 1/64 off. */
const SUB_BITS = 6;
const SUB_BUCKETS = 1 << SUB_BITS;

/** Longest latency that is told apart: 2^31 ticks, 214 seconds. */
const TICKS_MAX = 2 ** 31 - 1;

/** Numbers in a histogram. */
export const HISTOGRAM_BUCKETS = (31 - SUB_BITS + 1) * SUB_BUCKETS;

/** The bucket of a latency. Buckets are 100 ns wide up to 12.8 µs, then grow with the latency. */
export function bucketOf(latencyMs: number): number {
  const ticks = Math.min(Math.max(0, Math.floor(latencyMs * TICKS_PER_MS)), TICKS_MAX);
  const shift = Math.max(0, 31 - Math.clz32(ticks) - SUB_BITS);
  return shift * SUB_BUCKETS + (ticks >>> shift);
}

/** The middle of a bucket, in milliseconds. */
function middleOf(bucket: number): number {
  const shift = Math.max(0, Math.floor(bucket / SUB_BUCKETS) - 1);
  const low = (bucket - shift * SUB_BUCKETS) * 2 ** shift;
  return (low + 2 ** shift / 2) / TICKS_PER_MS;
}

/**
 * The latency, in milliseconds, that a share of all stayed below.
 *
 * @param counts Latencies by bucket. @param share From 0 to 1, such as 0.99.
 * @returns `NaN` when there are none.
 */
export function percentile(counts: ArrayLike<number>, share: number): number {
  let total = 0;
  for (let i = 0; i < counts.length; i++) total += counts[i];
  if (total === 0) return Number.NaN;
  const rank = Math.max(1, Math.ceil(total * share));
  let seen = 0;
  let bucket = 0;
  while (bucket < counts.length - 1) {
    seen += counts[bucket];
    if (seen >= rank) break;
    bucket++;
  }
  return middleOf(bucket);
}
