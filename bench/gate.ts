import { readFileSync } from 'node:fs';
import { type Row, resultOf } from './result.ts';

/** A ratio may be this much worse than the committed one: shared machines are noisy. */
const SLACK = 1.5;

/**
 * Compares the CPU ratios of the main scenarios with the committed ones.
 *
 * @param path A JSON file with the ratio of each scenario by name.
 * @returns A line for each scenario, and whether none is far worse.
 */
export function checkRatios(
  rows: readonly Row[],
  path: string,
): { readonly lines: readonly string[]; readonly isGood: boolean } {
  const committed = JSON.parse(readFileSync(path, 'utf8')) as Record<string, number>;
  const results = rows.map((row) => {
    const { name } = row;
    const ours = resultOf(row, 'goromdb')!.cpuMicros.median;
    const ratio = ours / resultOf(row, 'memcached')!.cpuMicros.median;
    const limit = committed[name] * SLACK;
    const isGood = ratio <= limit;
    const verdict = isGood ? 'good' : 'WORSE';
    const line =
      `${verdict}: ${name}: CPU ${ours.toFixed(2)} µs, ` +
      `${ratio.toFixed(2)} × memcached's; committed ${committed[name]}, limit ${limit.toFixed(2)}`;
    return { line, isGood };
  });
  return {
    lines: results.map(({ line }) => line),
    isGood: results.every(({ isGood }) => isGood),
  };
}
