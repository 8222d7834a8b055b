/**
 * What belongs in this folder: keys that can be set only once: the store on etcd, the cache in front of
 * it.
 */
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

/** An item, and what memcached says of it in one piece: `<key> <flags> <bytes>\r\n<value>\r\n`. */
export interface CachedItem extends Item {
  readonly record: Buffer;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** A key to create, and what it is to be. */
export interface Wish extends Omit<Item, 'revision'> {
  readonly key: Buffer;
}

/** `absent` is said only when etcd has said so. */
export type Reading =
  | { readonly kind: 'found'; readonly item: Item }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unavailable'; readonly why: string };

/**
 * Finds what keys were set to. Readers stand in a chain: what one finds is final, so none behind it is
 * asked. A base of old keys can take its place in front of etcd.
 */
interface Reader {
  read(key: Buffer): Promise<Reading>;
}

/**
 * What came of a creation: `same` and `conflict` say what the key has had before. With `unknown` it may
 * have been created, or may yet be: to try again is safe, as values are compared. After the other two,
 * this try has created nothing.
 */
export type Creation =
  | { readonly kind: 'created' | 'same' | 'conflict'; readonly item?: Item }
  | { readonly kind: 'unknown' | 'unavailable' | 'full'; readonly why: string };

export interface Store extends Reader {
  create(wish: Wish): Promise<Creation>;
  /** @param wishes Each key once. @returns What came of each, in their order. */
  createAll(wishes: readonly Wish[]): Promise<readonly Creation[]>;
}

/** A store with the cache in front. */
export interface CachedStore extends Store {
  /** What is known without asking anybody. */
  cached(key: Buffer, start?: number, end?: number): CachedItem | undefined;
  /** Takes what somebody else has found. @returns Whether there was room, without putting out another. */
  offer(key: Buffer, item: Item): boolean;
  /** The same; what was not used for longest makes room. */
  learn(key: Buffer, item: Item): void;
  readonly figures: Figures;
}
