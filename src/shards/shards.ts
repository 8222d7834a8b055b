/** What belongs in this folder: which shard a key belongs to, and on which nodes each shard is. */
import { createHash } from 'node:crypto';
import type { Address } from '../common/address.ts';
import { crc32Of } from './crc32.ts';
import { SLOTS, type SlotRange, slotOf } from './slots.ts';

/** Shards of one data set at most: what Redis' clients are told of them stays small. */
export const SHARDS_MAX = 256;
/** Nodes of all shards together. */
export const NODES_MAX = 512;

/**
 * How a key's shard is computed: `slots` by Redis Cluster's slots, `crc32` as libmemcached's hash of
 * that name, `crc32a` by the whole CRC-32, as zlib computes it.
 */
export const SHARD_HASHES = ['slots', 'crc32', 'crc32a'] as const;
export type ShardHash = (typeof SHARD_HASHES)[number];

/** What the name of a shard is. */
export const SHARD_NAME = /^[\w.-]{1,64}$/;

/** A TCP address. */
export type TcpAddress = Extract<Address, { kind: 'tcp' }>;

/** A server with the data of one shard. */
export interface ShardNode {
  /** Where any key is answered. */
  readonly address: TcpAddress;
  /** Where clients of a Redis Cluster are answered; undefined: nowhere. */
  readonly clusterAddress?: TcpAddress | undefined;
  /** The same, as clients reach it, where that is another address. */
  readonly announce?: TcpAddress | undefined;
}

/** One part of the keys, and who has it. */
export interface Shard {
  /** See {@link SHARD_NAME}. */
  readonly name: string;
  /** Its place, from 0. */
  readonly idx: number;
  /** Its slots; undefined with another hash than `slots`. */
  readonly slots?: SlotRange | undefined;
  /** All are equal, and have the same data. */
  readonly nodes: readonly ShardNode[];
}

/** How the keys of one data set are spread over shards. */
export interface Topology {
  readonly hash: ShardHash;
  /** In the order of `idx`. */
  readonly shards: readonly Shard[];
}

/** What decides which shard a key belongs to. */
interface Spread {
  readonly hash: ShardHash;
  readonly shards: readonly Pick<Shard, 'idx' | 'slots'>[];
}

/** Which shard keys belong to. */
export interface ShardFunction {
  /** @returns The `idx` of the shard of key[start, end). */
  shardOf(key: Uint8Array, start: number, end: number): number;
}

/** Makes the function of a topology. It allocates nothing for a key. */
export function shardFunctionOf({ hash, shards }: Spread): ShardFunction {
  const count = shards.length;
  if (hash === 'slots') {
    const owners = new Uint16Array(SLOTS);
    for (const { idx, slots } of shards) owners.fill(idx, slots!.first, slots!.last + 1);
    return { shardOf: (key, start, end) => owners[slotOf(key, start, end)] };
  }
  if (hash === 'crc32a') return { shardOf: (key, start, end) => crc32Of(key, start, end) % count };
  // libmemcached's `crc` keeps fifteen bits of the upper half (libhashkit/crc32.cc).
  return { shardOf: (key, start, end) => ((crc32Of(key, start, end) >>> 16) & 0x7fff) % count };
}

/**
 * Says of two topologies whether they lead each key to the same shard: 16 hexadecimal digits. Names and
 * addresses are left out, so that a node can move without all others being restarted at once.
 */
export function epochOf({ hash, shards }: Spread): string {
  const ranges = shards.map(({ slots }) =>
    slots === undefined ? null : [slots.first, slots.last],
  );
  const text = JSON.stringify([hash, ranges]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
