import { formatAddress } from '../../common/address.ts';
import type { ShardHash, Topology } from '../../shards/shards.ts';
import { shardsInOrder } from './nodes.ts';

const SLOT_OF = `
// slotOf is Redis Cluster's slot of a key: that of its {tag}, if it has one.
func slotOf(key string) int {
	if start := strings.IndexByte(key, '{'); start >= 0 {
		if end := strings.IndexByte(key[start+1:], '}'); end > 0 {
			key = key[start+1 : start+1+end]
		}
	}
	crc := uint16(0)
	for i := 0; i < len(key); i++ {
		crc ^= uint16(key[i]) << 8
		for bit := 0; bit < 8; bit++ {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) & 16383
}
`;

const SHARD_OF: Readonly<Record<ShardHash, string>> = {
  slots: `	slot, shard := slotOf(key), 0
	for shard+1 < len(firstSlots) && firstSlots[shard+1] <= slot {
		shard++
	}
	return shard`,
  crc32: '	return int(crc32.ChecksumIEEE([]byte(key))>>16&0x7fff) % len(shardNodes)',
  crc32a: '	return int(crc32.ChecksumIEEE([]byte(key)) % uint32(len(shardNodes)))',
};

const READING = `
// shardNode is a node of a shard. One that fails is left out for a second, while another one answers.
type shardNode struct {
	deadUntil int64
	client    *memcache.Client
}

// shardClient asks the nodes of each shard in turn, and another one when one fails.
type shardClient struct {
	nodes [][]*shardNode
	turn  uint32
}

func (c *shardClient) read(shard int, ask func(*memcache.Client) error) (err error) {
	nodes := c.nodes[shard]
	first := int(atomic.AddUint32(&c.turn, 1))
	for _, isLastTry := range []bool{false, true} {
		for i := range nodes {
			node := nodes[(first+i)%len(nodes)]
			isDead := time.Now().UnixNano() < atomic.LoadInt64(&node.deadUntil)
			if isDead != isLastTry {
				continue
			}
			err = ask(node.client)
			if err == nil || err == memcache.ErrCacheMiss || err == memcache.ErrMalformedKey {
				return err
			}
			atomic.StoreInt64(&node.deadUntil, time.Now().Add(time.Second).UnixNano())
		}
	}
	return err
}

func (c *shardClient) Get(key string) (item *memcache.Item, err error) {
	err = c.read(shardOf(key), func(client *memcache.Client) (err error) {
		item, err = client.Get(key)
		return err
	})
	return item, err
}

func (c *shardClient) GetMulti(keys []string) (map[string]*memcache.Item, error) {
	byShard := map[int][]string{}
	for _, key := range keys {
		shard := shardOf(key)
		byShard[shard] = append(byShard[shard], key)
	}
	type answer struct {
		items map[string]*memcache.Item
		err   error
	}
	answers := make(chan answer, len(byShard))
	for shard, some := range byShard {
		go func(shard int, some []string) {
			var one answer
			one.err = c.read(shard, func(client *memcache.Client) (err error) {
				one.items, err = client.GetMulti(some)
				return err
			})
			answers <- one
		}(shard, some)
	}
	found := map[string]*memcache.Item{}
	var err error
	for range byShard {
		one := <-answers
		if one.err != nil {
			err = one.err
		}
		for key, item := range one.items {
			found[key] = item
		}
	}
	return found, err
}

func connectShards() *shardClient {
	c := &shardClient{}
	for _, addresses := range shardNodes {
		var nodes []*shardNode
		for _, address := range addresses {
			client := memcache.New(address)
			client.Timeout = time.Second
			nodes = append(nodes, &shardNode{client: client})
		}
		c.nodes = append(c.nodes, nodes)
	}
	return c
}
`;

/** A file for Go: a client of gomemcache for each node, and what asks each key's shard, its nodes in turn. */
export function gomemcacheSnippet(topology: Topology): string {
  const shards = shardsInOrder(topology);
  const lists = shards.map(({ nodes }) => {
    return `\t{${nodes.map(({ address }) => `"${formatAddress(address)}"`).join(', ')}},`;
  });
  const isSlots = topology.hash === 'slots';
  const firsts = shards.map(({ slots }) => slots?.first).join(', ');
  return `// A client of all shards, for gomemcache. Printed by goromdb cluster gomemcache.
package main

import (
${isSlots ? '\t"strings"' : '\t"hash/crc32"'}
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

var shardNodes = [][]string{
${lists.join('\n')}
}
${isSlots ? `\nvar firstSlots = []int{${firsts}}\n${SLOT_OF}` : ''}
func shardOf(key string) int {
${SHARD_OF[topology.hash]}
}
${READING}`;
}
