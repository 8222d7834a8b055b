import { shared } from './flights.ts';
import { KeptItems } from './kept-items.ts';
import { withLayer } from './layers.ts';
import type { CachedItem, CachedStore, Creation, Item, Store, Wish } from './once.ts';
import type { Figures } from './overview.ts';

/**
 * Puts a cache in front of a store. What a key was set to is final, so it may be answered for ever
 * without asking; that a key is absent is true for a moment only, so it is never kept.
 */
export function cacheStore(store: Store, bytesMax: number): CachedStore {
  const items = new KeptItems(bytesMax);
  const counts = {
    ...{ gets: 0, hits: 0, misses: 0, readsUnavailable: 0 },
    ...{ created: 0, same: 0, conflicts: 0, unknown: 0, refused: 0, warmed: 0 },
  };

  const keep = (key: Buffer, item: Item): void => {
    if (!items.has(key, 0, key.length)) items.set(key, item);
  };

  const ask = shared(async (key) => {
    const reading = await store.read(key);
    if (reading.kind === 'found') keep(key, reading.item);
    return reading;
  });

  const note = ({ key }: Wish, creation: Creation): Creation => {
    counts[COUNTED[creation.kind]]++;
    if ('item' in creation) keep(key, creation.item);
    return creation;
  };

  const used = (item: CachedItem | undefined): CachedItem | undefined => {
    if (item === undefined) return undefined;
    counts.gets++;
    counts.hits++;
    return item;
  };

  const chain = withLayer(
    {
      read(key) {
        const item = items.get(key, 0, key.length);
        return item === undefined ? { kind: 'absent' } : { kind: 'found', item };
      },
    },
    store,
  );

  return {
    cached: (key, start = 0, end = key.length) => used(items.get(key, start, end)),
    isCached: (key, start, end) => items.has(key, start, end),
    batch: {
      locate: (keys, bounds, count) => items.locate(keys, bounds, count),
      entry: (i) => used(items.entry(i)),
    },
    learn(key, item) {
      if (items.has(key, 0, key.length)) return;
      counts.warmed++;
      items.set(key, item);
    },
    offer(key, item) {
      if (items.has(key, 0, key.length)) return true;
      const isKept = items.offer(key, item);
      if (isKept) counts.warmed++;
      return isKept;
    },
    async read(key) {
      const item = used(items.get(key, 0, key.length));
      if (item !== undefined) return { kind: 'found', item };
      const reading = await ask(key);
      counts.gets++;
      if (reading.kind === 'absent') counts.misses++;
      if (reading.kind === 'unavailable') counts.readsUnavailable++;
      return reading;
    },
    create: async (wish) => note(wish, await chain.create(wish)),
    async createAll(wishes) {
      const creations = await chain.createAll(wishes);
      return creations.map((creation, i) => note(wishes[i], creation));
    },
    get figures(): Figures {
      return { ...counts, cachedItems: items.size, cachedBytes: items.bytes };
    },
  };
}

const COUNTED = {
  created: 'created',
  same: 'same',
  conflict: 'conflicts',
  unknown: 'unknown',
  unavailable: 'refused',
  full: 'refused',
} as const satisfies Record<Creation['kind'], keyof Figures>;
