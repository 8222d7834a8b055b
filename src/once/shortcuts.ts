import type { KeptItem } from './kept-item.ts';

/** Places of one set. Keys whose hashes end alike share a set. */
const PLACES = 4;
const SETS_MIN = 2 ** 8;
/** With 8 bytes for each place, and 4 for its hash: 24 MiB at most, which are made in 10 ms (2026-11-29). */
const SETS_MAX = 2 ** 19;

/**
 * Finds cached items by the bytes of their keys: a map finds them by a text, which has to be made and
 * hashed for each lookup. It is no more than a hint: where more keys share a set than it has places, one
 * takes the place of another, and that one is found by its text. So chosen keys do no harm.
 */
export class Shortcuts {
  #sets = SETS_MIN;
  #hashes = new Int32Array(SETS_MIN * PLACES);
  #items: (KeptItem | undefined)[] = new Array(SETS_MIN * PLACES).fill(undefined);
  #turn = 0;

  find(hash: number, key: Buffer, start: number, end: number): KeptItem | undefined {
    const first = this.#firstOf(hash);
    for (let at = first; at < first + PLACES; at++) {
      if (this.#hashes[at] !== hash) continue;
      const item = this.#items[at];
      if (item?.isOf(key, start, end) === true) return item;
    }
    return undefined;
  }

  /** The first item with the hash, whose key may be another one. */
  guess(hash: number): KeptItem | undefined {
    const first = this.#firstOf(hash);
    for (let at = first; at < first + PLACES; at++) {
      if (this.#hashes[at] === hash) return this.#items[at];
    }
    return undefined;
  }

  /** @param items How many the cache has: up to the most, there are two places for each. */
  put(item: KeptItem, items: number): void {
    if (2 * items > this.#sets * PLACES && this.#sets < SETS_MAX) this.#grow();
    const first = this.#firstOf(item.hash);
    let at = first + (this.#turn++ & (PLACES - 1));
    for (let free = first; free < first + PLACES; free++) {
      if (this.#items[free] !== undefined) continue;
      at = free;
      break;
    }
    this.#hashes[at] = item.hash;
    this.#items[at] = item;
  }

  remove(item: KeptItem): void {
    const first = this.#firstOf(item.hash);
    for (let at = first; at < first + PLACES; at++) {
      if (this.#items[at] === item) this.#items[at] = undefined;
    }
  }

  /** Nothing is moved: what is asked for comes back by itself, and nobody waits for the rest. */
  #grow(): void {
    this.#sets *= 2;
    this.#hashes = new Int32Array(this.#sets * PLACES);
    this.#items = new Array(this.#sets * PLACES).fill(undefined);
  }

  #firstOf(hash: number): number {
    return (hash & (this.#sets - 1)) * PLACES;
  }
}
