/** A pattern may have this many bytes, and so at most as many places: two words of memory. */
export const PATTERN_BYTES_MAX = 64;

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const MINUS = 0x2d;
const BACKSLASH = 0x5c;

const WORD_BITS = 32;

/**
 * For each byte, which places of a pattern take it: a bit each. All patterns of a thread share them,
 * and `owners` says whose they are, so that a pattern costs no memory and is prepared for no byte that
 * does not come.
 */
const lowMasks = new Int32Array(256);
const highMasks = new Int32Array(256);
const owners = new Float64Array(256);
let lastNumber = 0;

/**
 * A pattern as KEYS and SCAN take it: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a byte
 * that is meant as it is.
 *
 * It is matched by the shift-and method (Baeza-Yates and Gonnet, "A new approach to text searching",
 * 1992): bit i says that all places up to i match the text so far. Every byte takes the same few
 * steps, however many stars there are.
 */
export class Glob {
  readonly #pattern: Buffer;
  readonly #number: number;
  /** Bytes that it takes beside the stars. */
  #places = 0;
  /** Which places have a star behind them. */
  #lowStars = 0;
  #highStars = 0;
  #beginsWithStar = false;

  /** @throws {RangeError} when the pattern is longer than PATTERN_BYTES_MAX. */
  constructor(pattern: Buffer) {
    if (pattern.length > PATTERN_BYTES_MAX) throw new RangeError('the pattern is too long');
    this.#pattern = pattern;
    this.#number = ++lastNumber;
    for (let at = 0; at < pattern.length; at = endOfPlace(pattern, at)) {
      if (pattern[at] !== STAR) this.#places++;
      else this.#addStar();
    }
  }

  #addStar(): void {
    const before = this.#places - 1;
    if (before < 0) this.#beginsWithStar = true;
    else if (before < WORD_BITS) this.#lowStars |= 1 << before;
    else this.#highStars |= 1 << (before - WORD_BITS);
  }

  /** Whether all of text[start, end) matches. */
  matches(text: Uint8Array, start: number, end: number): boolean {
    const last = this.#places - 1;
    if (last < 0) return this.#beginsWithStar || start === end;
    const lowStars = this.#lowStars;
    const highStars = this.#highStars;
    const everywhere = this.#beginsWithStar ? 1 : 0;
    // Where the first place may match: at the first byte, or behind any.
    let first = 1;
    let low = 0;
    let high = 0;
    for (let at = start; at < end; at++) {
      const byte = text[at];
      if (owners[byte] !== this.#number) this.#prepare(byte);
      const carry = low >>> (WORD_BITS - 1);
      low = (((low << 1) | first) & lowMasks[byte]) | (low & lowStars);
      high = (((high << 1) | carry) & highMasks[byte]) | (high & highStars);
      first = everywhere;
      if ((low | high | first) === 0) return false;
    }
    const [word, bit] = last < WORD_BITS ? [low, last] : [high, last - WORD_BITS];
    return (word & (1 << bit)) !== 0;
  }

  /** Finds the places that take a byte. */
  #prepare(byte: number): void {
    const pattern = this.#pattern;
    let low = 0;
    let high = 0;
    let place = 0;
    for (let at = 0; at < pattern.length; at = endOfPlace(pattern, at)) {
      if (pattern[at] === STAR) continue;
      if (takes(pattern, at, byte)) {
        if (place < WORD_BITS) low |= 1 << place;
        else high |= 1 << (place - WORD_BITS);
      }
      place++;
    }
    lowMasks[byte] = low;
    highMasks[byte] = high;
    owners[byte] = this.#number;
  }
}

/** The offset behind the place that begins at `at`. A class that is not closed reaches to the end. */
function endOfPlace(pattern: Buffer, at: number): number {
  if (pattern[at] === BACKSLASH) return Math.min(at + 2, pattern.length);
  if (pattern[at] !== OPEN) return at + 1;
  let end = startOfClass(pattern, at);
  while (end < pattern.length && pattern[end] !== CLOSE) end = endOfRange(pattern, end);
  return Math.min(end + 1, pattern.length);
}

/** Where the bytes of a class begin that is opened at `at`. */
function startOfClass(pattern: Buffer, at: number): number {
  return pattern[at + 1] === CARET ? at + 2 : at + 1;
}

/** The offset behind the byte or the range at `at` of a class. */
function endOfRange(pattern: Buffer, at: number): number {
  if (pattern[at] === BACKSLASH && at + 1 < pattern.length) return at + 2;
  return isRange(pattern, at) ? at + 3 : at + 1;
}

function isRange(pattern: Buffer, at: number): boolean {
  return pattern[at + 1] === MINUS && at + 2 < pattern.length;
}

/** Whether the place at `at`, which is no star, takes a byte. */
function takes(pattern: Buffer, at: number, byte: number): boolean {
  if (pattern[at] === QUESTION) return true;
  if (pattern[at] === OPEN) return classTakes(pattern, at, byte);
  const isEscape = pattern[at] === BACKSLASH && at + 1 < pattern.length;
  return pattern[isEscape ? at + 1 : at] === byte;
}

function classTakes(pattern: Buffer, start: number, byte: number): boolean {
  const isNegated = pattern[start + 1] === CARET;
  let at = startOfClass(pattern, start);
  while (at < pattern.length && pattern[at] !== CLOSE) {
    const next = endOfRange(pattern, at);
    const isEscape = pattern[at] === BACKSLASH && at + 1 < pattern.length;
    const from = pattern[isEscape ? at + 1 : at];
    const to = pattern[next - 1];
    if (byte >= Math.min(from, to) && byte <= Math.max(from, to)) return !isNegated;
    at = next;
  }
  return isNegated;
}
