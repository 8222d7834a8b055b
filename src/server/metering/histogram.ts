import type { Histogram } from '../../common/status.ts';

/** Words of memory that a histogram takes: its buckets, that of larger values, and the sum. */
export function wordsOf(bounds: readonly number[]): number {
  return bounds.length + 2;
}

/** @param bounds Upper bounds of the buckets, in order; a value on a bound is below it. */
export function record(
  words: Float64Array,
  bounds: readonly number[],
  value: number,
  weight: number,
): void {
  let bucket = 0;
  while (bucket < bounds.length && value > bounds[bucket]) bucket++;
  words[bucket] += weight;
  words[bounds.length + 1] += value * weight;
}

/** The sum of histograms with the same bounds. */
export function sumOf(all: readonly Float64Array[], bounds: readonly number[]): Histogram {
  const sums = Array.from({ length: wordsOf(bounds) }, (_, i) =>
    all.reduce((sum, words) => sum + words[i], 0),
  );
  let count = 0;
  const buckets = bounds.map((upTo, i): readonly [number, number] => {
    count += sums[i];
    return [upTo, count];
  });
  return { count: count + sums[bounds.length], sum: sums[bounds.length + 1], buckets };
}
