import { decodeBase64 } from './json-base64.ts';
import {
  describeByte,
  PLAIN,
  secondMax,
  secondMin,
  skipCharacters,
  skipPlain,
} from './json-bytes.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/** The byte that a letter after a backslash means: RFC 8259 section 7, `escape`. */
const ESCAPED = new Uint8Array(256);
for (const [letter, text] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  ESCAPED[letter.charCodeAt(0)] = text.charCodeAt(0);
}

const CAPACITY_BYTES_MIN = 256;

/** Where in a string the next byte is. */
type Mode = 'text' | 'character' | 'escape' | 'hex' | 'low-backslash' | 'low-u';

/** Stops the scan. `at` is an index in the chunk. */
type Refuse = (at: number, expected: string, found: string) => never;

/**
 * One JSON string that may be cut anywhere into chunks. A string without escapes that lies inside
 * one chunk is lent from there and costs no copy; any other is gathered in memory of its own, which
 * is reused for the next string.
 */
export class JsonString {
  /** Holds the string's UTF-8 in [start, end) once `read` has found its end. */
  bytes: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;

  readonly #bytesMax: number;
  readonly #refuse: Refuse;
  readonly #tooLong: () => never;
  #mode: Mode = 'text';
  /** Never longer than the longest string, so that what fits in is within the limit. */
  #own: Uint8Array;
  #ownLength = 0;
  #characterLeft = 0;
  #characterMin = 0;
  #characterMax = 0;
  #hexLeft = 0;
  #unit = 0;
  #highSurrogate = 0;

  /** @param bytesMax Longest string; a longer one calls `tooLong` while it is being gathered. */
  constructor(bytesMax: number, refuse: Refuse, tooLong: () => never) {
    this.#bytesMax = bytesMax;
    this.#refuse = refuse;
    this.#tooLong = tooLong;
    this.#own = new Uint8Array(Math.min(CAPACITY_BYTES_MIN, bytesMax));
  }

  /** Forgets the string before. */
  begin(): void {
    this.#ownLength = 0;
  }

  /** Copies a string that is lent from a chunk, because the chunk is about to be overwritten. */
  keep(): void {
    if (this.bytes === this.#own) return;
    this.#ownLength = 0;
    this.#append(this.bytes, this.start, this.end);
    this.#finish();
  }

  /** Replaces base64 by what it stands for. @returns false when it is none. */
  decode(): boolean {
    this.keep();
    const bytes = decodeBase64(this.#own, this.#ownLength);
    if (bytes === -1) return false;
    this.#ownLength = bytes;
    this.#finish();
    return true;
  }

  /**
   * Reads on in the string at `from`, just behind the opening quote or at the start of a chunk.
   *
   * @param words The memory that `chunk` lies in, from its first byte.
   * @returns The index of the closing quote, or the chunk's length when the string goes on.
   */
  read(chunk: Uint8Array, words: Int32Array, from: number): number {
    const end = chunk.length;
    let at = from;
    let run = from; // chunk[run, at) is read but not yet gathered
    while (at < end) {
      if (this.#mode === 'text') {
        at = skipPlain(chunk, words, at);
        if (at === end) break;
        const byte = chunk[at];
        if (byte === QUOTE) {
          this.#close(chunk, run, at);
          return at;
        }
        if (byte === BACKSLASH) {
          this.#append(chunk, run, at);
          at = this.#beginEscape(chunk, at + 1);
          run = at;
        } else {
          const next = skipCharacters(chunk, at);
          at = next > at ? next : this.#beginCharacter(byte, at);
        }
      } else if (this.#mode === 'character') {
        at = this.#continueCharacter(chunk, at);
      } else {
        this.#escape(chunk[at], at);
        at += 1;
        run = at;
      }
    }
    // Inside an escape run is end: what lies before it is gathered, the escape itself is not text.
    if (run < end) this.#append(chunk, run, end);
    return end;
  }

  #close(chunk: Uint8Array, run: number, at: number): void {
    if (this.#ownLength > 0) {
      this.#append(chunk, run, at);
      this.#finish();
      return;
    }
    if (at - run > this.#bytesMax) this.#tooLong();
    this.bytes = chunk;
    this.start = run;
    this.end = at;
  }

  #finish(): void {
    this.bytes = this.#own;
    this.start = 0;
    this.end = this.#ownLength;
  }

  #beginCharacter(byte: number, at: number): number {
    if (byte < 0x20) this.#refuse(at, 'control characters to be escaped', describeByte(byte));
    if (byte < 0xc2 || byte > 0xf4) this.#refuse(at, 'UTF-8', describeByte(byte));
    this.#characterLeft = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    this.#characterMin = secondMin(byte);
    this.#characterMax = secondMax(byte);
    this.#mode = 'character';
    return at + 1;
  }

