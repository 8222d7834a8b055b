import { describeByte, skipPlain } from '../../storage/formats/json/json-bytes.ts';
import { withoutEscapes } from './json-text.ts';
import { BadRow, type Cells, COLUMNS_MAX, KIND } from './row.ts';

/** Most objects and arrays inside of each other. */
const DEPTH_MAX = 64;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const LEFT_BRACKET = 0x5b;
const RIGHT_BRACKET = 0x5d;
const LEFT_BRACE = 0x7b;
const RIGHT_BRACE = 0x7d;
const LETTER_U = 0x75;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;

const WORDS = ['true', 'false', 'null'].map((word) => Buffer.from(word));
const SHORT_ESCAPES: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));

/**
 * Reads the members of one object of JSON (RFC 8259) on a line. The bytes are UTF-8. It
 * makes no object of a row, and takes names as they are: JSON.parse of Node 24.21 reads some wrong.
 */
export class JsonRow {
  readonly #names: readonly Buffer[];
  /** Where the name that comes next is likely to be in the list. */
  #next = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #words: Int32Array = new Int32Array(0);
  #start = 0;
  #end = 0;
  #at = 0;
  /** Of the string that was read last. */
  #hasEscapes = false;
  /** Of the value that was read last. */
  #valueStart = 0;
  #valueEnd = 0;
  #kind = 0;

  /** @param columns The members that become cells. */
  constructor(columns: readonly string[]) {
    this.#names = columns.map((column) => Buffer.from(column));
  }

