import type { Shard, TcpAddress, Topology } from '../../shards/shards.ts';

/** Host and port of a node, as text and as number. */
export type HostAndPort = readonly [host: string, port: number];

/** The host of a node. A file of shards always has one. */
export function hostOf({ host }: TcpAddress): string {
  return host!;
}

/** The shards as clients choose among them: by slots in the order of these, else in that of `idx`. */
export function shardsInOrder({ shards }: Topology): readonly Shard[] {
  return shards.toSorted((a, b) => (a.slots?.first ?? a.idx) - (b.slots?.first ?? b.idx));
}

/** The nodes of a shard, by their `address`. */
export function nodesOf({ nodes }: Shard): readonly HostAndPort[] {
  return nodes.map(({ address }) => [hostOf(address), address.port]);
}
