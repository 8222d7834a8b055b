import type { SampledLookup } from './lookup-sample.ts';
import type { Storage } from './storage.ts';

/** Keys that are kept of those that are missed. */
const MISSED_MAX = 3;

/** How lookups that clients made would have gone in another storage. */
export interface Replay {
  readonly lookups: number;
  /** How many of them were hits when they were made. */
  readonly hitsBefore: number;
  readonly hitsAfter: number;
  /** Some of the keys that were hits and are misses now. */
  readonly missed: readonly Buffer[];
}

/** Plays lookups at a storage. One that reads from a map has their pages in memory afterwards. */
export function replay(storage: Storage, sample: Iterable<SampledLookup>): Replay {
  let lookups = 0;
  let hitsBefore = 0;
  let hitsAfter = 0;
  const missed: Buffer[] = [];
  for (const { key, wasHit } of sample) {
    const isHit = storage.get(key, 0, key.length) !== undefined;
    lookups++;
    if (wasHit) hitsBefore++;
    if (isHit) hitsAfter++;
    else if (wasHit && missed.length < MISSED_MAX && !missed.some((one) => one.equals(key))) {
      missed.push(key);
    }
  }
  return { lookups, hitsBefore, hitsAfter, missed };
}
