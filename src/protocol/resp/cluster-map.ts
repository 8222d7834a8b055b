import { SLOTS } from '../../shards/slots.ts';
import type { AnnouncedNode, RedisCluster } from '../redis-cluster.ts';
import { SlotCounts } from './slot-keys.ts';

/** Who has which slot, and which nodes answer, for the sessions of one thread. */
export class ClusterMap {
  readonly cluster: RedisCluster;
  readonly slotCounts = new SlotCounts();
  /** The shard of each slot. */
  readonly #owners = new Uint16Array(SLOTS);
  /** Where the nodes of each shard begin in `RedisCluster.answering`. */
  readonly #firsts: readonly number[];
  /** Threads and nodes begin with different ones. */
  #turn = Math.floor(Math.random() * SLOTS);

  constructor(cluster: RedisCluster) {
    this.cluster = cluster;
    let nodes = 0;
    this.#firsts = cluster.shards.map((shard, i) => {
      this.#owners.fill(i, shard.firstSlot, shard.lastSlot + 1);
      nodes += shard.nodes.length;
      return nodes - shard.nodes.length;
    });
  }

  get own(): AnnouncedNode {
    const { shards, ownShard, ownNode } = this.cluster;
    return shards[ownShard].nodes[ownNode];
  }

  isOwn(slot: number): boolean {
    return this.#owners[slot] === this.cluster.ownShard;
  }

  answers(shard: number, node: number): boolean {
    const { ownShard, ownNode, answering } = this.cluster;
    const isThis = shard === ownShard && node === ownNode;
    return isThis || answering[this.#firsts[shard] + node] !== 0;
  }

  /** The nodes of a shard that answer; where none does, nothing is better known: all of them. */
  live(shard: number): readonly AnnouncedNode[] {
    const { nodes } = this.cluster.shards[shard];
    const live = nodes.filter((_, node) => this.answers(shard, node));
    return live.length === 0 ? nodes : live;
  }

  /** The same, each time another one first: most clients ask the first, and so they spread. */
  rotated(shard: number): readonly AnnouncedNode[] {
    const nodes = this.live(shard);
    const first = (this.#turn + shard) % nodes.length;
    return [...nodes.slice(first), ...nodes.slice(0, first)];
  }

  /** See `rotated`. */
  rotate(): void {
    this.#turn = (this.#turn + 1) % SLOTS;
  }

  /** Where a client is sent for a slot, in Redis' words. */
  moved(slot: number): string {
    this.rotate();
    const [{ host, port }] = this.rotated(this.#owners[slot]);
    return `MOVED ${slot} ${host}:${port}`;
  }
}
