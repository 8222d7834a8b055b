import { describe, expect, test } from 'vitest';
import { type Address, parseAddress } from '../../src/common/address.ts';
import { covers, isPart, nodeAt, partOf, placeOf } from '../../src/shards/place.ts';
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

describe('a part of the keys', () => {
  const slots = [
    { first: 0, last: 8191 },
    { first: 8192, last: 16_383 },
  ].map((slots, idx) => ({ idx, slots }));

  test('is named by its slots, or its number', () => {
    expect(partOf({ hash: 'slots', shards: slots }, 1)).toBe('slots 8192-16383');
    expect(partOf(topology, 1)).toBe('crc32 1/2');
    expect(isPart('slots 8192-16383')).toBe(true);
    expect(isPart('crc32a 1/2')).toBe(true);
    for (const text of ['', 'slots', 'slots 1', 'crc32 1/2 ', 'slots 0-123456']) {
      expect(isPart(text)).toBe(false);
    }
  });

  test.each([
    ['slots 0-8191', 'slots 0-4095', true],
    ['slots 0-8191', 'slots 4096-8191', true],
    ['slots 0-8191', 'slots 0-8191', true],
    ['slots 0-8191', 'slots 4096-8192', false],
    ['slots 1-8191', 'slots 0-4095', false],
    ['crc32 1/2', 'crc32 1/4', true],
    ['crc32 1/2', 'crc32 3/4', true],
    ['crc32 1/2', 'crc32 4/6', false],
    ['crc32 1/2', 'crc32 1/3', false],
    ['crc32 1/4', 'crc32 1/2', false],
    ['crc32 0/1', 'crc32 2/3', true],
    ['crc32 1/2', 'crc32a 1/4', false],
    ['slots 0-8191', 'crc32 0/2', false],
    ['nonsense', 'nonsense', false],
  ])('%s covers %s: %s', (whole, part, expected) => {
    expect(covers(whole, part)).toBe(expected);
  });
});
