import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAST_HASH, firstSlot, hashFunctionOf } from '../../src/storage/table/hash.ts';
import {
  HEAD_BYTES,
  headOf,
  layoutOf,
  type TableLayout,
} from '../../src/storage/table/table-layout.ts';
import { chosenKeys } from '../support/chosen-keys.ts';
import { collidingKeys } from '../support/colliding-keys.ts';
import type { TestRecord } from '../support/storages.ts';
import { layoutIn, reindexed, seal, TableFile, tableBytes } from '../support/table-bytes.ts';

const MIB = 1024 * 1024;

let file: TableFile;
beforeAll(() => {
  file = new TableFile();
});
afterAll(() => file.close());

function* numbered(count: number, value = 'value'): Generator<TestRecord> {
  for (let i = 0; i < count; i++) yield [`key:${i}`, `${value} ${i}`, i % 5];
}

/** What each slot holds, and a way to change it. */
function slotsOf(bytes: Buffer, { index }: TableLayout): Uint32Array {
  const words = new Uint32Array(index.bytes / 4);
  for (let i = 0; i < words.length; i++) words[i] = bytes.readUInt32LE(index.at + 4 * i);
  return words;
}

/** The first slot that is in use, or is not. */
function findSlot(words: Uint32Array, isUsed: boolean): number {
  return words.findIndex((word, i) => i % 2 === 0 && (word !== 0) === isUsed) / 2;
}

function setSlot(bytes: Buffer, { index }: TableLayout, slot: number, words: number[]): void {
  for (const [i, word] of words.entries()) bytes.writeUInt32LE(word, index.at + 8 * slot + 4 * i);
}

/** @returns That the sums are to stay as they are. */
function damage(bytes: Buffer, at: number): false {
  bytes[at] ^= 1;
  return false;
}

function isCorrupt(message: RegExp): unknown {
  return expect.objectContaining({
    code: 'DATA_CORRUPT',
    message: expect.stringMatching(message),
  });
}

describe('a sound table is taken', () => {
  test.each<[string, Iterable<TestRecord>, number]>([
    ['without records', [], 500],
    ['of one record', [['', '']], 500],
    ['of many segments', numbered(3000), 5000],
    ['with keys that came again', [...numbered(900), ...numbered(700, 'new')], 9000],
    ['with one key alone, again and again', Array(2000).fill(['k', 'v']), 9000],
    ['of keys and values of all lengths', lengths(), 50_000_000],
    ['of keys that were chosen to collide', [...collidingKeys(1500)].map((key) => [key, '']), MIB],
    ['with records that are larger than what is read at once', large(), 50_000_000],
  ])('%s', async (_, records, segmentBytesMax) => {
    const bytes = await tableBytes(records, { segmentBytesMax });
    expect(file.check(bytes)).toEqual(layoutIn(bytes));
  });

  function* lengths(): Generator<TestRecord> {
    for (const length of [0, 1, 127, 128, 250, 65_535]) {
      yield [Buffer.alloc(length, 'k'), Buffer.alloc(length * 3, '\r\n'), length];
    }
  }

  function* large(): Generator<TestRecord> {
    yield* numbered(100);
    yield ['large', Buffer.alloc(9 * MIB, 'L')];
    yield ['between', 'b'];
    yield ['larger', Buffer.alloc(3 * MIB, 'M')];
    yield ['just as large as a block', Buffer.alloc(256 * 1024 - 60, 'M')];
    yield* numbered(7000);
  }
});

test('a value that this machine has no room for is refused', async () => {
  const bytes = await tableBytes([['large', Buffer.alloc(MIB, 'L')]]);
  expect(() => file.check(bytes, { valueBytesMax: MIB - 1 })).toThrow(
    expect.objectContaining({ code: 'LIMIT_EXCEEDED' }),
  );
});

test('it reports how far it is', async () => {
  const bytes = await tableBytes([...numbered(20_000), ['large', Buffer.alloc(5 * MIB)]]);
  const told: number[] = [];
  file.check(bytes, { onProgress: (done) => told.push(done) });
  expect(told).toEqual([...told].sort((a, b) => a - b));
  const [segment] = layoutIn(bytes).segments;
  expect(told.at(-1)).toBe(segment.at + segment.bytes);
});

