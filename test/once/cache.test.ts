import { expect, test } from 'vitest';
import { cacheStore } from '../../src/once/cache.ts';
import type { Item, Reading, Store, Wish } from '../../src/once/once.ts';

const KEY = Buffer.from('k');
const ITEM: Item = { value: Buffer.from('v'), flags: 0, type: '', revision: 5 };
const WISH: Wish = { key: KEY, value: Buffer.from('v'), flags: 0, type: '' };

/** A store whose reads end when the test says so. */
class SlowStore implements Store {
  readonly reads: ((reading: Reading) => void)[] = [];
  read = (): Promise<Reading> => new Promise((resolve) => this.reads.push(resolve));
  create: Store['create'] = async () => ({ kind: 'created', item: ITEM });
  createAll: Store['createAll'] = async (wishes) =>
    wishes.map(() => ({ kind: 'created', item: ITEM }));
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('many reads of a key that is not cached ask the store once', async () => {
  const store = new SlowStore();
  const cache = cacheStore(store, 1e6);
  const readings = Promise.all(Array.from({ length: 50 }, () => cache.read(KEY)));
  store.reads[0]({ kind: 'found', item: ITEM });
  expect(new Set(await readings).size).toBeLessThanOrEqual(50);
  expect(store.reads.length).toBe(1);
});

test('what was found or created is never asked for again', async () => {
  const store = new SlowStore();
  const cache = cacheStore(store, 1e6);
  await cache.create(WISH);
  const reading = await cache.read(KEY);
  const item = cache.cached(KEY)!;
  expect(reading).toEqual({ kind: 'found', item });
  const { value, flags, type, revision } = item;
  expect({ value, flags, type, revision }).toEqual(ITEM);
  const { buffer, wireStart, valueEnd } = item;
  expect(buffer.toString('latin1', wireStart, valueEnd + 2)).toBe('k 0 1\r\nv\r\n');
  expect(store.reads.length).toBe(0);
});

test('that a key is absent is not kept', async () => {
  const store = new SlowStore();
  const cache = cacheStore(store, 1e6);
  const first = cache.read(KEY);
  store.reads[0]({ kind: 'absent' });
  expect(await first).toEqual({ kind: 'absent' });
  const second = cache.read(KEY);
  store.reads[1]({ kind: 'found', item: ITEM });
  expect(await second).toEqual({ kind: 'found', item: ITEM });
});

test('a read is not told "absent" by a question that was asked before it: the key may have come in between', async () => {
  const store = new SlowStore();
  const cache = cacheStore(store, 1e6);
  const before = cache.read(KEY);
  const after = [cache.read(KEY), cache.read(KEY)];
  store.reads[0]({ kind: 'absent' });
  expect(await before).toEqual({ kind: 'absent' });
  await settled();
  store.reads[1]({ kind: 'found', item: ITEM });
  expect(await Promise.all(after)).toEqual([
    { kind: 'found', item: ITEM },
    { kind: 'found', item: ITEM },
  ]);
  expect(store.reads.length).toBe(2);
});

test('the cache keeps within its bytes', async () => {
  const cache = cacheStore(
    {
      read: async () => ({ kind: 'found', item: { ...ITEM, value: Buffer.alloc(1000) } }),
      create: async () => ({ kind: 'unknown', why: '' }),
      createAll: async () => [],
    },
    100_000,
  );
  for (let i = 0; i < 1_000; i++) await cache.read(Buffer.from(`k${i}`));
  expect(cache.figures.cachedBytes).toBeLessThanOrEqual(100_000);
  expect(cache.figures.cachedItems).toBeGreaterThan(50);
});

test('a creation of a key that is cached is a comparison, without the store', async () => {
  const store = new SlowStore();
  const cache = cacheStore(store, 1e6);
  await cache.create(WISH);
  const { revision } = cache.cached(KEY)!;
  store.create = async () => ({ kind: 'unknown', why: 'the store was asked' });
  expect(await cache.create(WISH)).toMatchObject({ kind: 'same', item: { revision } });
  const other = { ...WISH, value: Buffer.from('w') };
  expect(await cache.create(other)).toMatchObject({ kind: 'conflict', item: { revision } });
  const { created, same, conflicts, unknown } = cache.figures;
  expect({ created, same, conflicts, unknown }).toEqual({
    ...{ created: 1, same: 1, conflicts: 1, unknown: 0 },
  });
});

test('gets, hits and misses are counted once, and a creation is none of them', async () => {
  const store = new SlowStore();
  const cache = cacheStore(store, 1e6);
  await cache.create(WISH);
  await cache.create(WISH);
  cache.isCached(KEY, 0, KEY.length);
  cache.cached(KEY);
  await cache.read(KEY);
  const absent = cache.read(Buffer.from('none'));
  await settled();
  store.reads[0]({ kind: 'absent' });
  await absent;
  const { gets, hits, misses } = cache.figures;
  expect({ gets, hits, misses }).toEqual({ gets: 3, hits: 2, misses: 1 });
});
