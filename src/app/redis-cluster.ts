import type { Address } from '../common/address.ts';
import type { Logger } from '../common/log.ts';
import type { PeerAddress } from '../peers/peer.ts';
import { Peers } from '../peers/peers.ts';
import type { RedisCluster } from '../protocol/redis-cluster.ts';
import type { TlsFiles } from '../server/access.ts';

/** A server's part in a Redis Cluster. */
export interface RedisClusterPlan {
  /** Where it listens for clients of the cluster. */
  readonly address: Address;
  readonly cluster: RedisCluster;
  /** Where each node is asked whether it is there, in the order of `RedisCluster.answering`. */
  readonly peers: readonly PeerAddress[];
}

/** Watches the other nodes of a cluster, for the threads that tell clients of them. */
export function watchNodes(
  { cluster, peers }: RedisClusterPlan,
  logger: Logger,
  tls: TlsFiles | undefined,
): Peers {
  const { shards, ownShard, ownNode, answering } = cluster;
  const all = shards.flatMap(({ name, nodes }, shard) => {
    return nodes.map((node, i) => ({ node, name, isThis: shard === ownShard && i === ownNode }));
  });
  const others = all.flatMap(({ isThis }, i) => (isThis ? [] : [i]));
  const onChange = (index: number, answers: boolean, why: string): void => {
    const number = others[index];
    Atomics.store(answering, number, answers ? 1 : 0);
    const { node, name } = all[number];
    const who = `node ${node.host}:${node.port} of ${name}`;
    if (answers) {
      logger.info(`${who} answers again: clients are sent there`, { event: 'node-answers' });
    } else {
      const line = `${who} does not answer: ${why}; clients are not sent there until it does`;
      logger.warn(line, { event: 'node-silent' });
    }
  };
  return new Peers(
    others.map((i) => peers[i]),
    { onChange, tls },
  );
}
