import { GoromdbError } from '../../common/errors.ts';
import type { ShardPlace } from '../../shards/place.ts';
import { shardFunctionOf } from '../../shards/shards.ts';
import { Finding } from '../../storage/scanners/finding.ts';
import type { KeyRule } from '../../storage/scanners/key-check.ts';

/**
 * Refuses the keys of other shards. A record that is served counts as one of this shard: nobody asks
 * again, so that requests for own keys cost nothing more.
 *
 * @param path Of the file, for messages.
 */
export function shardRule(path: string, place: ShardPlace): KeyRule {
  const { shards } = place.topology;
  const { shardOf } = shardFunctionOf(place.topology);
  return (key, start, end, locate) => {
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
}
