import { GoromdbError } from '../../common/errors.ts';
import type { Topology } from '../../shards/shards.ts';
import { nodesOf, shardsInOrder } from './nodes.ts';

/**
 * A module for Python, with pylibmc.
 *
 * @throws GoromdbError OPTION_INVALID when libmemcached cannot compute the shards.
 */
export function pylibmcSnippet(topology: Topology): string {
  checkHash(topology, 'pylibmc');
  const lists = shardsInOrder(topology).map((shard) => {
    // libmemcached takes an IPv6 address in brackets only with a port; all are given so.
    return `    [${nodesOf(shard)
      .map(([host, port]) => `"${host.includes(':') ? `[${host}]` : host}:${port}"`)
      .join(', ')}],`;
  });
  return `"""A client of all shards, for pylibmc. Printed by goromdb cluster pylibmc."""

from random import choice

import pylibmc

NODES = [
${lists.join('\n')}
]


def connect():
    """Of each shard one node; connect again when it fails."""
    nodes = [choice(nodes) for nodes in NODES]
    return pylibmc.Client(nodes, behaviors={"hash": "crc", "distribution": "modula"})
`;
}

/**
 * A file for PHP, with php-memcached.
 *
 * @throws GoromdbError OPTION_INVALID as {@link pylibmcSnippet}.
 */
export function phpMemcachedSnippet(topology: Topology): string {
  checkHash(topology, 'php-memcached');
  const lists = shardsInOrder(topology).map((shard) => {
    const nodes = nodesOf(shard).map(([host, port]) => `['${host}', ${port}]`);
    return `        [${nodes.join(', ')}],`;
  });
  return `<?php
// A client of all shards, for php-memcached. Printed by goromdb cluster php-memcached.

/** Of each shard one node; call it again when that fails. */
function connect_shards(): Memcached
{
    $nodes = [
${lists.join('\n')}
    ];
    $client = new Memcached();
    $client->setOption(Memcached::OPT_HASH, Memcached::HASH_CRC);
    $client->setOption(Memcached::OPT_DISTRIBUTION, Memcached::DISTRIBUTION_MODULA);
    foreach ($nodes as $shard) {
        [$host, $port] = $shard[array_rand($shard)];
        $client->addServer($host, $port);
    }
    return $client;
}
`;
}

function checkHash({ hash }: Topology, client: string): void {
  if (hash === 'crc32') return;
  const message = `${client}: expected hash = "crc32" in the file of shards, which it can compute, found "${hash}": with that it can ask nutcracker, or any node`;
  throw new GoromdbError('OPTION_INVALID', message);
}
