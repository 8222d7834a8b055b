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
  expect(item.record.toString()).toBe('k 0 1\r\nv\r\n');
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
