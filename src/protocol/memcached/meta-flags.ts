import { skipSpaces, wordEnd } from '../line.ts';
import { isSigned, isUnsigned } from '../numbers.ts';
import { ASKED_KEY_BYTES_MAX, BAD_FORMAT } from '../writes.ts';
import { decodeBase64 } from './base64.ts';

/** A meta command may have this many words, itself and its key among them. */
const WORDS_MAX = 19;

/** The longest opaque token, with its letter. */
const OPAQUE_BYTES_MAX = 32;

const BAD_TOKEN = 'CLIENT_ERROR bad token in command line format';
export const OPAQUE_TOO_LONG = 'CLIENT_ERROR opaque token too long';

/** Letters of flags, by their bytes. */
export const FLAG = {
  base64: 0x62, // b
  cas: 0x63, // c
  clientFlags: 0x66, // f
  hit: 0x68, // h
  key: 0x6b, // k
  lastAccess: 0x6c, // l
  quiet: 0x71, // q
  size: 0x73, // s
  timeLeft: 0x74, // t
  value: 0x76, // v
  mode: 0x4d, // M
  opaque: 0x4f, // O
  timeToLive: 0x54, // T
  vivify: 0x4e, // N
} as const;

/** How the token behind a flag's letter is checked. */
const UNKNOWN = 0;
const UNCHECKED = 1;
const SIGNED = 2;
const UNSIGNED = 3;
const CLIENT_FLAGS = 4;
const INITIAL_VALUE = 5;
const DELTA = 6;
const MODE = 7;
const KEY_ENCODING = 8;

/** All flags of all meta commands: each of them takes those of the others, and ignores them. */
const CHECKS = new Uint8Array(256);
for (const [letters, check] of [
  ['OPLkstcfvhluqI', UNCHECKED],
  ['NTR', SIGNED],
  ['C', UNSIGNED],
  ['F', CLIENT_FLAGS],
  ['J', INITIAL_VALUE],
  ['D', DELTA],
  ['M', MODE],
  ['b', KEY_ENCODING],
] as const) {
  for (const letter of letters) CHECKS[letter.charCodeAt(0)] = check;
}

/**
 * The words of a meta command (memcached's protocol.txt, "Meta Commands"), found in the line's
 * bytes. One object serves all commands, as each is done with before the next begins.
 */
export class MetaWords {
  /** Memory with the key, in [keyStart, keyEnd); the line itself unless the key is in base64. */
  key: Buffer = Buffer.alloc(0);
  keyStart = 0;
  keyEnd = 0;
  isBase64 = false;
  /** How many flags there are. */
  count = 0;
  /** Where the flags are in the line: each begins with its letter, and a space is before it. */
  readonly starts = new Int32Array(WORDS_MAX + 1);
  readonly ends = new Int32Array(WORDS_MAX + 1);
  readonly #decoded = Buffer.alloc(ASKED_KEY_BYTES_MAX);
  /** A bit for each letter that was seen, by the lower five bits of its byte. */
  #capitals = 0;
  #smalls = 0;

  /**
   * Finds the key in line[from, end), and forgets what was found before.
   *
   * @returns Whether there is one.
   */
  findKey(line: Buffer, from: number, end: number): boolean {
    this.key = line;
    this.keyStart = skipSpaces(line, from, end);
    this.keyEnd = wordEnd(line, this.keyStart, end);
    this.isBase64 = false;
    this.count = 0;
    this.#capitals = 0;
    this.#smalls = 0;
    return this.keyStart < this.keyEnd;
  }

  get keyIsTooLong(): boolean {
    return this.keyEnd - this.keyStart > ASKED_KEY_BYTES_MAX;
  }

