/** What belongs in this folder: what `goromdb cluster` prints and runs: files for clients and proxies, a trial, the state of all nodes. */
import { type Address, formatAddress } from '../../common/address.ts';
import { GoromdbError } from '../../common/errors.ts';
import type { Shard, Topology } from '../../shards/shards.ts';
import { hostOf } from './nodes.ts';

export interface NutcrackerPlan {
  readonly topology: Topology;
  /** Where nutcracker is to listen. */
  readonly listen: Address;
  /** Whether its clients speak Redis' protocol; else memcached's text protocol. */
  readonly isRedis: boolean;
}

/**
 * nutcracker's names of our hash functions. Its `crc16` is that of Redis Cluster; modulo 16,384 points,
 * of which each shard has as many as slots, it leads to the same shard.
 */
const HASHES = {
  slots: ['crc16', '  hash_tag: "{}"\n'],
  crc32: ['crc32', ''],
  crc32a: ['crc32a', ''],
} as const;

/**
 * The file of nutcracker (twemproxy) that asks the first node of each shard for its keys.
 *
 * @throws GoromdbError OPTION_INVALID when the address is not one for it.
 */
export function nutcrackerFile({ topology, listen, isRedis }: NutcrackerPlan): string {
  const [hash, tag] = HASHES[topology.hash];
  const servers = topology.shards.map((shard) => {
    const [{ address }] = shard.nodes;
    return `   - ${hostOf(address)}:${address.port}:${weightOf(shard)} s${placeOf(shard)}\n`;
  });
  // nutcracker's points are in the order of the names.
  const inOrder = servers.toSorted((a, b) => (nameIn(a) < nameIn(b) ? -1 : 1));
  return `goromdb:
  listen: ${listenAddress(listen)}
  redis: ${isRedis}
  hash: ${hash}
${tag}  distribution: modula
${ejectOf(topology)}  timeout: 1000
  servers:
${inOrder.join('')}`;
}

/**
 * A node that fails twice is left out for so long. Its keys are asked of others meanwhile: any node answers any key.
 * An upgraded node closes its connection, which counts as one failure: with a limit of one, nodes that are upgraded
 * soon after each other would all be left out. With one shard there is no other to ask.
 */
function ejectOf({ shards }: Topology): string {
  if (shards.length === 1) return '  auto_eject_hosts: false\n';
  return '  auto_eject_hosts: true\n  server_failure_limit: 2\n  server_retry_timeout: 10000\n';
}

function listenAddress(listen: Address): string {
  if (listen.kind === 'unix') return listen.path;
  if (listen.host?.includes(':')) {
    const message = `-listen: expected an IPv4 address, a name or a path, as nutcracker reads no other, found ${formatAddress(listen)}`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
  return `${listen.host ?? '0.0.0.0'}:${listen.port}`;
}

function weightOf({ slots }: Shard): number {
  return slots === undefined ? 1 : slots.last - slots.first + 1;
}

/** Names that are equally long sort as their numbers do: that is how nutcracker compares them. */
function placeOf({ slots, idx }: Shard): string {
  return String(slots?.first ?? idx).padStart(5, '0');
}

function nameIn(line: string): string {
  return line.slice(line.lastIndexOf(' '));
}
