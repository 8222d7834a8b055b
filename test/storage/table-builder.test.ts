import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { GoromdbError } from '../../src/errors.ts';
import { hashKey } from '../../src/storage/hash.ts';
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../../src/storage/scanners/scanner.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { openTable, type TableParts } from '../../src/storage/table.ts';
import { TableBuilder } from '../../src/storage/table-builder.ts';
import { collidingKeys } from '../support/colliding-keys.ts';
import { addRecords, infoOf, type TestRecord } from '../support/storages.ts';

const MIB = 1024 * 1024;
const SEGMENT_BYTES_MAX = 64 * MIB;

function build(
  records: Iterable<TestRecord>,
  options: { shared?: boolean; bytesMax?: number } = {},
): TableParts {
  const builder = new TableBuilder({ shared: false, bytesMax: 512 * MIB, ...options });
  addRecords(builder, records);
  return builder.build();
}

function open(parts: TableParts): Storage {
  return openTable(parts, infoOf(parts.keys, parts.bytes));
}

function valueAt(storage: Storage, key: string): string | undefined {
  const entry = storage.get(Buffer.from(key), 0, key.length);
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

describe('building a table', () => {
  it('counts distinct keys when some come again and again, also in another segment', () => {
    const records: TestRecord[] = [];
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 1000; i++) records.push([`key:${i}`, `${round}:${'v'.repeat(100)}`]);
    }
    const parts = build(records);
    expect(parts.segments.length).toBeGreaterThan(1);
    expect(parts.keys).toBe(1000);
    const table = open(parts);
    for (let i = 0; i < 1000; i++) expect(valueAt(table, `key:${i}`)).toBe(`4:${'v'.repeat(100)}`);
  });

  it('copies what it is given: a scanner reuses its buffers', () => {
    const builder = new TableBuilder({ shared: false, bytesMax: MIB });
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
      const parts = build(numbered(count));
      const offsets = new Uint32Array(parts.index).filter((_, i) => i % 2 === 0);
      expect(offsets.length).toBe(parts.slots);
      expect(offsets.filter((offset) => offset === 0).length).toBe(parts.slots - count);
      expect(parts.slots).toBeGreaterThan(count);
    },
  );

  it('counts the records whose keys came before, and tells of the first', () => {
    const builder = new TableBuilder({ shared: false, bytesMax: MIB });
    addRecords(builder, numbered(100));
    builder.build();
    expect(builder.repeats).toBeUndefined();
    const again = new TableBuilder({ shared: false, bytesMax: MIB });
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
    expect(parts.keys).toBe(0);
    expect(valueAt(open(parts), 'key')).toBeUndefined();
  });

  it('takes another seed each time', () => {
    const seeds = Array.from({ length: 4 }, () => build([['key', 'value']]).seed);
    expect(new Set(seeds).size).toBeGreaterThan(1);
  });

  it('refuses flags that are not an unsigned 32-bit number', () => {
    for (const flags of [-1, 1.5, 2 ** 32, Number.NaN]) {
      expect(() => build([['key', 'value', flags]])).toThrow(RangeError);
    }
  });
});

describe('the segments of a table', () => {
  it('begin small and double', () => {
    const parts = build(numbered(1500, 'v'.repeat(1000)));
    expect(parts.segments.map((segment) => segment.byteLength)).toEqual(
      [256, 512, 1024].map((kib) => kib * 1024),
    );
  });

  it('are as large as a record that no ordinary segment can hold', () => {
    const large = Buffer.alloc(SEGMENT_BYTES_MAX + 1, 'L');
    const parts = build([
      ['before', 'b'],
      ['large', large],
      ['behind', 'a'],
    ]);
    const sizes = parts.segments.map((segment) => segment.byteLength);
    expect(sizes[1]).toBeGreaterThan(large.length);
    expect(sizes[2]).toBe(SEGMENT_BYTES_MAX);
    const table = open(parts);
    expect([valueAt(table, 'before'), valueAt(table, 'behind')]).toEqual(['b', 'a']);
    const { buffer, valueStart, valueEnd } = table.get(Buffer.from('large'), 0, 5)!;
    expect(buffer.subarray(valueStart, valueEnd).equals(large)).toBe(true);
  });

  it.each([false, true])('are of the kind of memory that was asked for (shared: %s)', (shared) => {
    const { segments, index } = build(numbered(10), { shared });
    const kind = shared ? SharedArrayBuffer : ArrayBuffer;
    for (const memory of [...segments, index]) expect(memory).toBeInstanceOf(kind);
  });
});

