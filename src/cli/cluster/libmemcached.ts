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

from random import sample
from zlib import crc32

import pylibmc

NODES = [
${lists.join('\n')}
]
BEHAVIORS = {
    "hash": "crc",
    "distribution": "modula",
    "connect_timeout": 1000,
    "_poll_timeout": 1000,
}


def shard_of(key):
    if isinstance(key, str):
        key = key.encode()
    return ((crc32(key) >> 16) & 0x7FFF) % len(NODES)


class ShardClient:
    """Reads from one node of each shard, and from the next one when that fails."""

    def __init__(self):
        self.nodes = [sample(nodes, len(nodes)) for nodes in NODES]
        self.connect()

    def connect(self):
        first = [nodes[0] for nodes in self.nodes]
        self.client = pylibmc.Client(first, behaviors=BEHAVIORS)

    def get(self, key):
        nodes = self.nodes[shard_of(key)]
        for left in range(len(nodes), -1, -1):
            try:
                return self.client.get(key)
            except pylibmc.Error:
                nodes.append(nodes.pop(0))
                self.connect()
                if left == 0:
                    raise

    def get_multi(self, keys):
        """libmemcached leaves out the keys of a node that fails, and says nothing: a get does."""
        found = self.client.get_multi(keys)
        missing = {}
        for key in keys:
            if key not in found:
                missing.setdefault(shard_of(key), []).append(key)
        for shard, some in missing.items():
            node = self.nodes[shard][0]
            if self.get(some[0]) is not None or self.nodes[shard][0] != node:
                found.update(self.get_multi(some))
        return found


def connect():
    return ShardClient()
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

/** Reads from one node of each shard, and from the next one when that fails. */
final class ShardClient
{
    private array $nodes = [
${lists.join('\n')}
    ];
    private Memcached $client;

    public function __construct()
    {
        foreach ($this->nodes as &$nodes) {
            shuffle($nodes);
        }
        $this->connect();
    }

    private function connect(): void
    {
        $this->client = new Memcached();
        $this->client->setOptions([
            Memcached::OPT_HASH => Memcached::HASH_CRC,
            Memcached::OPT_DISTRIBUTION => Memcached::DISTRIBUTION_MODULA,
            Memcached::OPT_CONNECT_TIMEOUT => 1000,
            Memcached::OPT_POLL_TIMEOUT => 1000,
        ]);
        foreach ($this->nodes as [[$host, $port]]) {
            $this->client->addServer($host, $port);
        }
    }

    private function shardOf(string $key): int
    {
        return ((crc32($key) >> 16) & 0x7fff) % count($this->nodes);
    }

    /** @return mixed false: there is no such key. */
    public function get(string $key)
    {
        $shard = $this->shardOf($key);
        foreach ([...$this->nodes[$shard], null] as $_) {
            $value = $this->client->get($key);
            $code = $this->client->getResultCode();
            if ($code === Memcached::RES_SUCCESS || $code === Memcached::RES_NOTFOUND) {
                return $value;
            }
            $why = $this->client->getResultMessage();
            $this->nodes[$shard][] = array_shift($this->nodes[$shard]);
            $this->connect();
        }
        throw new RuntimeException("shard $shard does not answer: $why");
    }

    /** libmemcached leaves out the keys of a node that fails, and says nothing: a get does. */
    public function getMulti(array $keys): array
    {
        $found = $this->client->getMulti($keys) ?: [];
        $missing = [];
        foreach ($keys as $key) {
            if (!array_key_exists($key, $found)) {
                $missing[$this->shardOf($key)][] = $key;
            }
        }
        foreach ($missing as $shard => $some) {
            $node = $this->nodes[$shard][0];
            if ($this->get($some[0]) !== false || $this->nodes[$shard][0] !== $node) {
                $found += $this->getMulti($some);
            }
        }
        return $found;
    }
}

function connect_shards(): ShardClient
{
    return new ShardClient();
}
`;
}

function checkHash({ hash }: Topology, client: string): void {
  if (hash === 'crc32') return;
  const message = `${client}: expected hash = "crc32" in the file of shards, which it can compute, found "${hash}": with that it can ask nutcracker, or any node`;
  throw new GoromdbError('OPTION_INVALID', message);
}
