import { createHash } from 'node:crypto';

/** A node as clients of a Redis Cluster are told of it. */
export interface AnnouncedNode {
  /** 40 hexadecimal digits that no other node has, the same at every start. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
}

/** A shard: all of its nodes have the same data, the keys of one range of slots. */
interface AnnouncedShard {
  readonly name: string;
  readonly firstSlot: number;
  readonly lastSlot: number;
  readonly nodes: readonly AnnouncedNode[];
}

/** As Redis 7.2 has it: what all nodes of a shard have in common. */
export function shardIdOf({ name, firstSlot, lastSlot }: Omit<AnnouncedShard, 'nodes'>): string {
  return createHash('sha1').update(`shard ${name} ${firstSlot}-${lastSlot}`).digest('hex');
}

/** What a node says of the cluster that it belongs to. It goes to the threads as it is. */
export interface RedisCluster {
  readonly shards: readonly AnnouncedShard[];
  /** Which of them, and of its nodes, this is. */
  readonly ownShard: number;
  readonly ownNode: number;
  /** Whether clients need TLS. */
  readonly isEncrypted: boolean;
  /** Of each node, those of the first shard first: whether it answers, or 0. */
  readonly answering: Uint8Array<SharedArrayBuffer>;
}
