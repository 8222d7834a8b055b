import { LRUCache } from 'lru-cache';
import { KeptItem } from './kept-item.ts';
import type { CachedItem, CachedStore, Creation, Item, Reading, Store, Wish } from './once.ts';
import type { Figures } from './overview.ts';

/** What an item takes beside its bytes: 1,000,000 of 122 bytes took 917 each in Node 20 (2026-11-28). */
const ITEM_BYTES = 800;

/**
 * Puts a cache in front of a store. What a key was set to is final, so it may be answered for ever
 * without asking; that a key is absent is true for a moment only, so it is never kept.
 */
export function cacheStore(store: Store, bytesMax: number): CachedStore {
  const items = new LRUCache<string, CachedItem>({
    maxSize: bytesMax,
    sizeCalculation: sizeOf,
  });
  const flights = new Map<string, Promise<Reading>>();
  const counts = {
    ...{ gets: 0, hits: 0, misses: 0, readsUnavailable: 0 },
    ...{ created: 0, same: 0, conflicts: 0, unknown: 0, refused: 0, warmed: 0 },
  };

  const startFlight = (name: string, key: Buffer): Promise<Reading> => {
    const flight = store.read(key).finally(() => flights.delete(name));
    flights.set(name, flight);
    return flight.then((reading) => {
      if (reading.kind === 'found') items.set(name, new KeptItem(name, reading.item));
      return reading;
    });
  };

  const readMiss = async (name: string, key: Buffer): Promise<Reading> => {
    const running = flights.get(name);
    if (running !== undefined) {
      const reading = await running;
      // It began before this read: the key may have been created in between.
      if (reading.kind !== 'absent') return reading;
    }
    return flights.get(name) ?? startFlight(name, key);
  };

  const note = ({ key }: Wish, creation: Creation): Creation => {
    counts[COUNTED[creation.kind]]++;
    if ('item' in creation && creation.item !== undefined) {
      const name = nameOf(key);
      items.set(name, new KeptItem(name, creation.item));
    }
    return creation;
  };

  const cached = (key: Buffer, start?: number, end?: number): CachedItem | undefined => {
    const item = items.get(key.toString('latin1', start, end));
    if (item === undefined) return undefined;
    counts.gets++;
    counts.hits++;
    return item;
  };

  const learn = (key: Buffer, item: Item): void => {
    const name = nameOf(key);
    if (items.has(name)) return;
    counts.warmed++;
    items.set(name, new KeptItem(name, item));
  };

  return {
    cached,
    learn,
    offer(key, item) {
      const name = nameOf(key);
      if (items.has(name)) return true;
      if (items.calculatedSize + sizeOf(new KeptItem(name, item)) > bytesMax) return false;
      learn(key, item);
      return true;
    },
    async read(key) {
      const item = cached(key);
      if (item !== undefined) return { kind: 'found', item };
      const reading = await readMiss(nameOf(key), key);
      counts.gets++;
      if (reading.kind === 'absent') counts.misses++;
      if (reading.kind === 'unavailable') counts.readsUnavailable++;
      return reading;
    },
    create: async (wish) => note(wish, await store.create(wish)),
    async createAll(wishes) {
      const creations = await store.createAll(wishes);
      return creations.map((creation, i) => note(wishes[i], creation));
    },
    get figures(): Figures {
      return { ...counts, cachedItems: items.size, cachedBytes: items.calculatedSize };
    },
  };
}

function sizeOf({ record }: CachedItem): number {
  return record.length + ITEM_BYTES;
}

const COUNTED = {
  created: 'created',
  same: 'same',
  conflict: 'conflicts',
  unknown: 'unknown',
  unavailable: 'refused',
  full: 'refused',
} as const satisfies Record<Creation['kind'], keyof Figures>;

/** Bytes as a text, one character each. */
function nameOf(key: Buffer): string {
  return key.toString('latin1');
}
