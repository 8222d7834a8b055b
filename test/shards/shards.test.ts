import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { epochOf, type Shard, type ShardHash, shardFunctionOf } from '../../src/shards/shards.ts';
import { slotOf, slotsOf } from '../../src/shards/slots.ts';

function shards(count: number, hash: ShardHash = 'slots', port = 1): readonly Shard[] {
  return Array.from({ length: count }, (_, idx) => ({
    name: `shard${idx}`,
    idx,
    slots: hash === 'slots' ? slotsOf(idx, count) : undefined,
    nodes: [{ address: { kind: 'tcp', host: 'localhost', port: port + idx } }],
  }));
}

/** In the middle of other bytes, as keys come. */
function shardOf(hash: ShardHash, count: number, key: Uint8Array): number {
  const bytes = Buffer.concat([Buffer.from('get '), key, Buffer.from('\r\n')]);
  const { shardOf } = shardFunctionOf({ hash, shards: shards(count, hash) });
  return shardOf(bytes, 4, 4 + key.length);
}

const key = fc.uint8Array({ maxLength: 300 });
const count = fc.integer({ min: 1, max: 256 });

test('crc32a is the CRC-32 of zlib, modulo any number of shards', () => {
  fc.assert(
    fc.property(key, count, (bytes, n) => {
      expect(shardOf('crc32a', n, bytes)).toBe(crc32(bytes) % n);
    }),
  );
});

test('crc32 is the one of libmemcached: fifteen bits of its upper half', () => {
  fc.assert(
    fc.property(key, count, (bytes, n) => {
      expect(shardOf('crc32', n, bytes)).toBe(((crc32(bytes) >>> 16) & 0x7fff) % n);
    }),
  );
});

test('with slots, a key of shard i is in shard i or i + n of twice as many', () => {
  const power = fc.integer({ min: 0, max: 7 }).map((bits) => 2 ** bits);
  fc.assert(
    fc.property(key, power, (bytes, n) => {
      const before = shardOf('slots', n, bytes);
      expect([before, before + n]).toContain(shardOf('slots', 2 * n, bytes));
    }),
  );
});

test('with slots, a key is in the shard that has its slot', () => {
  fc.assert(
    fc.property(key, (bytes) => {
      const slot = slotOf(Buffer.from(bytes), 0, bytes.length);
      const { first, last } = slotsOf(shardOf('slots', 8, bytes), 8);
      expect(slot).toBeGreaterThanOrEqual(first);
      expect(slot).toBeLessThanOrEqual(last);
    }),
  );
});

test('the epoch changes with what leads keys elsewhere, and not with names and addresses', () => {
  const epoch = epochOf({ hash: 'slots', shards: shards(4) });
  expect(epoch).toMatch(/^[0-9a-f]{16}$/);
  const renamed = shards(4, 'slots', 900).map((shard) => ({ ...shard, name: `x${shard.idx}` }));
  expect(epochOf({ hash: 'slots', shards: renamed })).toBe(epoch);
  const others = [
    epochOf({ hash: 'slots', shards: shards(8) }),
    epochOf({ hash: 'crc32', shards: shards(4, 'crc32') }),
    epochOf({ hash: 'crc32a', shards: shards(4, 'crc32a') }),
    epochOf({ hash: 'crc32a', shards: shards(5, 'crc32a') }),
  ];
  expect(new Set([epoch, ...others]).size).toBe(5);
});
