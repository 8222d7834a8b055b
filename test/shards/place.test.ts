import { describe, expect, test } from 'vitest';
import { type Address, parseAddress } from '../../src/common/address.ts';
import { nodeAt, placeOf } from '../../src/shards/place.ts';
import type { Topology } from '../../src/shards/shards.ts';

function tcp(text: string): Extract<Address, { kind: 'tcp' }> {
  return parseAddress(text) as Extract<Address, { kind: 'tcp' }>;
}

const topology: Topology = {
  hash: 'crc32',
  shards: [
    { name: 'a', idx: 0, nodes: [{ address: tcp('h0:1') }] },
    { name: 'b', idx: 1, nodes: [{ address: tcp('h1:1') }, { address: tcp('h2:1') }] },
  ],
};

describe('a server is', () => {
  test('the only node of its shard, wherever it listens', () => {
    const place = placeOf(topology, { shard: 'a', address: parseAddress(':11211') });
    expect(place).toEqual({ topology, shard: 0, node: 0 });
    expect(nodeAt(place).address).toEqual(tcp('h0:1'));
  });

  test('of several nodes the one that is named, or where it listens', () => {
    expect(placeOf(topology, { shard: 'b', address: tcp('h2:1') })).toMatchObject({ node: 1 });
    const named = { shard: 'b', node: tcp('h1:1'), address: tcp('h2:1') };
    expect(placeOf(topology, named)).toMatchObject({ shard: 1, node: 0 });
  });

  test('not known when nothing says which', () => {
    const message = '-node: expected the address of one of the nodes of b: h1:1, h2:1';
    expect(() => placeOf(topology, { shard: 'b' })).toThrow(message);
    expect(() => placeOf(topology, { shard: 'b', address: tcp(':1') })).toThrow(message);
  });
});
