import { describe, expect, it, test } from 'vitest';
import { Asker, createLookupMemory, LookupCounts } from '../../src/storage/lookup-counts.ts';
import { createSampleMemory, LookupSampler } from '../../src/storage/lookup-sample.ts';
import {
  RecordReader,
  recordBytes,
  writeRecordHead,
  writeRecordTail,
} from '../../src/storage/record.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { firstSlot, type HashSpec, hashFunctionOf } from '../../src/storage/table/hash.ts';
import { openTable } from '../../src/storage/table/table.ts';
import { layoutOf } from '../../src/storage/table/table-layout.ts';
import { Random } from '../support/random-bytes.ts';
import { infoOf, MapStorage, tableOf } from '../support/storages.ts';
import { storageContract } from './contract.ts';

storageContract('a table in memory', (records) => tableOf(records));
storageContract('a table whose lookups are sampled', (records) =>
  new LookupSampler(createSampleMemory(1), 0, 1).observe(
    tableOf(records),
    new LookupCounts(createLookupMemory(1), 0, new Asker()),
  ),
);
storageContract('a storage made of a Map', (records) => new MapStorage(records));

describe('a table', () => {
  it('finds nothing after it was closed', () => {
    const table = tableOf([['key', 'value']]);
    table.close();
    expect(table.get(Buffer.from('key'), 0, 3)).toBeUndefined();
  });

  it('reuses one entry for all hits', () => {
    const table = tableOf([
      ['a', '1'],
      ['b', '22'],
    ]);
    const first = table.get(Buffer.from('a'), 0, 1);
    const second = table.get(Buffer.from('b'), 0, 1);
    expect(second).toBe(first);
    expect(second!.valueEnd - second!.valueStart).toBe(2);
  });
});

const HASH: HashSpec = { kind: 'fnv1a', seed: 1 };
const hashOf = hashFunctionOf(HASH);

/** A table of one record and two slots. */
function tinyTable(key: Buffer): Storage {
  const segment = Buffer.alloc(256);
  const hash = hashOf(key, 0, key.length);
  writeRecordTail(segment, writeRecordHead(segment, 1, key, 0, key.length, 0, 0));
  const index = new Uint32Array(4);
  index.set([1, (hash & 0xffff) << 16], firstSlot(hash, 2) * 2);
  const segments = [{ bytes: segment.length, crc32: 0 }];
  const layout = layoutOf({
    ...{ hash: HASH, keys: 1, records: 1, segments, slots: 2, index: { crc32: 0 } },
  });
  return openTable({ layout, place: { memory: [segment.buffer, index.buffer] } }, infoOf(1, 0));
}

describe('a table whose index cannot distinguish two keys', () => {
  it.each([
    ['that begins with it', (i: number) => [`${i}:and more`, `${i}`]],
    ['of the same length', (i: number) => ['the key', i.toString(36).padStart(7, '0')]],
  ])('does not take a key for one %s', (_, make) => {
    for (let i = 0; ; i++) {
      const [key, asked] = make(i).map((text) => Buffer.from(text));
      const hash = hashOf(key, 0, key.length);
      const askedHash = hashOf(asked, 0, asked.length);
      const isLookalike =
        (hash & 0xffff) === (askedHash & 0xffff) && firstSlot(hash, 2) === firstSlot(askedHash, 2);
      if (!isLookalike) continue;
      const table = tinyTable(key);
      expect(table.get(key, 0, key.length)).toBeDefined();
      expect(table.get(asked, 0, asked.length)).toBeUndefined();
      return;
    }
  });
});

describe('the first slot of a hash', () => {
  it('is within the index for any hash and any number of slots', () => {
    const hashes = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1];
    for (const slots of [1, 2, 3, 7, 1000, 2 ** 28 + 1, 2 ** 29 - 1]) {
      for (const hash of hashes) {
        const slot = firstSlot(hash, slots);
        expect(Number.isInteger(slot) && slot >= 0 && slot < slots).toBe(true);
        expect(slot).toBe(Number((BigInt(hash) * BigInt(slots)) >> 32n));
      }
    }
  });
});