  /**
   * @returns Whether there is a row: an empty line has none.
   * @throws BadRow.
   */
  read(bytes: Buffer, start: number, end: number, cells: Cells): boolean {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    }
    this.#start = start;
    this.#at = start;
    this.#end = end;
    this.#space();
    if (this.#at === end) return false;
    const { length } = this.#names;
    cells.bytes = bytes;
    cells.count = length + 1;
    cells.reserve(length + 1);
    cells.kinds.fill(KIND.none, 0, length);
    cells.kinds[length] = KIND.json;
    cells.starts[length] = this.#at;
    this.#next = 0;
    if (bytes[this.#at] !== LEFT_BRACE) throw this.#wrong('an object');
    this.#members(cells);
    cells.ends[length] = this.#at;
    this.#space();
    if (this.#at < end) throw this.#wrong('the end of the line');
    return true;
  }

  #members(cells: Cells): void {
    this.#at++;
    this.#space();
    if (this.#take(RIGHT_BRACE)) return;
    for (let count = 1; ; count++) {
      if (count > COLUMNS_MAX)
        throw new BadRow(`expected at most ${COLUMNS_MAX} fields, found more`);
      const cell = this.#name();
      this.#value(0);
      if (cell !== undefined) this.#set(cells, cell);
      this.#space();
      if (this.#take(RIGHT_BRACE)) return;
      if (!this.#take(COMMA)) throw this.#wrong('a comma or "}"');
      this.#space();
    }
  }

  #set(cells: Cells, cell: number): void {
    if (cells.kinds[cell] !== KIND.none) {
      throw new BadRow('expected each field once, found it twice', this.#names[cell].toString());
    }
    cells.kinds[cell] = this.#kind;
    cells.starts[cell] = this.#valueStart;
    cells.ends[cell] = this.#valueEnd;
  }

  /** @returns Which cell the name is that of. */
  #name(): number | undefined {
    if (this.#bytes[this.#at] !== QUOTE || this.#at >= this.#end)
      throw this.#wrong('a name in quotes');
    const start = this.#at + 1;
    this.#string();
    const cell = this.#hasEscapes
      ? this.#cellOf(withoutEscapes(this.#bytes, start, this.#at - 1))
      : this.#cellAt(this.#bytes, start, this.#at - 1);
    this.#space();
    if (!this.#take(COLON)) throw this.#wrong('a colon after the name');
    this.#space();
    return cell;
  }

  #cellOf(name: Buffer): number | undefined {
    return this.#cellAt(name, 0, name.length);
  }

  /** Rows tend to have their fields in one order, so the search goes on where the last one ended. */
  #cellAt(bytes: Buffer, start: number, end: number): number | undefined {
    const names = this.#names;
    for (let tries = 0, i = this.#next; tries < names.length; tries++, i++) {
      if (i >= names.length) i = 0;
      if (!isSame(names[i], bytes, start, end)) continue;
      this.#next = i + 1;
      return i;
    }
    return undefined;
  }

  #value(depth: number): void {
    const start = this.#at;
    const byte = start < this.#end ? this.#bytes[start] : 0;
    if (byte === QUOTE) {
      this.#string();
      this.#kind = this.#hasEscapes ? KIND.escaped : KIND.string;
      this.#valueStart = start + 1;
      this.#valueEnd = this.#at - 1;
      return;
    }
    let kind: number = KIND.json;
    if (byte === LEFT_BRACE || byte === LEFT_BRACKET) this.#inner(byte, depth + 1);
    else if (byte === MINUS || isDigit(byte)) {
      this.#number();
      kind = KIND.literal;
    } else kind = this.#word() === 'null' ? KIND.null : KIND.literal;
    this.#kind = kind;
    this.#valueStart = start;
    this.#valueEnd = this.#at;
  }

  #inner(open: number, depth: number): void {
    if (depth > DEPTH_MAX) {
      throw new BadRow(`expected at most ${DEPTH_MAX} objects and lists in each other, found more`);
    }
    const isObject = open === LEFT_BRACE;
    const close = isObject ? RIGHT_BRACE : RIGHT_BRACKET;
    this.#at++;
    this.#space();
    if (this.#take(close)) return;
    for (;;) {
      if (isObject) this.#passName();
      this.#value(depth);
      this.#space();
      if (this.#take(close)) return;
      if (!this.#take(COMMA)) throw this.#wrong(`a comma or "${String.fromCharCode(close)}"`);
      this.#space();
    }
  }

  #passName(): void {
    if (this.#bytes[this.#at] !== QUOTE || this.#at >= this.#end)
      throw this.#wrong('a name in quotes');
    this.#string();
    this.#space();
    if (!this.#take(COLON)) throw this.#wrong('a colon after the name');
    this.#space();
  }

  /** From the opening quote to behind the closing one. */
  #string(): void {
    const bytes = this.#bytes;
    const end = this.#end;
    this.#hasEscapes = false;
    let at = this.#at + 1;
    while (at < end) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.#at = at + 1;
        return;
      }
      if (byte === BACKSLASH) {
        this.#hasEscapes = true;
        at = this.#escape(at + 1);
      } else if (byte < 0x20) {
        this.#at = at;
        throw this.#wrong('control characters to be escaped');
      } else {
        at = byte < 0x80 ? skipPlain(bytes, this.#words, at) : at + 1;
      }
    }
    this.#at = end;
    throw this.#wrong('a closing quote');
  }

  /** @param at Behind the backslash. @returns Where the text goes on. */
  #escape(at: number): number {
    this.#at = at;
    if (at < this.#end && SHORT_ESCAPES.has(this.#bytes[at])) return at + 1;
    const unit = this.#unit(at);
    if (unit >= 0xdc00 && unit <= 0xdfff) throw this.#wrong('a high surrogate before the low one');
    if (unit < 0xd800 || unit > 0xdfff) return at + 5;
    this.#at = at + 5;
    const low = this.#bytes[at + 5] === BACKSLASH ? this.#unit(at + 6) : 0;
    if (low >= 0xdc00 && low <= 0xdfff) return at + 11;
    throw this.#wrong('the \\u escape of a low surrogate');
  }

  #unit(at: number): number {
    const digits = at + 5 <= this.#end ? this.#bytes.toString('latin1', at + 1, at + 5) : '';
    if (this.#bytes[at] === LETTER_U && /^[\da-f]{4}$/i.test(digits)) {
      return Number.parseInt(digits, 16);
    }
    throw this.#wrong('one of "\\/bfnrt, or u and four hexadecimal digits, after a backslash');
  }

  #number(): void {
    if (this.#bytes[this.#at] === MINUS) this.#at++;
    if (!this.#take(ZERO)) this.#digits();
    if (this.#take(DOT)) this.#digits();
    if (this.#at >= this.#end || (this.#bytes[this.#at] | 0x20) !== 0x65) return;
    this.#at++;
    const sign = this.#bytes[this.#at];
    if (sign === MINUS || sign === 0x2b) this.#at++;
    this.#digits();
  }

  #digits(): void {
    const start = this.#at;
    while (this.#at < this.#end && isDigit(this.#bytes[this.#at])) this.#at++;
    if (this.#at === start) throw this.#wrong('a digit');
  }

  #word(): string {
    for (const word of WORDS) {
      const end = this.#at + word.length;
      if (end > this.#end || !isSame(word, this.#bytes, this.#at, end)) continue;
      this.#at = end;
      return word.toString();
    }
    throw this.#wrong('a JSON value');
  }

  /** Passes over a byte, if it is the next one. */
  #take(byte: number): boolean {
    if (this.#at >= this.#end || this.#bytes[this.#at] !== byte) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    const bytes = this.#bytes;
    let at = this.#at;
    while (at < this.#end && (bytes[at] === 0x20 || bytes[at] === 0x09 || bytes[at] === 0x0d)) at++;
    this.#at = at;
  }

  #wrong(expected: string): BadRow {
    const found =
      this.#at < this.#end ? describeByte(this.#bytes[this.#at]) : 'the end of the line';
    return new BadRow(`byte ${this.#at - this.#start}: expected ${expected}, found ${found}`);
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isSame(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
  return true;
}
