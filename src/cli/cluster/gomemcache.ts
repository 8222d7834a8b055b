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

/** A file for Go: a selector for gomemcache that asks each key's shard, its nodes in turn. */
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
${isSlots ? '' : '\t"hash/crc32"\n'}	"net"
${isSlots ? '\t"strings"\n' : ''}	"sync/atomic"

	"github.com/bradfitz/gomemcache/memcache"
)

var shardNodes = [][]string{
${lists.join('\n')}
}
${isSlots ? `\nvar firstSlots = []int{${firsts}}\n${SLOT_OF}` : ''}
func shardOf(key string) int {
${SHARD_OF[topology.hash]}
}

// shardSelector asks the nodes of a shard in turn: repeat a get that failed, and another one is asked.
type shardSelector struct {
	addresses [][]net.Addr
	turn      uint32
}

func (s *shardSelector) PickServer(key string) (net.Addr, error) {
	nodes := s.addresses[shardOf(key)]
	return nodes[int(atomic.AddUint32(&s.turn, 1)%uint32(len(nodes)))], nil
}

func (s *shardSelector) Each(call func(net.Addr) error) error {
	for _, nodes := range s.addresses {
		for _, node := range nodes {
			if err := call(node); err != nil {
				return err
			}
		}
	}
	return nil
}

func connectShards() (*memcache.Client, error) {
	selector := &shardSelector{}
	for _, nodes := range shardNodes {
		var addresses []net.Addr
		for _, node := range nodes {
			address, err := net.ResolveTCPAddr("tcp", node)
			if err != nil {
				return nil, err
			}
			addresses = append(addresses, address)
		}
		selector.addresses = append(selector.addresses, addresses)
	}
	return memcache.NewFromSelector(selector), nil
}
`;
}
