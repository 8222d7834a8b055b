/** Which part of the keys the server has, when many servers share a data set. */
import { type Address, parseAddress } from '../../common/address.ts';
import { placeOf, type ShardPlace } from '../../shards/place.ts';
import { readShards } from '../../shards/shards-file.ts';
import { misuse, optionGroup, type ValuesOf } from './option.ts';
import { FILE, parseName } from './values.ts';

export const SHARDS = optionGroup('Shards', {
  shards: {
    ...FILE,
    help: 'shards.toml, which says which nodes have which keys; needs -shard',
    fallbackNote: 'the server has all keys',
  },
  shard: {
    placeholder: 'NAME',
    help: 'the shard of this server; without -addr and -s, it listens on the address of its node in shards.toml',
    parse: parseName,
  },
  node: {
    placeholder: 'ADDRESS',
    help: "which of the shard's nodes this server is, by the address in shards.toml",
    parse: parseAddress,
    fallbackNote: 'the only node, or the node with -addr',
  },
});

/**
 * The place of the server that values ask for.
 *
 * @param address Where it is to listen, if that was given.
 * @returns undefined: it has all keys.
 * @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID.
 */
export function placeAmong(
  { shards, shard, node }: ValuesOf<typeof SHARDS>,
  address: Address | undefined,
): ShardPlace | undefined {
  if (shards === undefined) {
    if (shard === undefined && node === undefined) return undefined;
    throw misuse('-shard and -node belong to -shards: give it too');
  }
  if (shard === undefined) throw misuse('-shards: -shard is missing: which of them this server is');
  return { ...placeOf(readShards(shards), { shard, node, address }), path: shards };
}
