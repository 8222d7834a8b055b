import { describe, expect, it } from 'vitest';
import { hashKey } from '../../src/storage/hash.ts';
import { createSampleMemory, LookupSampler } from '../../src/storage/lookup-sample.ts';
import {
  RecordReader,
  recordBytes,
  writeRecordHead,
  writeRecordTail,
} from '../../src/storage/record.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { firstSlot, openTable } from '../../src/storage/table.ts';
import { infoOf, MapStorage, tableOf } from '../support/storages.ts';
import { storageContract } from './contract.ts';

storageContract('a table in shared memory', (records) => tableOf(records, true));
storageContract('a table in memory of its own', (records) => tableOf(records, false));
storageContract('a table whose lookups are sampled', (records) =>
  new LookupSampler(createSampleMemory(1), 0, 1).observe(tableOf(records)),
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

/** A table of one record and two slots, with a seed that is known beforehand. */
function tinyTable(key: Buffer): Storage {
  const segment = Buffer.alloc(256);
  const hash = hashKey(key, 0, key.length, 1);
  writeRecordTail(segment, writeRecordHead(segment, 1, key, 0, key.length, 0, 0));
  const index = new Uint32Array(4);
  index.set([1, (hash & 0xffff) << 16], firstSlot(hash, 2) * 2);
  const parts = {
    segments: [segment.buffer],
    used: [segment.length],
    index: index.buffer,
    sums: [],
    slots: 2,
    seed: 1,
    keys: 1,
    bytes: 0,
  };
  return openTable(parts, infoOf(1, 0));
}

describe('a table whose index cannot tell two keys apart', () => {
  it.each([
    ['that begins with it', (i: number) => [`${i}:and more`, `${i}`]],
    ['of the same length', (i: number) => ['the key', i.toString(36).padStart(7, '0')]],
  ])('does not take a key for one %s', (_, make) => {
    for (let i = 0; ; i++) {
      const [key, asked] = make(i).map((text) => Buffer.from(text));
      const hash = hashKey(key, 0, key.length, 1);
      const askedHash = hashKey(asked, 0, asked.length, 1);
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

describe('the hash of a key', () => {
  it('depends on the seed, all bytes and the length, and is unsigned', () => {
    const key = Buffer.from('user:1001');
    const hashes = [
      hashKey(key, 0, 9, 0),
      hashKey(key, 0, 9, 1),
      hashKey(key, 0, 9, 2 ** 32 - 1),
      hashKey(key, 0, 8, 0),
      hashKey(key, 1, 9, 0),
      hashKey(key, 0, 0, 0),
      hashKey(key, 0, 0, 1),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hashes.every((hash) => hash >>> 0 === hash)).toBe(true);
  });

  it('spreads numbered keys evenly over the slots', () => {
    const slots = 1000;
    const counts = new Uint32Array(slots);
    for (let i = 0; i < 100_000; i++) {
      const key = Buffer.from(`key:${i}`);
      counts[firstSlot(hashKey(key, 0, key.length, 0x9e3779b9), slots)]++;
    }
    // 100 a slot on average, with a standard deviation of 10.
    expect(Math.max(...counts)).toBeLessThan(170);
    expect(Math.min(...counts)).toBeGreaterThan(40);
  });
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

  it('is text that a reply can use as it stands', () => {
    const segment = Buffer.alloc(64, '.');
    const valueStart = writeRecordHead(segment, 1, Buffer.from('a key'), 2, 5, 3, 42);
    segment.write('abc', valueStart);
    const end = writeRecordTail(segment, valueStart + 3);
    expect(segment.toString('latin1', 1, end)).toBe('\x03\x03key 42 3\r\nabc\r\n');
  });
});
