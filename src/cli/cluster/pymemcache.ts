import type { ShardHash, Topology } from '../../shards/shards.ts';
import { nodesOf, shardsInOrder } from './nodes.ts';

const SHARD_OF: Readonly<Record<ShardHash, string>> = {
  slots: `    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    if start != -1 and end > start + 1:
        key = key[start + 1 : end]
    return bisect_right(FIRST_SLOTS, crc_hqx(key, 0) & 16383) - 1`,
  crc32: '    return ((crc32(key) >> 16) & 0x7FFF) % len(NODES)',
  crc32a: '    return crc32(key) % len(NODES)',
};

/** A module for Python that asks each key's shard, and of its nodes one that answers. */
export function pymemcacheSnippet(topology: Topology): string {
  const shards = shardsInOrder(topology);
  const lists = shards.map((shard) => {
    const nodes = nodesOf(shard).map(([host, port]) => `("${host}", ${port})`);
    return `    [${nodes.join(', ')}],`;
  });
  const isSlots = topology.hash === 'slots';
  const imports = isSlots
    ? 'from binascii import crc_hqx\nfrom bisect import bisect_right\nfrom random import random'
    : 'from random import random\nfrom zlib import crc32';
  const firsts = shards.map(({ slots }) => slots?.first).join(', ');
  return `"""A client of all shards, for pymemcache. Printed by goromdb cluster pymemcache."""

${imports}

from pymemcache.client.hash import HashClient
from pymemcache.exceptions import MemcacheError

NODES = [
${lists.join('\n')}
]
${isSlots ? `FIRST_SLOTS = [${firsts}]\n` : ''}

def shard_of(key):
    if isinstance(key, str):
        key = key.encode()
${SHARD_OF[topology.hash]}


class ShardHasher:
    """Chooses a node of the key's shard among those that answer; each process has its own."""

    def __init__(self):
        self.live = set()
        self.share = random()

    def add_node(self, node):
        self.live.add(node)

    def remove_node(self, node):
        self.live.discard(node)

    def get_node(self, key):
        names = ["%s:%s" % node for node in NODES[shard_of(key)]]
        live = [name for name in names if name in self.live] or names
        return live[int(self.share * len(live))]


def repeated(read, *args, **kwargs):
    """A node that closes the connection is asked twice, before another one of the shard is."""
    for left in range(2 * max(map(len, NODES)), -1, -1):
        try:
            return read(*args, **kwargs)
        except (OSError, MemcacheError):
            if left == 0:
                raise


class ShardClient(HashClient):
    """Repeats a read that failed."""

    def get(self, *args, **kwargs):
        return repeated(super().get, *args, **kwargs)

    def get_many(self, *args, **kwargs):
        return repeated(super().get_many, *args, **kwargs)


def connect():
    """A node that fails is left out for a second, and then tried again."""
    servers = [node for nodes in NODES for node in nodes]
    return ShardClient(
        servers, hasher=ShardHasher, retry_attempts=0, dead_timeout=1, connect_timeout=1, timeout=1
    )
`;
}