describe('the limits of a table', () => {
  it('refuses a key that is too long', () => {
    const longest = 'k'.repeat(KEY_BYTES_MAX);
    expect(build([[longest, 'value']]).keys).toBe(1);
    const error = errorOf(() => build([[`${longest}k`, 'value']]));
    expect(error.code).toBe('LIMIT_EXCEEDED');
    expect(error.message).toBe('a key is too large: expected at most 65535, found 65536');
  });

  it('refuses a value that is too long', () => {
    const builder = new TableBuilder({ shared: false, bytesMax: 1024 * MIB });
    // Only the length counts: it is refused before a byte of it is read.
    const add = (): void =>
      builder.add(Buffer.from('key'), 0, 3, Buffer.alloc(0), 0, VALUE_BYTES_MAX + 1, 0);
    expect(errorOf(add).code).toBe('LIMIT_EXCEEDED');
  });

  it('refuses a record as soon as its segment would go beyond the budget', () => {
    const error = errorOf(() => build([['key', Buffer.alloc(10 * MIB)]], { bytesMax: 5 * MIB }));
    expect(error.code).toBe('LIMIT_EXCEEDED');
    expect(error.message).toMatch(
      /^the data set in memory \(see -memory\) is too large: expected at most 5242880, found \d+$/,
    );
  });

  it('counts the index as well, and does so while records still come in', () => {
    let given = 0;
    const records = function* (): Generator<TestRecord> {
      for (const record of numbered(1_000_000, '')) {
        given++;
        yield record;
      }
    };
    // Records of 17 bytes with 11 bytes of index for each: 8 MiB are used up by some 300,000.
    expect(errorOf(() => build(records(), { bytesMax: 8 * MIB })).code).toBe('LIMIT_EXCEEDED');
    expect(given).toBeLessThan(600_000);
  });

  it('takes a data set that fits its budget exactly', () => {
    const { bytes } = build(numbered(1000));
    expect(build(numbered(1000), { bytesMax: bytes }).bytes).toBe(bytes);
    expect(errorOf(() => build(numbered(1000), { bytesMax: bytes - 1 })).code).toBe(
      'LIMIT_EXCEEDED',
    );
  });

  it('reports what records and index take, not what was reserved for them', () => {
    const { bytes, slots } = build(numbered(1000, 'v'.repeat(100)));
    const keyBytes = 10 * 'key:0'.length + 90 * 'key:10'.length + 900 * 'key:100'.length;
    const otherBytes = '..'.length + ' 0 100\r\n'.length + 100 + '\r\n'.length;
    expect(slots).toBe(Math.ceil(1000 / 0.7));
    // One byte more: offset 0 is kept free.
    expect(bytes).toBe(keyBytes + 1000 * otherBytes + 1 + slots * 8);
  });
});

describe('keys that were chosen to collide', () => {
  it('exist: some have one hash under all seeds', () => {
    const keys = [...collidingKeys(64)];
    expect(new Set(keys.map((key) => key.toString('latin1'))).size).toBe(64);
    for (let seed = 0; seed < 2 ** 32; seed += 15_485_863) {
      const hashes = keys.map((key) => hashKey(key, 0, key.length, seed));
      expect(new Set(hashes).size).toBe(1);
    }
  });

  it('are served when they are few', () => {
    const keys = [...collidingKeys(500)];
    const table = open(build(keys.map((key, i) => [key, `value ${i}`])));
    const values = keys.map((key) => {
      const entry = table.get(key, 0, key.length);
      return entry?.buffer.toString('latin1', entry.valueStart, entry.valueEnd);
    });
    expect(values).toEqual(keys.map((_, i) => `value ${i}`));
  });

  it('are served wherever their run begins, also when it goes on at the start of the index', () => {
    const keys = [...collidingKeys(50)];
    for (let round = 0; round < 100; round++) {
      const table = open(build(keys.map((key) => [key, 'value'])));
      expect(keys.filter((key) => table.get(key, 0, key.length) === undefined)).toEqual([]);
    }
  });

  it('are refused when they are many, before they make loading and every lookup slow', () => {
    const error = errorOf(() => build([...collidingKeys(2000)].map((key) => [key, 'value'])));
    expect(error.code).toBe('DATA_CORRUPT');
    expect(error.message).toContain('the keys collide in the hash index under 8 random seeds');
  });
});

describe('a table on its way to another thread', () => {
  const records: TestRecord[] = [
    ['a', 'of a', 1],
    ['b', 'of b', 2],
  ];

  it('is copied as plain data', () => {
    const copy = structuredClone(build(records));
    expect(valueAt(open(copy), 'b')).toBe('of b');
  });

  it('is handed over when its memory is of its own', () => {
    const parts = build(records);
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(parts, [...parts.segments, parts.index] as ArrayBuffer[]);
    const { message } = receiveMessageOnPort(port2)!;
    port1.close();
    expect(parts.index.byteLength).toBe(0);
    expect(valueAt(open(message), 'a')).toBe('of a');
  });

  it('is the same memory in all threads when that is shared', () => {
    const parts = build(records, { shared: true });
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(parts);
    const { message } = receiveMessageOnPort(port2)!;
    port1.close();
    const index = new Uint32Array(message.index);
    expect(valueAt(open(message), 'a')).toBe('of a');
    new Uint32Array(parts.index).fill(0);
    expect(index.every((word) => word === 0)).toBe(true);
  });
});
