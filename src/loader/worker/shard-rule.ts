import { GoromdbError } from '../../common/errors.ts';
import { partOf, type ShardPlace } from '../../shards/place.ts';
import { shardFunctionOf } from '../../shards/shards.ts';
import { Finding } from '../../storage/scanners/finding.ts';
import type { KeyRule } from '../../storage/scanners/key-check.ts';
import { printable } from '../../storage/scanners/name-list.ts';

/** Which files a shard takes. */
export interface ShardRule {
  /** Refuses the keys of other shards. */
  readonly key: KeyRule;
  /**
   * Refuses a table of another part of the keys: what is missing in it would be misses.
   *
   * @param part What the table says of itself; undefined: nothing.
   */
  readonly part: (part: string | undefined) => void;
  /** Whether a key is this shard's. */
  readonly keeps: (key: Uint8Array, start: number, end: number) => boolean;
}

/**
 * The rule of a place. A record that is served counts as one of this shard: nobody asks again, so that
 * requests for own keys cost nothing more.
 *
 * @param path Of the file, for messages.
 */
export function shardRule(path: string, place: ShardPlace): ShardRule {
  const { shards } = place.topology;
  const { shardOf } = shardFunctionOf(place.topology);
  const own = partOf(place.topology, place.shard);
  const part = (found: string | undefined): void => {
    if (found === undefined || found === own) return;
    const other = shards.find(({ idx }) => partOf(place.topology, idx) === found);
    const what =
      other === undefined
        ? 'split the data set by the shards.toml of this server'
        : `it is the file of ${other.name}: drop it there`;
    throw new GoromdbError(
      'SHARD_MISMATCH',
      `${path}: expected the keys of ${own}, which are those of ${shards[place.shard].name}, found ` +
        `a table of ${printable(found)}: ${what}`,
    );
  };
  const key: KeyRule = (key, start, end, locate) => {
    const shard = shardOf(key, start, end);
    if (shard === place.shard) return;
    const finding = new Finding();
    finding.note(key, start, end, locate);
    throw new GoromdbError(
      'SHARD_MISMATCH',
      `${path}: expected only keys of ${shards[place.shard].name}, found ` +
        `${finding.first}, of ${shards[shard].name}: drop each shard's file in its own folder`,
    );
  };
  return { key, part, keeps: (key, start, end) => shardOf(key, start, end) === place.shard };
}