  #continueCharacter(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && this.#characterLeft > 0) {
      const byte = chunk[at];
      if (byte < this.#characterMin || byte > this.#characterMax) {
        this.#refuse(at, 'the next byte of a UTF-8 character', describeByte(byte));
      }
      this.#characterMin = 0x80;
      this.#characterMax = 0xbf;
      this.#characterLeft -= 1;
      at += 1;
    }
    if (this.#characterLeft === 0) this.#mode = 'text';
    return at;
  }

  /**
   * Takes what follows a backslash. Where one escape is more are near, as in values that are JSON
   * themselves, so this gathers text and single-letter escapes alike until something else comes or
   * its memory is full: 0.9 against 0.5 million records a second, 28 escapes in each.
   */
  #beginEscape(chunk: Uint8Array, from: number): number {
    if (from === chunk.length || ESCAPED[chunk[from]] === 0) {
      this.#mode = 'escape';
      return from;
    }
    this.#appendByte(ESCAPED[chunk[from]]);
    const own = this.#own;
    let length = this.#ownLength;
    let at = from + 1;
    while (at < chunk.length && length < own.length) {
      let byte = chunk[at];
      if (PLAIN[byte] === 0) {
        if (byte !== BACKSLASH || at + 1 === chunk.length) break;
        byte = ESCAPED[chunk[at + 1]];
        if (byte === 0) break;
        at += 1;
      }
      own[length] = byte;
      length += 1;
      at += 1;
    }
    this.#ownLength = length;
    return at;
  }

  /** Takes one byte behind a backslash. */
  #escape(byte: number, at: number): void {
    switch (this.#mode) {
      case 'escape':
        if (byte === LETTER_U) {
          this.#beginHex();
          return;
        }
        if (ESCAPED[byte] === 0)
          this.#refuse(at, 'one of "\\/bfnrtu after a backslash', describeByte(byte));
        this.#appendByte(ESCAPED[byte]);
        this.#mode = 'text';
        return;
      case 'low-backslash':
        if (byte !== BACKSLASH)
          this.#refuse(at, 'the \\u escape of a low surrogate', describeByte(byte));
        this.#mode = 'low-u';
        return;
      case 'low-u':
        if (byte !== LETTER_U)
          this.#refuse(at, 'the \\u escape of a low surrogate', describeByte(byte));
        this.#beginHex();
        return;
      default:
        this.#unit = this.#unit * 16 + this.#hexDigit(byte, at);
        this.#hexLeft -= 1;
        if (this.#hexLeft === 0) this.#takeUnit(at);
    }
  }

  #beginHex(): void {
    this.#unit = 0;
    this.#hexLeft = 4;
    this.#mode = 'hex';
  }

  #hexDigit(byte: number, at: number): number {
    if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
    const letter = byte | 0x20;
    if (letter >= 0x61 && letter <= 0x66) return letter - 0x61 + 10;
    return this.#refuse(at, 'four hexadecimal digits after \\u', describeByte(byte));
  }

  /** Takes the UTF-16 unit of a \u escape. A surrogate without its partner has no UTF-8. */
  #takeUnit(at: number): void {
    const unit = this.#unit;
    const isLow = unit >= 0xdc00 && unit <= 0xdfff;
    const isHigh = unit >= 0xd800 && unit <= 0xdbff;
    if (isLow !== this.#highSurrogate > 0) {
      const expected = isLow ? 'a character or a high surrogate' : 'a low surrogate';
      // The place of the backslash, six bytes long with its digits; it may lie before the chunk.
      this.#refuse(at - 5, expected, `\\u${unit.toString(16).padStart(4, '0')}`);
    }
    if (isHigh) {
      this.#highSurrogate = unit;
      this.#mode = 'low-backslash';
      return;
    }
    this.#appendCodePoint(
      isLow ? 0x10000 + (this.#highSurrogate - 0xd800) * 0x400 + (unit - 0xdc00) : unit,
    );
    this.#highSurrogate = 0;
    this.#mode = 'text';
  }

  #appendCodePoint(point: number): void {
    if (point < 0x80) {
      this.#appendByte(point);
      return;
    }
    if (point < 0x800) {
      this.#appendByte(0xc0 | (point >> 6));
    } else {
      if (point < 0x10000) {
        this.#appendByte(0xe0 | (point >> 12));
      } else {
        this.#appendByte(0xf0 | (point >> 18));
        this.#appendByte(0x80 | ((point >> 12) & 0x3f));
      }
      this.#appendByte(0x80 | ((point >> 6) & 0x3f));
    }
    this.#appendByte(0x80 | (point & 0x3f));
  }

  #appendByte(byte: number): void {
    this.#reserve(1);
    this.#own[this.#ownLength] = byte;
    this.#ownLength += 1;
  }

  #append(chunk: Uint8Array, from: number, to: number): void {
    this.#reserve(to - from);
    // Between two escapes lie a few bytes, and there a loop beats the call of `set`.
    if (to - from < 32) {
      for (let at = from; at < to; at++) this.#own[this.#ownLength++] = chunk[at];
    } else {
      this.#own.set(chunk.subarray(from, to), this.#ownLength);
      this.#ownLength += to - from;
    }
  }

  #reserve(bytes: number): void {
    const needed = this.#ownLength + bytes;
    if (needed <= this.#own.length) return;
    if (needed > this.#bytesMax) this.#tooLong();
    const larger = new Uint8Array(Math.min(needed * 2, this.#bytesMax));
    larger.set(this.#own.subarray(0, this.#ownLength));
    this.#own = larger;
  }
}
