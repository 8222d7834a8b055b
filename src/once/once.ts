/**
 * What belongs in this folder: keys that can be set only once: the store on etcd, the cache in front of
 * it.
 */
import type { Batch, Entry } from '../storage/storage.ts';
import type { Figures } from './overview.ts';

/** What a key was set to, for ever. */
export interface Item {
  readonly value: Buffer;
  /** memcached's client flags, an unsigned 32-bit number. */
  readonly flags: number;
  /** The media type that came with the value; empty: none did. */
  readonly type: string;
  /** etcd's revision that created the key. */
  readonly revision: number;
}

/** An item, as protocols take it: its memory holds `<key> <flags> <bytes>\r\n<value>\r\n`. */
export type CachedItem = Item & Entry;

/** A key to create, and what it is to be. */
export interface Wish extends Omit<Item, 'revision'> {
  readonly key: Buffer;
}

/** What cannot be said, or done. */
export interface Unavailable {
  readonly kind: 'unavailable';
  readonly why: string;
  /** Another program has written what the key has: it does not help to try again. */
  readonly isForeign?: true;
}

/** `absent` is said only when etcd has said so. */
export type Reading =
  | { readonly kind: 'found'; readonly item: Item }
  | { readonly kind: 'absent' }
  | Unavailable;

/**
 * Keys in front of others. Layers stand in a chain, and etcd is its end: the cache comes first, and behind
 * it there is a place for a sealed base, a data set that has taken old keys over. `absent` means that the
 * layer does not have the key: the next one is asked. A fault is `unavailable`, and never `absent`.
 *
 * The keys of a layer are final, and so a creation of one of them is a comparison. Of all others, etcd
 * decides in one transaction. Before a base takes keys out of etcd, that transaction has to compare which
 * base is in front as well: else a node that does not know of it would create them again.
 */
export interface Layer {
  read(key: Buffer): Reading | Promise<Reading>;
}

/**
 * What came of a creation: `same` and `conflict` say what the key has had before. With `unknown` it may
 * have been created, or may yet be: to try again is safe, as values are compared. After the other two,
 * this try has created nothing.
 */
export type Creation =
  | { readonly kind: 'created' | 'same' | 'conflict'; readonly item: Item }
  | { readonly kind: 'unknown' | 'full'; readonly why: string }
  | Unavailable;

/** The end of a chain, and a chain as a whole. */
export interface Store extends Layer {
  read(key: Buffer): Promise<Reading>;
  create(wish: Wish): Promise<Creation>;
  /** @param wishes Each key once. @returns What came of each, in their order. */
  createAll(wishes: readonly Wish[]): Promise<readonly Creation[]>;
}

/** A store with the cache in front. */
export interface CachedStore extends Store {
  /** What is known without asking anybody. */
  cached(key: Buffer, start?: number, end?: number): CachedItem | undefined;
  /** Whether it is, of key[start, end). It counts as no read. */
  isCached(key: Buffer, start: number, end: number): boolean;
  /** The same of several keys, looked for side by side. */
  readonly batch: Batch;
  /** Takes what somebody else has found. @returns Whether there was room, without putting out another. */
  offer(key: Buffer, item: Item): boolean;
  /** The same; what was not used for longest makes room. */
  learn(key: Buffer, item: Item): void;
  readonly figures: Figures;
}
