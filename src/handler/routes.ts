/** Longest prefix of a data set in bytes. */
export const PREFIX_BYTES_MAX = 64;

/** Something that keys lead to by what they begin with. */
export interface Route<T> {
  /** Empty: for all keys that no other prefix is for. */
  readonly prefix: string;
  readonly target: T;
}

interface Way<T> {
  /** The prefix and the delimiter. */
  readonly bytes: Buffer;
  readonly target: T;
}

const NO_WAYS: readonly never[] = [];

/**
 * Finds the target for a key by its prefix. As no prefix has the delimiter in it, a key begins with
 * one prefix and delimiter at most. Bytes are compared, and no object is made.
 *
 * Lookups of 500 keys in one of four data sets with prefixes of ten bytes, without a server: 351 ns,
 * and 320 ns in one storage alone (medians of five runs in turn, 2026-11-21).
 */
export class Routes<T> {
  /** By the first byte of the prefix. */
  readonly #ways: readonly (readonly Way<T>[])[];
  readonly #rest: T | undefined;

  constructor(delimiter: string, routes: readonly Route<T>[]) {
    const ways: (readonly Way<T>[])[] = new Array(256).fill(NO_WAYS);
    for (const { prefix, target } of routes) {
      if (prefix === '') continue;
      const bytes = Buffer.from(prefix + delimiter);
      ways[bytes[0]] = [...ways[bytes[0]], { bytes, target }];
    }
    this.#ways = ways;
    this.#rest = routes.find(({ prefix }) => prefix === '')?.target;
  }

  /** @returns The target for key[start, end); undefined when nothing is for it. */
  find(key: Buffer, start: number, end: number): T | undefined {
    if (start === end) return this.#rest;
    const ways = this.#ways[key[start]];
    for (let i = 0; i < ways.length; i++) {
      const { bytes, target } = ways[i];
      if (bytes.length <= end - start && hasAt(key, start, bytes)) return target;
    }
    return this.#rest;
  }
}

/** The caller has seen to it that so many bytes are there. */
function hasAt(key: Buffer, at: number, bytes: Buffer): boolean {
  for (let i = 1; i < bytes.length; i++) {
    if (key[at + i] !== bytes[i]) return false;
  }
  return true;
}
