import { describe, expect, it } from 'vitest';
import { GoromdbError } from '../../src/common/errors.ts';
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../../src/storage/scanners/scanner.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { FAST_HASH, hashFunctionOf } from '../../src/storage/table/hash.ts';
import { openTable } from '../../src/storage/table/table.ts';
import { TableBuilder, type TableInMemory } from '../../src/storage/table/table-builder.ts';
import { collidingKeys } from '../support/colliding-keys.ts';
import { addRecords, infoOf, type TestRecord } from '../support/storages.ts';

const MIB = 1024 * 1024;

function build(records: Iterable<TestRecord>): TableInMemory {
  const builder = new TableBuilder();
  addRecords(builder, records);
  return builder.build();
}

function open(parts: TableInMemory): Storage {
  return openTable(parts, infoOf(parts.layout.keys, parts.layout.bytes));
}

function valueAt(storage: Storage, key: Buffer | string): string | undefined {
  const bytes = Buffer.from(key);
  const entry = storage.get(bytes, 0, bytes.length);
  return entry?.buffer.toString('latin1', entry.valueStart, entry.valueEnd);
}

function* numbered(count: number, value = 'value'): Generator<TestRecord> {
  for (let i = 0; i < count; i++) yield [`key:${i}`, value];
}

function errorOf(action: () => unknown): GoromdbError {
  try {
    action();
  } catch (error) {
    if (error instanceof GoromdbError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('building a table in memory', () => {
  it('counts distinct keys when some come again and again, also in another segment', () => {
    const records: TestRecord[] = [];
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 1000; i++) records.push([`key:${i}`, `${round}:${'v'.repeat(100)}`]);
    }
    const parts = build(records);
    expect(parts.layout.segments.length).toBeGreaterThan(1);
    expect(parts.layout).toMatchObject({ keys: 1000, records: 5000 });
    const table = open(parts);
    for (let i = 0; i < 1000; i++) expect(valueAt(table, `key:${i}`)).toBe(`4:${'v'.repeat(100)}`);
  });

  it('copies what it is given: a scanner reuses its buffers', () => {
    const builder = new TableBuilder();
    const lent = Buffer.from('..a..one..');
    builder.add(lent, 2, 3, lent, 5, 8, 0);
    lent.write('..b..two..');
    builder.add(lent, 2, 3, lent, 5, 8, 0);
    lent.fill(0);
    const table = open(builder.build());
    expect([valueAt(table, 'a'), valueAt(table, 'b')]).toEqual(['one', 'two']);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 100])(
    'leaves an empty slot, where a search ends, with %i keys',
    (count) => {
      const { place, layout } = build(numbered(count));
      const offsets = new Uint32Array(place.memory.at(-1)!).filter((_, i) => i % 2 === 0);
      expect(offsets.length * 8).toBe(layout.index.bytes);
      expect(offsets.filter((offset) => offset === 0).length).toBe(offsets.length - count);
      expect(offsets.length).toBeGreaterThan(count);
    },
  );

  it('counts the records whose keys came before, and reports the first', () => {
    const builder = new TableBuilder();
    addRecords(builder, numbered(100));
    builder.build();
    expect(builder.repeats).toBeUndefined();
    const again = new TableBuilder();
    const keys = ['a', 'b', 'c', 'b', 'a', 'b'];
    addRecords(
      again,
      keys.map((key, i): TestRecord => [key, String(i)]),
    );
    const table = open(again.build());
    expect(again.repeats).toEqual({ count: 3, first: 3, key: Buffer.from('b') });
    expect(['a', 'b', 'c'].map((key) => valueAt(table, key))).toEqual(['4', '5', '2']);
  });

  it('needs no data at all', () => {
    const parts = build([]);
    expect(parts.layout.keys).toBe(0);
    expect(valueAt(open(parts), 'key')).toBeUndefined();
  });

  it('makes the same table of the same records', () => {
    expect(build(numbered(1000))).toEqual(build(numbered(1000)));
  });

  it('refuses flags that are not an unsigned 32-bit number', () => {
    for (const flags of [-1, 1.5, 2 ** 32, Number.NaN]) {
      expect(() => build([['key', 'value', flags]])).toThrow(RangeError);
    }
  });

  it('is copied to another thread as plain data', () => {
    const copy = structuredClone(build([['b', 'of b', 2]]));
    expect(valueAt(open(copy), 'b')).toBe('of b');
  });
});

describe('the segments of a table', () => {
  it('begin small and double', () => {
    const { memory } = build(numbered(1500, 'v'.repeat(1000))).place;
    expect(memory.slice(0, -1).map(({ byteLength }) => byteLength)).toEqual(
      [256, 512, 1024].map((kib) => kib * 1024),
    );
  });

  it('are as large as a record that no ordinary segment can hold', () => {
    const large = Buffer.alloc(65 * MIB, 'L');
    const parts = build([
      ['before', 'b'],
      ['large', large],
      ['behind', 'a'],
    ]);
    expect(parts.layout.segments[1].bytes).toBeGreaterThan(large.length);
    const table = open(parts);
    expect([valueAt(table, 'before'), valueAt(table, 'behind')]).toEqual(['b', 'a']);
    const { buffer, valueStart, valueEnd } = table.get(Buffer.from('large'), 0, 5)!;
    expect(buffer.subarray(valueStart, valueEnd).equals(large)).toBe(true);
  });
});

describe('the limits of a table', () => {
  it('refuses a key that is too long', () => {
    const longest = 'k'.repeat(KEY_BYTES_MAX);
    expect(build([[longest, 'value']]).layout.keys).toBe(1);
    const error = errorOf(() => build([[`${longest}k`, 'value']]));
    expect(error.code).toBe('LIMIT_EXCEEDED');
    expect(error.message).toBe('a key is too large: expected at most 65535, found 65536');
  });

  it('refuses a value that is too long', () => {
    const builder = new TableBuilder();
    // Only the length counts: it is refused before a byte of it is read.
    const add = (): void =>
      builder.add(Buffer.from('key'), 0, 3, Buffer.alloc(0), 0, VALUE_BYTES_MAX + 1, 0);
    expect(errorOf(add).code).toBe('LIMIT_EXCEEDED');
  });

  it('takes what its layout says', () => {
    const { layout } = build(numbered(1000, 'v'.repeat(100)));
    const keyBytes = 10 * 'key:0'.length + 90 * 'key:10'.length + 900 * 'key:100'.length;
    const otherBytes = '..'.length + ' 0 100\r\n'.length + 100 + '\r\n'.length;
    expect(layout.index.bytes / 8).toBe(Math.ceil(1000 / 0.7));
    // One byte more: offset 0 is kept free.
    expect(layout.segments.map(({ bytes }) => bytes)).toEqual([keyBytes + 1000 * otherBytes + 1]);
  });
});

describe('keys that were chosen to collide', () => {
  it('exist: some have one hash under all seeds', () => {
    const keys = [...collidingKeys(64)];
    expect(new Set(keys.map((key) => key.toString('latin1'))).size).toBe(64);
    for (let seed = 0; seed < 2 ** 32; seed += 15_485_863) {
      const hash = hashFunctionOf({ kind: 'fnv1a', seed });
      expect(new Set(keys.map((key) => hash(key, 0, key.length))).size).toBe(1);
    }
  });

  it('are served when they are few, also where their run goes on at the start of the index', () => {
    for (let count = 50; count < 150; count++) {
      const keys = [...collidingKeys(count)];
      const parts = build(keys.map((key, i) => [key, `value ${i}`]));
      expect(parts.layout.hash).toEqual(FAST_HASH);
      const table = open(parts);
      expect(keys.map((key) => valueAt(table, key))).toEqual(keys.map((_, i) => `value ${i}`));
    }
  });

  it('are indexed by another hash when they are many, and are served', () => {
    const keys = [...collidingKeys(2000)];
    const parts = build(keys.map((key, i) => [key, `value ${i}`]));
    expect(parts.layout.hash.kind).toBe('halfsiphash');
    const table = open(parts);
    expect(keys.map((key) => valueAt(table, key))).toEqual(keys.map((_, i) => `value ${i}`));
    expect(valueAt(table, 'another')).toBeUndefined();
    const others = build(keys.slice(0, -1).map((key) => [key, 'value'])).layout.hash;
    expect(others).not.toEqual(parts.layout.hash);
  });
});