describe('what is wrong with a table is found, and where', () => {
  /** Changes a sound table, and makes its sums right again unless told otherwise. */
  async function changed(
    change: (bytes: Buffer, layout: TableLayout) => Parameters<typeof seal>[2] | undefined | false,
    records: Iterable<TestRecord> = [...numbered(300), ...numbered(100, 'new')],
  ): Promise<Buffer> {
    const bytes = await tableBytes(records, { segmentBytesMax: 4000 });
    const layout = layoutIn(bytes);
    const changes = change(bytes, layout);
    if (changes !== false) seal(bytes, layout, changes ?? {});
    return bytes;
  }

  test.each<[string, Parameters<typeof changed>[0], RegExp]>([
    ['a damaged head', (bytes) => damage(bytes, 200), /byte 200 is not what/],
    [
      'a damaged segment',
      (bytes, { segments }) => {
        // A byte of a value: no record has another form by it.
        return damage(bytes, bytes.indexOf('value', segments[1].at));
      },
      /byte \d+: expected CRC-32 \d+ of the \d+ bytes from there on, found \d+/,
    ],
    [
      'a damaged index',
      (bytes, { index }) => damage(bytes, index.at + 4),
      /expected CRC-32 \d+ of the index from there on/,
    ],
    [
      'something behind a segment',
      (bytes, { segments: [{ at, bytes: length }] }) => void bytes.writeUInt8(7, at + length),
      /expected zeros up to the end of the page, found 7/,
    ],
    [
      'something behind the index',
      (bytes) => void bytes.writeUInt8(7, bytes.length - 1),
      /expected zeros up to the end of the page, found 7/,
    ],
    [
      'a wrong page header',
      (bytes, { segments: [, { at }] }) => void damage(bytes, at - 1),
      /byte \d+: expected 0, found 1/,
    ],
    [
      'something before the first record of a segment',
      (bytes, { segments: [{ at }] }) => void bytes.writeUInt8(7, at),
      /byte \d+: expected 0, found 7/,
    ],
    [
      'a record that is none',
      (bytes, { segments: [{ at }] }) => void bytes.write('key_0', at + 1 + 2 + 6),
      /byte \d+: expected a decimal number without leading zeros, found 107/,
    ],
    [
      'more records than it says',
      (_, { records }) => ({ records: records - 1 }),
      /expected 399 records before it, found 400/,
    ],
    ['fewer slots in use than keys', (_, { keys }) => ({ keys: keys + 1 }), /expected 301 slots/],
    [
      'a record without slot',
      (bytes, layout) => {
        setSlot(bytes, layout, findSlot(slotsOf(bytes, layout), true), [0, 0]);
        return { keys: layout.keys - 1 };
      },
      /byte \d+: expected a slot for this record, found none/,
    ],
    [
      'a slot with another tag',
      (bytes, layout) => {
        const slot = findSlot(slotsOf(bytes, layout), true);
        bytes[layout.index.at + 8 * slot + 7] ^= 1;
      },
      /expected a slot for this record, found none/,
    ],
    [
      'a slot that leads into the middle of a record',
      (bytes, layout) => {
        setSlot(bytes, layout, findSlot(slotsOf(bytes, layout), false), [5, 0]);
        return { keys: layout.keys + 1 };
      },
      /expected slots for 301 records, found for 300/,
    ],
    [
      'a slot of a segment that is not there',
      (bytes, layout) => {
        setSlot(bytes, layout, findSlot(slotsOf(bytes, layout), false), [5, 999]);
        return { keys: layout.keys + 1 };
      },
      /expected slots for 301 records, found for 300/,
    ],
    [
      'a second slot of one record',
      (bytes, layout) => {
        const words = slotsOf(bytes, layout);
        const slot = [...words.keys()].find(
          (i) => i % 2 === 0 && words[i] !== 0 && words[i + 2] === 0,
        )!;
        setSlot(bytes, layout, slot / 2 + 1, [words[slot], words[slot + 1]]);
        return { keys: layout.keys + 1 };
      },
      /expected slots for 301 records, found for 300/,
    ],
    [
      'a slot that leads to the earlier of two records of one key',
      (bytes, layout) => {
        const hash = hashFunctionOf(layout.hash)(Buffer.from('key:0'), 0, 5);
        const words = slotsOf(bytes, layout);
        let slot = firstSlot(hash, words.length / 2);
        while (words[2 * slot + 1] >>> 16 !== (hash & 0xffff)) slot = (slot + 1) % words.length;
        setSlot(
          bytes,
          layout,
          slot,
          [1, (hash & 0xffff) << 16].map((word) => word >>> 0),
        );
      },
      /expected a slot for the later of two records of one key/,
    ],
  ])('%s', async (_, change, message) => {
    const bytes = await changed(change);
    expect(() => file.check(bytes)).toThrow(isCorrupt(message));
  });

  test('two slots for the same key', async () => {
    const records: TestRecord[] = [
      ['a', '1'],
      ['b', '2'],
      ['a', '3'],
    ];
    const bytes = await changed((copy, layout) => {
      const words = slotsOf(copy, layout);
      const hash = hashFunctionOf(layout.hash)(Buffer.from('a'), 0, 1);
      const slots = words.length / 2;
      let slot = firstSlot(hash, slots);
      while (words[2 * slot] !== 0) slot = (slot + 1) % slots;
      // The first record of "a", behind the slot of the later one.
      setSlot(copy, layout, slot, [1, ((hash & 0xffff) << 16) >>> 0]);
      return { keys: 3 };
    }, records);
    const message = /expected a slot for this record|found for 2/;
    expect(() => file.check(bytes)).toThrow(isCorrupt(message));
  });

  test('a segment that ends within a record', async () => {
    const bytes = await tableBytes([['key', 'a value']]);
    const layout = layoutIn(bytes);
    const cut = layoutOf({
      ...{ ...layout, slots: layout.index.bytes / 8 },
      segments: layout.segments.map((region) => ({ ...region, bytes: region.bytes - 3 })),
    });
    headOf(cut).copy(bytes);
    bytes.fill(0, cut.segments[0].at + cut.segments[0].bytes, HEAD_BYTES + 4096);
    expect(() => file.check(bytes)).toThrow(
      isCorrupt(/expected a whole record, found \d+ bytes up to the end of the segment/),
    );
  });

  test('a large record that goes beyond its segment', async () => {
    const bytes = await tableBytes([
      ['large', Buffer.alloc(3 * MIB, 'L')],
      ['k', 'v'],
    ]);
    const layout = layoutIn(bytes);
    bytes.write('3145828', bytes.indexOf('3145728'));
    // 0x80 0x80 0xc0 0x01 is 3145728; 100 more.
    bytes[layout.segments[0].at + 2] = 0xe4;
    seal(bytes, layout);
    expect(() => file.check(bytes)).toThrow(
      isCorrupt(/expected 31458\d\d bytes of a record, found \d+ bytes up to the end/),
    );
  });

  test.each<[string, number, number, RegExp]>([
    ['all', 1100, 1100, /expected less than 1024 slots in use side by side, found 1\d\d\d/],
    ['in groups', 10_000, 250, /the keys collide in the hash index: .* 1068576 comparisons/],
  ])('an index of keys that collide %s', async (_, count, together, message) => {
    const keys = [...chosenKeys(count, together)];
    const bytes = await tableBytes(keys.map((key) => [key, 'v']));
    expect(file.check(bytes).hash.kind).toBe('halfsiphash');
    expect(() => file.check(reindexed(bytes, FAST_HASH, 4 * count))).toThrow(isCorrupt(message));
  });

  test('an index of keys that do not collide may have any size up to a limit', async () => {
    const bytes = await tableBytes(numbered(1000));
    for (const slots of [1300, 2000, 4000]) {
      expect(file.check(reindexed(bytes, FAST_HASH, slots))).toMatchObject({ keys: 1000 });
    }
    expect(() => file.check(reindexed(bytes, FAST_HASH, 4001))).toThrow(
      isCorrupt(/expected at most 4000 slots for 1000 records, found 4001/),
    );
  });

  test('slots that only take memory', async () => {
    const slots = 100_000;
    const empty = { ...{ keys: 0, records: 0, segments: [], slots, index: { crc32: 0 } } };
    const layout = layoutOf({ hash: { kind: 'fnv1a', seed: 1 }, ...empty });
    const head = headOf(layout);
    const sparse = Buffer.alloc(layout.bytes);
    head.copy(sparse);
    expect(() => file.check(sparse)).toThrow(isCorrupt(/expected at most 4 slots for 0 records/));
  });
});
