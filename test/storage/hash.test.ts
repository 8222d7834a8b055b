import { describe, expect, test } from 'vitest';
import { FAST_HASH, firstSlot, hashFunctionOf } from '../../src/storage/table/hash.ts';
import { TableBuilder } from '../../src/storage/table/table-builder.ts';
import { chosenKeys } from '../support/chosen-keys.ts';
import { Random } from '../support/random-bytes.ts';
import { addRecords } from '../support/storages.ts';

/**
 * HalfSipHash as its authors describe it, for any number of rounds, without a thought of speed.
 * https://github.com/veorq/SipHash, halfsiphash.c.
 */
function reference(key: Buffer, k0: number, k1: number, cRounds: number, dRounds: number): number {
  const rotate = (word: number, by: number): number => ((word << by) | (word >>> (32 - by))) >>> 0;
  const v = [k0, k1, 0x6c796765 ^ k0, 0x74656462 ^ k1].map((word) => word >>> 0);
  const round = (): void => {
    v[0] = (v[0] + v[1]) >>> 0;
    v[1] = (rotate(v[1], 5) ^ v[0]) >>> 0;
    v[0] = rotate(v[0], 16);
    v[2] = (v[2] + v[3]) >>> 0;
    v[3] = (rotate(v[3], 8) ^ v[2]) >>> 0;
    v[0] = (v[0] + v[3]) >>> 0;
    v[3] = (rotate(v[3], 7) ^ v[0]) >>> 0;
    v[2] = (v[2] + v[1]) >>> 0;
    v[1] = (rotate(v[1], 13) ^ v[2]) >>> 0;
    v[2] = rotate(v[2], 16);
  };
  const padded = Buffer.alloc(Math.floor(key.length / 4) * 4 + 4);
  key.copy(padded);
  padded[padded.length - 1] = key.length & 0xff;
  for (let at = 0; at < padded.length; at += 4) {
    const word = padded.readUInt32LE(at);
    v[3] = (v[3] ^ word) >>> 0;
    for (let i = 0; i < cRounds; i++) round();
    v[0] = (v[0] ^ word) >>> 0;
  }
  v[2] = (v[2] ^ 0xff) >>> 0;
  for (let i = 0; i < dRounds; i++) round();
  return (v[1] ^ v[3]) >>> 0;
}

describe('HalfSipHash-1-3', () => {
  test('is checked against a description of it that gives what its authors publish for 2-4', () => {
    const counted = Buffer.from(Array.from({ length: 64 }, (_, i) => i));
    const [k0, k1] = [counted.readUInt32LE(0), counted.readUInt32LE(4)];
    // The first of vectors_hsip32 in vectors.h, as little-endian words.
    const published = [0x5b9f35a9, 0xb85a4727, 0x03a662fa, 0x04e7fe8a, 0x89466e2a];
    const found = published.map((_, length) =>
      reference(counted.subarray(0, length), k0, k1, 2, 4),
    );
    expect(found).toEqual(published);
  });

  test('is that, for keys of all lengths at all places', () => {
    const random = new Random(11);
    const memory = Buffer.from(Array.from({ length: 700 }, () => random.below(256)));
    for (let length = 0; length <= 600; length++) {
      const key = [random.below(2 ** 32), random.below(2 ** 32)] as const;
      const start = random.below(8);
      const hash = hashFunctionOf({ kind: 'halfsiphash', key });
      const expected = reference(memory.subarray(start, start + length), ...key, 1, 3);
      expect(hash(memory, start, start + length), `length ${length}`).toBe(expected);
    }
  });
});

describe('FNV-1a', () => {
  test('ends with a mixer: known hashes', () => {
    const hash = hashFunctionOf(FAST_HASH);
    const hashes = ['', 'a', 'foobar'].map((key) => hash(Buffer.from(key), 0, key.length));
    // FNV-1a has 811c9dc5, e40c292c and bf9cf968 for them; then fmix32 of MurmurHash3.
    expect(hashes).toEqual([0x811c9dc5, 0xe40c292c, 0xbf9cf968].map(fmix32));
  });

  function fmix32(hash: number): number {
    const mask = 0xffff_ffffn;
    let h = BigInt(hash);
    h ^= h >> 16n;
    h = (h * 0x85ebca6bn) & mask;
    h ^= h >> 13n;
    h = (h * 0xc2b2ae35n) & mask;
    return Number(h ^ (h >> 16n));
  }
});

describe('keys that were chosen, and get the other hash', () => {
  function hashOf(keys: Iterable<Buffer>): string {
    const builder = new TableBuilder();
    addRecords(
      builder,
      (function* () {
        for (const key of keys) yield [key, 'v'] as const;
      })(),
    );
    return builder.build().layout.hash.kind;
  }

  const fast = hashFunctionOf(FAST_HASH);

  /** Where the search for a key begins in the index of so many keys. */
  const slotOf = (key: Buffer, count: number): number =>
    firstSlot(fast(key, 0, key.length), Math.ceil(count / 0.7));

  test('hundreds in a place, which to compare with each other would take hours', () => {
    const together = 400;
    const groups: Buffer[][] = [];
    for (const [i, key] of [...chosenKeys(500 * together, together)].entries()) {
      if (i % together === 0) groups.push([]);
      groups.at(-1)!.push(key);
    }
    // Those that lie evenly, so that no row of slots is long.
    const even = (count: number): Buffer[] => {
      const keys = count * together;
      return Array.from({ length: count }, (_, i) => {
        const distance = ([key]: Buffer[]): number =>
          Math.abs(slotOf(key, keys) - (i + 0.2) * (together / 0.7));
        return groups.reduce((best, group) => (distance(group) < distance(best) ? group : best));
      }).flat();
    };
    expect(hashOf(even(10))).toBe('fnv1a');
    expect(hashOf(even(20))).toBe('halfsiphash');
  });

  test('side by side, in a row that would make misses slow', () => {
    const inRow = (count: number): Buffer[] => {
      const keys = new Map<number, Buffer>();
      for (let i = 0; i < 40_000; i++) {
        const key = Buffer.from(`key ${i}`);
        const slot = slotOf(key, count);
        if (slot < count) keys.set(slot, key);
      }
      return [...keys.values()];
    };
    expect(inRow(1000)).toHaveLength(1000);
    expect(hashOf(inRow(1000))).toBe('fnv1a');
    expect(inRow(1100)).toHaveLength(1100);
    expect(hashOf(inRow(1100))).toBe('halfsiphash');
  });
});
