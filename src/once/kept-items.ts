import { LRUCache } from 'lru-cache';
import { BATCH_KEYS_MAX, type Batch } from '../storage/storage.ts';
import { FAST_HASH, hashFunctionOf } from '../storage/table/hash.ts';
import { KeptItem } from './kept-item.ts';
import type { Item } from './once.ts';
import { Shortcuts } from './shortcuts.ts';

/**
 * What an item takes beside its bytes: 1,000,000 of 122 bytes took 866 each in Node 20 (2026-11-29), before
 * there were shortcuts to them, which take up to 24 each.
 */
const ITEM_BYTES = 800;

/** An item that is used is moved when more than one for each 32 items has come since it was moved last. */
const MOVE_SHIFT = 5;

const NO_KEYS = Buffer.alloc(0);
const NO_BOUNDS = new Int32Array(0);

const hashOf = hashFunctionOf(FAST_HASH);

/**
 * Items in bounded memory. Those that were not used for longest are evicted. To move an item to the front at
 * each hit took twice as long as all the rest of a hit (2026-11-29), so it is moved now and then, and not at
 * all as long as nothing comes. So of items that are used, some are evicted only where less than one of 32 is
 * not.
 */
export class KeptItems implements Batch {
  readonly #lru: LRUCache<string, KeptItem>;
  readonly #shortcuts = new Shortcuts();
  /** How many items have come so far. */
  #arrivals = 0;
  /** Of the last `locate`. */
  readonly #hashesAhead = new Int32Array(BATCH_KEYS_MAX + 1);
  readonly #ahead: (KeptItem | undefined)[] = new Array(BATCH_KEYS_MAX).fill(undefined);
  #keysAhead: Buffer = NO_KEYS;
  #boundsAhead: Int32Array = NO_BOUNDS;

  constructor(bytesMax: number) {
    this.#lru = new LRUCache({
      maxSize: bytesMax,
      sizeCalculation: sizeOf,
      dispose: (item) => this.#shortcuts.remove(item),
    });
  }

  get size(): number {
    return this.#lru.size;
  }

  get bytes(): number {
    return this.#lru.calculatedSize;
  }

  has(key: Buffer, start: number, end: number): boolean {
    return this.#find(hashOf(key, start, end) | 0, key, start, end) !== undefined;
  }

  get(key: Buffer, start: number, end: number): KeptItem | undefined {
    return this.#used(this.#find(hashOf(key, start, end) | 0, key, start, end));
  }

  /** As that of a table: each loop waits for memory once for all keys. */
  locate(keys: Buffer, bounds: Int32Array, count: number): void {
    const hashes = this.#hashesAhead;
    const ahead = this.#ahead;
    for (let i = 0; i < count; i++) hashes[i] = hashOf(keys, bounds[2 * i], bounds[2 * i + 1]);
    for (let i = 0; i < count; i++) ahead[i] = this.#shortcuts.guess(hashes[i]);
    let read = 0;
    for (let i = 0; i < count; i++) read ^= ahead[i]?.valueEnd ?? 0;
    for (let i = 0; i < count; i++) read ^= ahead[i]?.view.getUint8(0) ?? 0;
    // What is not used would not be read.
    hashes[BATCH_KEYS_MAX] = read;
    this.#keysAhead = keys;
    this.#boundsAhead = bounds;
  }

  entry(i: number): KeptItem | undefined {
    const item = this.#ahead[i];
    const key = this.#keysAhead;
    const start = this.#boundsAhead[2 * i];
    const end = this.#boundsAhead[2 * i + 1];
    if (item?.isOf(key, start, end) === true) return this.#used(item);
    return this.#used(this.#find(this.#hashesAhead[i], key, start, end));
  }

  set(key: Buffer, item: Item): void {
    const name = key.toString('latin1');
    this.#keep(name, new KeptItem(name, hashOf(key, 0, key.length) | 0, item));
  }

  /** @returns Whether there was room, without putting out another one. */
  offer(key: Buffer, item: Item): boolean {
    const name = key.toString('latin1');
    const kept = new KeptItem(name, hashOf(key, 0, key.length) | 0, item);
    if (this.bytes + sizeOf(kept) > this.#lru.maxSize) return false;
    this.#keep(name, kept);
    return true;
  }

  #keep(name: string, item: KeptItem): void {
    item.movedAt = ++this.#arrivals;
    this.#lru.set(name, item);
  }

  #find(hash: number, key: Buffer, start: number, end: number): KeptItem | undefined {
    const near = this.#shortcuts.find(hash, key, start, end);
    if (near !== undefined) return near;
    const item = this.#lru.peek(key.toString('latin1', start, end));
    if (item !== undefined) this.#shortcuts.put(item, this.#lru.size);
    return item;
  }

  #used(item: KeptItem | undefined): KeptItem | undefined {
    if (item === undefined) return undefined;
    if (this.#arrivals - item.movedAt > this.#lru.size >> MOVE_SHIFT) {
      item.movedAt = this.#arrivals;
      this.#lru.get(item.name);
    }
    return item;
  }
}

function sizeOf({ view }: KeptItem): number {
  return view.byteLength + ITEM_BYTES;
}