describe.each<[string, (a: number, b: number) => HashSpec]>([
  ['fnv1a', (seed) => ({ kind: 'fnv1a', seed })],
  ['halfsiphash', (a, b) => ({ kind: 'halfsiphash', key: [a, b] })],
])('the hash %s of a key', (_, specOf) => {
  it('depends on the secret, all bytes and the length, and is unsigned', () => {
    const key = Buffer.from('user:1001');
    const hashes = [
      hashFunctionOf(specOf(0, 0))(key, 0, 9),
      hashFunctionOf(specOf(1, 0))(key, 0, 9),
      hashFunctionOf(specOf(2 ** 32 - 1, 0))(key, 0, 9),
      ...[8, 7, 6, 5, 4, 1].map((end) => hashFunctionOf(specOf(0, 0))(key, 0, end)),
      hashFunctionOf(specOf(0, 0))(key, 1, 9),
      hashFunctionOf(specOf(0, 0))(key, 0, 0),
      hashFunctionOf(specOf(1, 0))(key, 0, 0),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hashes.every((hash) => hash >>> 0 === hash)).toBe(true);
  });

  it('spreads numbered keys evenly over the slots', () => {
    const hash = hashFunctionOf(specOf(0x9e3779b9, 0x7f4a7c15));
    const slots = 1000;
    const counts = new Uint32Array(slots);
    for (let i = 0; i < 100_000; i++) {
      const key = Buffer.from(`key:${i}`);
      counts[firstSlot(hash(key, 0, key.length), slots)]++;
    }
    // 100 a slot on average, with a standard deviation of 10.
    expect(Math.max(...counts)).toBeLessThan(170);
    expect(Math.min(...counts)).toBeGreaterThan(40);
  });
});

test('HalfSipHash-1-3 is what a plain implementation of its definition gives', () => {
  const rotate = (x: number, bits: number): number => ((x << bits) | (x >>> (32 - bits))) >>> 0;
  const plain = (message: Buffer, k0: number, k1: number): number => {
    const v = [k0, k1, 0x6c796765 ^ k0, 0x74656462 ^ k1].map((word) => word >>> 0);
    const add = (a: number, b: number): void => {
      v[a] = (v[a] + v[b]) >>> 0;
    };
    const mix = (a: number, bits: number, b: number): void => {
      v[a] = (rotate(v[a], bits) ^ v[b]) >>> 0;
    };
    const round = (): void => {
      add(0, 1);
      mix(1, 5, 0);
      v[0] = rotate(v[0], 16);
      add(2, 3);
      mix(3, 8, 2);
      add(0, 3);
      mix(3, 7, 0);
      add(2, 1);
      mix(1, 13, 2);
      v[2] = rotate(v[2], 16);
    };
    const padded = Buffer.alloc(Math.floor(message.length / 4) * 4 + 4);
    message.copy(padded);
    padded[padded.length - 1] = message.length & 0xff;
    for (let at = 0; at < padded.length; at += 4) {
      const word = padded.readUInt32LE(at);
      v[3] = (v[3] ^ word) >>> 0;
      round();
      v[0] = (v[0] ^ word) >>> 0;
    }
    v[2] = (v[2] ^ 0xff) >>> 0;
    for (let i = 0; i < 3; i++) round();
    return (v[1] ^ v[3]) >>> 0;
  };
  const random = new Random(7);
  for (let length = 0; length < 300; length++) {
    const message = random.bytes(length + 3);
    const key = [random.bytes(4).readUInt32LE(0), random.bytes(4).readUInt32LE(0)] as const;
    const hash = hashFunctionOf({ kind: 'halfsiphash', key });
    const own = message.subarray(3);
    expect(hash(message, 3, message.length)).toBe(plain(own, key[0], key[1]));
  }
});

describe('a record', () => {
  it('takes exactly the bytes that were planned for it, and reads back', () => {
    const key = Buffer.alloc(65_535, 'k');
    const reader = new RecordReader();
    for (const keyBytes of [0, 1, 127, 128, 16_383, 16_384, 65_535]) {
      for (const valueBytes of [
        0, 9, 10, 127, 128, 16_384, 2_097_151, 2_097_152, 268_435_456, 536_870_912,
      ]) {
        for (const flags of [0, 10, 2 ** 31, 2 ** 32 - 1]) {
          // The value's bytes are left out: only where they lie matters here.
          const segment = Buffer.alloc(keyBytes + 64);
          const valueStart = writeRecordHead(segment, 1, key, 0, keyBytes, valueBytes, flags);
          expect(valueStart + valueBytes + 2 - 1).toBe(recordBytes(keyBytes, valueBytes, flags));
          reader.readKey(segment, 1);
          expect([reader.keyEnd - reader.keyStart, reader.valueBytes]).toEqual([
            keyBytes,
            valueBytes,
          ]);
          reader.readValue(segment);
          expect([reader.flags, reader.valueStart, reader.valueEnd]).toEqual([
            flags,
            valueStart,
            valueStart + valueBytes,
          ]);
        }
      }
    }
  });

  it('is text that a reply can use as it is', () => {
    const segment = Buffer.alloc(64, '.');
    const valueStart = writeRecordHead(segment, 1, Buffer.from('a key'), 2, 5, 3, 42);
    segment.write('abc', valueStart);
    const end = writeRecordTail(segment, valueStart + 3);
    expect(segment.toString('latin1', 1, end)).toBe('\x03\x03key 42 3\r\nabc\r\n');
  });
});
