import { createHash } from 'node:crypto';
import { type Address, formatAddress, isAnyHost } from '../common/address.ts';
import { GoromdbError } from '../common/errors.ts';
import type { Logger } from '../common/log.ts';
import type { PeerAddress } from '../peers/peer.ts';
import { Peers } from '../peers/peers.ts';
import { type RedisCluster, shardIdOf } from '../protocol/redis-cluster.ts';
import type { TlsFiles } from '../server/access.ts';
import { nodeAt, type ShardPlace } from '../shards/place.ts';
import type { ShardNode } from '../shards/shards.ts';
import { whereIn } from '../shards/shards-file.ts';

/** A server's part in a Redis Cluster. */
export interface RedisClusterPlan {
  /** Where it listens for clients of the cluster. */
  readonly address: Address;
  readonly cluster: RedisCluster;
  /** Where each node is asked whether it is there, in the order of `RedisCluster.answering`. */
  readonly peers: readonly PeerAddress[];
}

/**
 * The part of a server in the Redis Cluster of a topology.
 *
 * @returns undefined when it has no cluster-address there.
 * @throws GoromdbError OPTION_INVALID when not every shard takes part.
 */
export function planRedisCluster(
  place: ShardPlace,
  isEncrypted: boolean,
): RedisClusterPlan | undefined {
  const { hash, shards } = place.topology;
  const takesPart = ({ clusterAddress }: ShardNode): boolean => clusterAddress !== undefined;
  const own = nodeAt(place);
  if (own.clusterAddress === undefined) return undefined;
  if (hash !== 'slots') {
    const { name } = shards[place.shard];
    const what = `cluster-address: expected hash = "slots" beside it, found "${hash}"`;
    throw wrong(place, name, place.node === 0 ? 'cluster-address' : 'replicas', what);
  }
  const without = shards.find(({ nodes }) => !nodes.some(takesPart));
  if (without !== undefined) {
    const what = `${without.name}: expected a cluster-address, as other shards have one`;
    throw wrong(place, without.name, 'name', what);
  }
  const nodesOf = shards.map(({ nodes }) => nodes.filter(takesPart));
  const count = nodesOf.reduce((sum, { length }) => sum + length, 0);
  const announced = shards.map(({ name, slots }, i) => ({
    ...{ name, firstSlot: slots!.first, lastSlot: slots!.last },
    nodes: nodesOf[i].map((node) => ({ id: idOf(node), ...reachable(node) })),
  }));
  const ownShard = place.shard;
  const ownNode = nodesOf[ownShard].indexOf(own);
  const answering = new Uint8Array(new SharedArrayBuffer(count)).fill(1);
  return {
    address: own.clusterAddress,
    cluster: { shards: announced, ownShard, ownNode, isEncrypted, answering },
    peers: nodesOf.flat().map(peerOf),
  };
}

/** It stays the same when shards are split, and when the cluster is announced elsewhere. */
function idOf({ address }: ShardNode): string {
  return createHash('sha1')
    .update(`goromdb node ${formatAddress(address)}`)
    .digest('hex');
}

/** Where clients find a node. */
function reachable({ clusterAddress, announce }: ShardNode): PeerAddress {
  const { host, port } = (announce ?? clusterAddress)!;
  return { host: host!, port };
}

/** Where other nodes find it: on its own network. */
function peerOf({ address, clusterAddress }: ShardNode): PeerAddress {
  const { host, port } = clusterAddress!;
  return { host: isAnyHost(host!) ? address.host! : host!, port };
}

function wrong({ path }: ShardPlace, shard: string, key: string, what: string): GoromdbError {
  const where = path === undefined ? 'shards.toml' : whereIn(path, shard, key);
  return new GoromdbError('OPTION_INVALID', `${where}: ${what}`);
}

/**
 * Watches the other nodes of a cluster, for the threads that tell clients of them.
 *
 * @param count Counts nodes that have ceased to answer; of one that answers again, -1.
 */
export function watchNodes(
  { cluster, peers }: RedisClusterPlan,
  logger: Logger,
  tls: TlsFiles | undefined,
  count: (silentNodes: number) => void,
): Peers {
  const { shards, ownShard, ownNode, answering } = cluster;
  const all = shards.flatMap(({ name, nodes }, shard) => {
    const shardId = shardIdOf(shards[shard]);
    return nodes.map((node, i) => {
      return { node, name, shardId, isThis: shard === ownShard && i === ownNode };
    });
  });
  const others = all.flatMap(({ isThis }, i) => (isThis ? [] : [i]));
  const nameOf = (index: number): string => {
    const { node, name } = all[others[index]];
    return `node ${node.host}:${node.port} of ${name}`;
  };
  const onOtherShard = (index: number): void => {
    const line = `${nameOf(index)} has other slots than this server's shards.toml says, or another name; when shards are not being split, give all nodes the same shards.toml`;
    logger.warn(line, { event: 'node-differs' });
  };
  const onChange = (index: number, answers: boolean, why: string): void => {
    Atomics.store(answering, others[index], answers ? 1 : 0);
    count(answers ? -1 : 1);
    const who = nameOf(index);
    if (answers) {
      logger.info(`${who} answers again: clients are sent there`, { event: 'node-answers' });
    } else {
      const line = `${who} does not answer: ${why}; clients are not sent there until it does`;
      logger.warn(line, { event: 'node-silent' });
    }
  };
  return new Peers(
    others.map((i) => ({ ...peers[i], shardId: all[i].shardId })),
    { onChange, onOtherShard, tls },
  );
}
