import { type Address, formatAddress } from '../common/address.ts';
import { GoromdbError } from '../common/errors.ts';
import type { Shard, ShardHash, ShardNode, Topology } from './shards.ts';

/** Where among the shards a server is. */
export interface ShardPlace {
  readonly topology: Topology;
  /** The `idx` of its shard. */
  readonly shard: number;
  /** Its number among the nodes of the shard. */
  readonly node: number;
  /** The file of the topology, for messages. */
  readonly path?: string;
}

/** What says which node a server is. */
export interface PlaceWanted {
  /** The name of its shard. */
  readonly shard: string;
  /** The address of the node in the file. Default: the only node, or the one with this `address`. */
  readonly node?: Address | undefined;
  /** Where the server is to listen, if that is said. */
  readonly address?: Address | undefined;
}

/**
 * Finds the place of a server.
 *
 * @throws GoromdbError OPTION_INVALID when there is none, or there are several.
 */
export function placeOf(topology: Topology, wanted: PlaceWanted): ShardPlace {
  const { shards } = topology;
  const shard = shards.find(({ name }) => name === wanted.shard);
  if (shard === undefined) {
    const names = shards.map(({ name }) => name).join(', ');
    const found = JSON.stringify(wanted.shard);
    throw misplaced(`-shard: expected one of ${names}, found ${found}`);
  }
  const { nodes, name } = shard;
  const asked = wanted.node ?? (nodes.length > 1 ? wanted.address : nodes[0].address);
  const text = asked && formatAddress(asked);
  const node = nodes.findIndex(({ address }) => formatAddress(address) === text);
  if (node !== -1) return { topology, shard: shard.idx, node };
  const list = nodes.map(({ address }) => formatAddress(address)).join(', ');
  const found = wanted.node === undefined ? '' : `, found ${text}`;
  throw misplaced(`-node: expected the address of one of the nodes of ${name}: ${list}${found}`);
}

/** The node that a place names. */
export function nodeAt({ topology, shard, node }: ShardPlace): ShardNode {
  return topology.shards[shard].nodes[node];
}

/** As much of a topology as says which keys a shard has. */
interface Spread {
  readonly hash: ShardHash;
  readonly shards: readonly Pick<Shard, 'idx' | 'slots'>[];
}

/** Names which keys a shard has: `slots 0-8191`, or `crc32 1/4` for number 1 of 4. */
export function partOf({ hash, shards }: Spread, idx: number): string {
  const { slots } = shards[idx];
  return slots === undefined
    ? `${hash} ${idx}/${shards.length}`
    : `${hash} ${slots.first}-${slots.last}`;
}

const PART = /^([a-z0-9]+) (\d{1,5})([-/])(\d{1,5})$/;

/** Whether a text is a part's name. */
export function isPart(text: string): boolean {
  return PART.test(text);
}

/** Whether whoever has all keys of `whole` has all those of `part`, both names of parts. */
export function covers(whole: string, part: string): boolean {
  const [, hash, first, sign, last] = PART.exec(whole) ?? [];
  const [, otherHash, otherFirst, , otherLast] = PART.exec(part) ?? [];
  if (hash === undefined || hash !== otherHash) return false;
  if (sign === '-') return +first <= +otherFirst && +otherLast <= +last;
  return +otherLast % +last === 0 && +otherFirst % +last === +first;
}

function misplaced(message: string): GoromdbError {
  return new GoromdbError('OPTION_INVALID', message);
}
