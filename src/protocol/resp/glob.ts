/** A pattern may have this many bytes: to match a key takes at most their product in steps. */
export const PATTERN_BYTES_MAX = 64;

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const MINUS = 0x2d;
const BACKSLASH = 0x5c;

/** One place of a pattern: any number of bytes, or one byte out of these. */
type Place = 'star' | Uint8Array;

/** Where a class of bytes ends, and the bytes. */
interface ByteClass {
  readonly next: number;
  readonly bytes: Uint8Array;
}

function only(byte: number): Uint8Array {
  return new Uint8Array(256).fill(1, byte, byte + 1);
}

/** Reads `[…]` from behind its bracket; one that is not closed reaches to the pattern's end. */
function classAt(pattern: Buffer, start: number): ByteClass {
  const isNegated = pattern[start] === CARET;
  const bytes = new Uint8Array(256);
  let at = isNegated ? start + 1 : start;
  while (at < pattern.length && pattern[at] !== CLOSE) {
    if (pattern[at] === BACKSLASH && at + 1 < pattern.length) {
      bytes[pattern[at + 1]] = 1;
      at += 2;
    } else if (pattern[at + 1] === MINUS && at + 2 < pattern.length) {
      const [from, to] = [pattern[at], pattern[at + 2]];
      bytes.fill(1, Math.min(from, to), Math.max(from, to) + 1);
      at += 3;
    } else {
      bytes[pattern[at]] = 1;
      at++;
    }
  }
  return { next: at + 1, bytes: isNegated ? bytes.map((isIn) => 1 - isIn) : bytes };
}

function placesOf(pattern: Buffer): readonly Place[] {
  const places: Place[] = [];
  for (let at = 0; at < pattern.length; ) {
    const byte = pattern[at++];
    if (byte === STAR) {
      if (places.at(-1) !== 'star') places.push('star');
    } else if (byte === QUESTION) {
      places.push(new Uint8Array(256).fill(1));
    } else if (byte === OPEN) {
      const { next, bytes } = classAt(pattern, at);
      places.push(bytes);
      at = next;
    } else if (byte === BACKSLASH && at < pattern.length) {
      places.push(only(pattern[at++]));
    } else {
      places.push(only(byte));
    }
  }
  return places;
}

/**
 * A pattern as KEYS and SCAN take it: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a byte
 * that is meant as it stands.
 */
export class Glob {
  readonly #places: readonly Place[];

  /** @throws {RangeError} when the pattern is longer than PATTERN_BYTES_MAX. */
  constructor(pattern: Buffer) {
    if (pattern.length > PATTERN_BYTES_MAX) throw new RangeError('the pattern is too long');
    this.#places = placesOf(pattern);
  }

  /** Whether all of text[start, end) matches. */
  matches(text: Buffer, start: number, end: number): boolean {
    const places = this.#places;
    let at = start;
    let place = 0;
    // Only the last star is ever tried again: what matched before it stays matched.
    let star = -1;
    let starAt = 0;
    while (at < end) {
      const here = places[place];
      if (here === 'star') {
        star = place++;
        starAt = at;
      } else if (here !== undefined && here[text[at]] === 1) {
        place++;
        at++;
      } else if (star >= 0) {
        place = star + 1;
        at = ++starAt;
      } else {
        return false;
      }
    }
    while (places[place] === 'star') place++;
    return place === places.length;
  }
}
