import { afterEach, describe, expect, it } from 'vitest';
import { BATCH_KEYS_MAX, type Entry, type Storage } from '../../src/storage/storage.ts';
import { Random } from '../support/random-bytes.ts';
import { bytesOf, type TestRecord } from '../support/storages.ts';

/** What a storage cannot hold by its nature. */
export interface ContractLimits {
  readonly keyBytesMin?: number;
  readonly keyBytesMax?: number;
  readonly valueBytesMax?: number;
  /** false: all records have flags of 0. */
  readonly storesFlags?: boolean;
}

const MIB = 1024 * 1024;

/**
 * What every storage must do, whatever it is made of.
 *
 * @param make Makes a storage of these records; its info holds the number of distinct keys.
 */
export function storageContract(
  name: string,
  make: (records: Iterable<TestRecord>) => Storage | Promise<Storage>,
  limits: ContractLimits = {},
): void {
  const { keyBytesMin = 0, keyBytesMax = 65_535, storesFlags = true } = limits;
  const { valueBytesMax = 20 * MIB } = limits;
  const opened: Storage[] = [];
  const open = async (records: Iterable<TestRecord>): Promise<Storage> => {
    const storage = await make(records);
    opened.push(storage);
    return storage;
  };
  afterEach(() => {
    for (const storage of opened.splice(0)) storage.close();
  });

  describe(`${name}, as any storage`, () => {
    it('finds a record by its key', async () => {
      const storage = await open([['key', 'value', 5]]);
      expect(valueAt(storage, 'key')).toBe('value');
      expect(find(storage, 'key')?.flags).toBe(storesFlags ? 5 : 0);
    });

    it('does not find a key that is not there', async () => {
      const storage = await open([['key', 'value']]);
      for (const key of ['kex', 'Key', 'ke', 'keyy', ' key', 'key\0']) {
        expect(find(storage, key)).toBeUndefined();
      }
    });

    it('finds nothing when it holds nothing', async () => {
      const storage = await open([]);
      for (const key of ['', 'a', 'key']) expect(find(storage, key)).toBeUndefined();
      expect(storage.info.keys).toBe(0);
    });

    it('shows each key once, with its last value, in parts of any size', async () => {
      const records = Array.from({ length: 500 }, (_, i): TestRecord => [`key ${i}`, `value ${i}`]);
      const storage = await open([...records, ['key 3', 'a later value']]);
      if (storage.scan === undefined) return;
      for (const limit of [1, 7, 499, 500, 1000]) {
        const seen = new Map<string, string>();
        let cursor = 0;
        let shown = 0;
        do {
          cursor = storage.scan(cursor, limit, (key, start, end, entry) => {
            shown++;
            const value = entry.buffer.toString('latin1', entry.valueStart, entry.valueEnd);
            seen.set(key.toString('latin1', start, end), value);
          });
        } while (cursor !== 0);
        expect(shown).toBe(500);
        expect(seen.size).toBe(500);
        expect(seen.get('key 3')).toBe('a later value');
        expect(seen.get('key 499')).toBe('value 499');
      }
    });

    it('does not find the empty key unless it holds one', async () => {
      expect(find(await open([['key', 'value']]), '')).toBeUndefined();
    });

    if (keyBytesMin === 0) {
      it('finds the empty key', async () => {
        const storage = await open([
          ['', 'of the empty key'],
          ['a', 'of a'],
        ]);
        expect(valueAt(storage, '')).toBe('of the empty key');
        expect(valueAt(storage, 'a')).toBe('of a');
      });
    }

    it('finds an empty value', async () => {
      const storage = await open([
        ['before', 'x'],
        ['empty', ''],
        ['behind', 'y'],
      ]);
      expect(valueAt(storage, 'empty')).toBe('');
    });

    it('lets the later of two records with one key win, and counts the key once', async () => {
      const storage = await open([
        ['twice', 'first', 1],
        ['once', 'only'],
        ['twice', 'second, and longer', 2],
      ]);
      expect(valueAt(storage, 'twice')).toBe('second, and longer');
      expect(find(storage, 'twice')?.flags).toBe(storesFlags ? 2 : 0);
      expect(storage.info.keys).toBe(2);
    });

    it('takes keys and values of any bytes', async () => {
      const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
      const records = [...all].map(
        (byte): TestRecord => [Buffer.from([byte]), Buffer.from([255 - byte])],
      );
      const storage = await open([
        ...records,
        [all, all],
        ['\r\n', '\r\n'],
        ['END\r\n', 'VALUE x 0 1\r\n'],
      ]);
      for (const [key, value] of records) expect(valueAt(storage, key)).toBe(latin1(value));
      expect(valueAt(storage, all)).toBe(latin1(all));
      expect(valueAt(storage, '\r\n')).toBe('\r\n');
      expect(valueAt(storage, 'END\r\n')).toBe('VALUE x 0 1\r\n');
    });

    it('distinguishes keys that begin with each other', async () => {
      const long = 'abcdefghijklmnopqrstuvwxyz'.repeat(9);
      const prefixes = Array.from({ length: long.length }, (_, i) => long.slice(0, i + 1));
      const even = prefixes.filter((key) => key.length % 2 === 0);
      const storage = await open(even.map((key) => [key, `of ${key.length}`]));
      for (const key of prefixes) {
        const expected = key.length % 2 === 0 ? `of ${key.length}` : undefined;
        expect(valueAt(storage, key)).toBe(expected);
      }
    });

    it('takes keys of every length it allows', async () => {
      const lengths = [
        1, 2, 63, 64, 127, 128, 129, 250, 251, 1978, 16_383, 16_384, 16_385, 65_534, 65_535,
      ];
      const keys = lengths
        .filter((length) => length <= keyBytesMax)
        .map((length) => 'k'.repeat(length));
      const storage = await open(keys.map((key) => [key, `of ${key.length}`]));
      for (const key of keys) {
        expect(valueAt(storage, key)).toBe(`of ${key.length}`);
        expect(find(storage, `${key.slice(1)}x`)).toBeUndefined();
      }
    });

    if (storesFlags) {
      it('keeps flags up to the largest unsigned 32-bit number', async () => {
        const all = [0, 1, 9, 10, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
        const storage = await open(all.map((flags) => [`flags ${flags}`, 'value', flags]));
        for (const flags of all) {
          expect(find(storage, `flags ${flags}`)?.flags).toBe(flags);
          expectWireForm(find(storage, `flags ${flags}`), `flags ${flags}`);
        }
      });
    }

    it('keeps values whose length is around each boundary of its encoding', async () => {
      const lengths = [
        0, 1, 9, 10, 99, 100, 127, 128, 999, 1000, 16_383, 16_384, 65_535, 99_999, 100_000,
      ];
      const storage = await open(lengths.map((length) => [`of ${length}`, 'v'.repeat(length)]));
      for (const length of lengths) {
        expect(valueAt(storage, `of ${length}`)).toBe('v'.repeat(length));
        expectWireForm(find(storage, `of ${length}`), `of ${length}`);
      }
    });

    it('keeps values of 1 MiB and the longest ones among small ones', async () => {
      const random = new Random(1);
      const records: TestRecord[] = [1, MIB, 2, Math.min(20 * MIB, valueBytesMax), 3, MIB].map(
        (length, i) => [`value ${i}`, Buffer.alloc(length, random.bytes(997))],
      );
      const storage = await open(records);
      for (const [key, value] of records) {
        const entry = find(storage, key)!;
        expect(entry.buffer.subarray(entry.valueStart, entry.valueEnd).equals(bytesOf(value))).toBe(
          true,
        );
        expectWireForm(entry, key);
      }
    });

    it('finds each of 50,000 random keys, and none of as many others', async () => {
      const random = new Random(2);
      const keys = Array.from(
        { length: 50_000 },
        (_, i) => `${i}:${latin1(random.bytes(random.below(30)))}`,
      );
      const storage = await open(keys.map((key, i) => [key, `value ${i}`]));
      expect(storage.info.keys).toBe(keys.length);
      const wrong = keys.filter((key, i) => valueAt(storage, key) !== `value ${i}`);
      expect(wrong).toEqual([]);
      expect(keys.filter((key) => find(storage, `x${key}`) !== undefined)).toEqual([]);
    });

    it('finds keys side by side, if it can, as it finds them one by one', async () => {
      const random = new Random(4);
      const held = Array.from({ length: 2_000 }, (_, i) => `key ${i}`);
      const storage = await open(held.map((key, i) => [key, `value ${i}`]));
      const { batch } = storage;
      for (let round = 0; batch !== undefined && round < 500; round++) {
        const count = 1 + random.below(BATCH_KEYS_MAX);
        const asked = Array.from({ length: count }, () => `key ${random.below(4_000)}`);
        const bounds = new Int32Array(2 * count);
        let at = 1;
        for (const [i, key] of asked.entries()) {
          bounds.set([at, at + key.length], 2 * i);
          at += key.length + 1;
        }
        batch.locate(Buffer.from(` ${asked.join(' ')}`), bounds, count);
        const found = asked.map((_, i) => textOf(batch.entry(i)));
        expect(found).toEqual(asked.map((key) => valueAt(storage, key)));
      }
    });

    it('looks only at the asked part of the memory that holds a key', async () => {
      const storage = await open([['key', 'value']]);
      const memory = Buffer.from('get keykey  \r\n');
      expect(storage.get(memory, 4, 7)).toBeDefined();
      expect(storage.get(memory, 7, 10)).toBeDefined();
      expect(storage.get(memory, 4, 10)).toBeUndefined();
      expect(storage.get(memory, 5, 8)).toBeUndefined();
      expect(storage.get(memory, 4, 6)).toBeUndefined();
      expect(memory.toString()).toBe('get keykey  \r\n');
    });

    it('keeps an entry good until the next get', async () => {
      const storage = await open([
        ['a', 'of a'],
        ['b', 'value of b'],
      ]);
      // It may be the same object each time: what is needed of it is read before the next get.
      const first = fieldsOf(find(storage, 'a')!);
      const second = fieldsOf(find(storage, 'b')!);
      expect(first.buffer.toString('latin1', first.valueStart, first.valueEnd)).toBe('of a');
      expect(second.buffer.toString('latin1', second.valueStart, second.valueEnd)).toBe(
        'value of b',
      );
    });

    it('keeps the bytes of a value that replies are still being sent from', async () => {
      const values = ['x', 'y', 'z'].map((letter) => letter.repeat(100_000));
      const storage = await open(values.map((value) => [value[0], value]));
      const lent = values.map((value) => {
        const { buffer, valueStart, valueEnd, lease } = find(storage, value[0])!;
        lease?.retain();
        return { bytes: buffer.subarray(valueStart, valueEnd), lease };
      });
      for (let i = 0; i < 100; i++) find(storage, values[i % 3][0]);
      storage.close();
      expect(lent.map(({ bytes }, i) => latin1(bytes) === values[i])).toEqual([true, true, true]);
      for (const { lease } of lent) lease?.release();
    });

    it('gives every record the number of its generation', async () => {
      const storage = await open([['key', 'value']]);
      expect(find(storage, 'key')?.cas).toBe(storage.info.generation);
    });

    it('reports how many keys it holds', async () => {
      const storage = await open([
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ]);
      expect(storage.info.keys).toBe(3);
      expect(storage.info.bytes).toBeGreaterThanOrEqual(0);
      expect(Number.isSafeInteger(storage.info.generation)).toBe(true);
    });

    it('can be closed twice', async () => {
      const storage = await open([['key', 'value']]);
      storage.close();
      expect(() => storage.close()).not.toThrow();
    });
  });
}

function find(storage: Storage, key: Buffer | string): Entry | undefined {
  const bytes = bytesOf(key);
  return storage.get(bytes, 0, bytes.length);
}

/** The value of a key as Latin-1 text, after a look at its wire form. */
function valueAt(storage: Storage, key: Buffer | string): string | undefined {
  const entry = find(storage, key);
  if (entry !== undefined) expectWireForm(entry, key);
  return textOf(entry);
}

function textOf(entry: Entry | undefined): string | undefined {
  return entry?.buffer.toString('latin1', entry.valueStart, entry.valueEnd);
}

function fieldsOf({
  buffer,
  valueStart,
  valueEnd,
}: Entry): Pick<Entry, 'buffer' | 'valueStart' | 'valueEnd'> {
  return { buffer, valueStart, valueEnd };
}

function expectWireForm(entry: Entry | undefined, key: Buffer | string): void {
  if (entry === undefined || entry.wireStart < 0) return;
  const { buffer, wireStart, valueStart, valueEnd, flags } = entry;
  const head = `${latin1(bytesOf(key))} ${flags} ${valueEnd - valueStart}\r\n`;
  const found =
    buffer.toString('latin1', wireStart, valueStart) +
    buffer.toString('latin1', valueEnd, valueEnd + 2);
  // Not `expect` each time: it would be most of the run time.
  if (found !== `${head}\r\n`) expect(found).toBe(`${head}\r\n`);
}

function latin1(data: Buffer | string): string {
  return bytesOf(data).toString('latin1');
}
