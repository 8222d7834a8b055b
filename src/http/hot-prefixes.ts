import { keyText } from '../inspect/key-text.ts';
import type { SampledLookup } from '../storage/lookup-sample.ts';

/** So many prefixes are shown. */
const PREFIXES_MAX = 20;

/** Keys that begin alike. */
export interface HotPrefix {
  /** With its delimiter; control characters and bytes that are no UTF-8 are `\\x` and two digits. */
  readonly prefix: string;
  /** Lookups of the sample. */
  readonly lookups: number;
  readonly hits: number;
}

/**
 * Which prefixes were looked up most, the first one most often. Keys without the delimiter are in none: a
 * whole key is not shown.
 *
 * @param delimiter One character of ASCII.
 */
export function hotPrefixes(
  sample: readonly SampledLookup[],
  delimiter: string,
): readonly HotPrefix[] {
  const byte = delimiter.charCodeAt(0);
  const counts = new Map<string, { lookups: number; hits: number }>();
  for (const { key, wasHit } of sample) {
    const end = key.indexOf(byte);
    if (end === -1) continue;
    const prefix = key.toString('latin1', 0, end + 1);
    let count = counts.get(prefix);
    if (count === undefined) {
      count = { lookups: 0, hits: 0 };
      counts.set(prefix, count);
    }
    count.lookups++;
    if (wasHit) count.hits++;
  }
  return [...counts]
    .sort(([, a], [, b]) => b.lookups - a.lookups)
    .slice(0, PREFIXES_MAX)
    .map(([prefix, count]) => ({ prefix: keyText(Buffer.from(prefix, 'latin1')), ...count }));
}