  /**
   * Finds the flags in line[from, end).
   *
   * @param wordsBefore How many words come before them.
   * @returns Whether they are not too many.
   */
  findFlags(line: Buffer, from: number, end: number, wordsBefore: number): boolean {
    let count = 0;
    let at = skipSpaces(line, from, end);
    while (at < end) {
      if (wordsBefore + count === WORDS_MAX) return false;
      this.starts[count] = at;
      at = wordEnd(line, at, end);
      this.ends[count] = at;
      count++;
      at = skipSpaces(line, at, end);
    }
    this.count = count;
    return true;
  }

  /**
   * Checks the flags that were found, and decodes the key if one of them says so. An unknown or a
   * repeated flag is the last that is looked at; of other errors the last one counts.
   *
   * @returns What memcached says about the first or the last error; undefined when there is none.
   */
  checkFlags(line: Buffer): string | undefined {
    let error: string | undefined;
    for (let i = 0; i < this.count; i++) {
      const letter = line[this.starts[i]];
      if (letter >= 0x7f || this.has(letter)) return 'CLIENT_ERROR duplicate flag';
      const check = CHECKS[letter];
      if (check === UNKNOWN) return 'CLIENT_ERROR invalid flag';
      this.#remember(letter);
      if (check === UNCHECKED) continue;
      const found = this.#checkToken(check, line, i);
      // memcached has no words of its own for bad client flags: those of another error are used.
      if (found !== undefined && (check !== CLIENT_FLAGS || error === undefined)) error = found;
    }
    return error;
  }

  /** Whether there is a flag with this letter, among those that were checked. */
  has(letter: number): boolean {
    const seen = letter >= 0x60 ? this.#smalls : this.#capitals;
    return letter > 0x40 && (seen & (1 << (letter & 31))) !== 0;
  }

  /** Which flag has this letter, among those that were checked; -1 when none has. */
  indexOf(line: Buffer, letter: number): number {
    if (!this.has(letter)) return -1;
    let at = 0;
    while (line[this.starts[at]] !== letter) at++;
    return at;
  }

  /** Whether an opaque is longer than can be echoed. memcached finds out when it answers. */
  hasLongOpaque(line: Buffer): boolean {
    const at = this.indexOf(line, FLAG.opaque);
    return at >= 0 && this.ends[at] - this.starts[at] > OPAQUE_BYTES_MAX;
  }

  /** The key as replies have it: in the form that it was asked for in. */
  keyText(): string {
    if (!this.isBase64) return this.key.toString('latin1', this.keyStart, this.keyEnd);
    return `${this.key.toString('base64', this.keyStart, this.keyEnd)} b`;
  }

  #remember(letter: number): void {
    const bit = 1 << (letter & 31);
    if (letter >= 0x60) this.#smalls |= bit;
    else this.#capitals |= bit;
  }

  #checkToken(check: number, line: Buffer, i: number): string | undefined {
    const start = this.starts[i] + 1;
    const end = this.ends[i];
    switch (check) {
      case SIGNED:
        return isSigned(line, start, end) ? undefined : BAD_TOKEN;
      case UNSIGNED:
        return isUnsigned(line, start, end) ? undefined : BAD_TOKEN;
      case CLIENT_FLAGS:
        return isUnsigned(line, start, end) ? undefined : BAD_FORMAT;
      case INITIAL_VALUE:
        if (isUnsigned(line, start, end)) return undefined;
        return 'CLIENT_ERROR invalid numeric initial value';
      case DELTA:
        if (isUnsigned(line, start, end)) return undefined;
        return 'CLIENT_ERROR invalid numeric delta value';
      case MODE:
        return end - start === 1 ? undefined : 'CLIENT_ERROR incorrect length for M token';
      default:
        return this.#decodeKey() ? undefined : 'CLIENT_ERROR error decoding key';
    }
  }

  #decodeKey(): boolean {
    this.isBase64 = true;
    const length = decodeBase64(this.key, this.keyStart, this.keyEnd, this.#decoded);
    this.key = this.#decoded;
    this.keyStart = 0;
    this.keyEnd = length;
    return length > 0;
  }
}
