/**
 * The shape of requests in RESP ("Redis serialization protocol specification", "Sending commands
 * to a Redis server"): `*<arguments>\r\n`, and for each argument `$<bytes>\r\n<argument>\r\n`.
 */

/** Arguments that a command may have, its name among them (Redis' limit up to version 6). */
export const ARGS_MAX = 1024 * 1024;

/** An argument may announce this many bytes (Redis: the default of proto-max-bulk-len). */
export const BULK_BYTES_MAX = 512 * 1024 * 1024;

/**
 * What a command that is answered may take, all arguments together: two of the longest keys. It is
 * kept until it is whole, as clients that send with blocking writes read no answer before. What is
 * refused is not kept, and may be longer.
 */
export const REQUEST_BYTES_MAX = 128 * 1024;

/** The same for a list of keys: 100,000 keys of 70 bytes. */
export const KEYS_REQUEST_BYTES_MAX = 8 * 1024 * 1024;

/** Arguments that are looked at in one go: about a millisecond (2026-11-28). */
const ARGS_AT_ONCE = 20_000;

/** Of longer names only the beginning is looked at, as no command has one. */
export const NAME_BYTES_MAX = 128;

/** The digits of the longest number that can be a length. */
const LENGTH_DIGITS_MAX = 10;

const STAR = 0x2a;
const DOLLAR = 0x24;
const MINUS = 0x2d;
const ZERO = 0x30;
const CR = 0x0d;
const LF = 0x0a;

/** Whether a part of a request is there: wholly, only its beginning, or not as it should be. */
export type Presence = 'whole' | 'partial' | 'broken';

/** Reads `<number>\r\n`. What it found is valid until it reads on. */
class NumberLine {
  value = 0;
  /** The offset behind the line. */
  next = 0;

  read(input: Buffer, start: number, end: number): Presence {
    const isNegative = start < end && input[start] === MINUS;
    const first = isNegative ? start + 1 : start;
    let value = 0;
    let at = first;
    for (; at < end; at++) {
      const digit = input[at] - ZERO;
      if (digit < 0 || digit > 9) break;
      if (at - first === LENGTH_DIGITS_MAX) return 'broken';
      value = value * 10 + digit;
    }
    if (at === end) return 'partial';
    const hasLeadingZero = at - first > 1 && input[first] === ZERO;
    if (input[at] !== CR || at === first || hasLeadingZero) return 'broken';
    if (isNegative && value === 0) return 'broken';
    if (at + 1 === end) return 'partial';
    if (input[at + 1] !== LF) return 'broken';
    this.value = isNegative ? -value : value;
    this.next = at + 2;
    return 'whole';
  }
}

/** Reads the `$<bytes>\r\n` that stands before an argument. */
export class BulkHead {
  readonly #line = new NumberLine();
  /** What is wrong, in Redis' words. */
  fault = '';

  /** Bytes of the argument. */
  get bytes(): number {
    return this.#line.value;
  }

  /** Where the argument begins. */
  get next(): number {
    return this.#line.next;
  }

  read(input: Buffer, start: number, end: number): Presence {
    if (start >= end) return 'partial';
    if (input[start] !== DOLLAR) {
      this.fault = `expected '$', got '${String.fromCharCode(input[start])}'`;
      return 'broken';
    }
    const presence = this.#line.read(input, start + 1, end);
    if (presence === 'broken' || (presence === 'whole' && !isBulkLength(this.bytes))) {
      this.fault = 'invalid bulk length';
      return 'broken';
    }
    return presence;
  }
}

function isBulkLength(bytes: number): boolean {
  return bytes >= 0 && bytes <= BULK_BYTES_MAX;
}

/**
 * Reads the frame of a request that may arrive in pieces. It remembers how far it has come, so
 * that a client which sends byte by byte does not make it read all arguments again.
 *
 * The two bytes behind an argument are not looked at; Redis does not do it either.
 */
export class RequestFrame {
  readonly #line = new NumberLine();
  readonly #bulk = new BulkHead();
  /** Bytes of the request that are behind the last argument seen; 0: none was. */
  #seenBytes = 0;
  /** Arguments that are not seen yet. */
  #argsLeft = 0;
  /** Arguments, the command's name among them. With 0 or fewer it is no request. */
  argc = 0;
  nameStart = 0;
  nameBytes = 0;
  /** The offset behind the request, or behind the first line when it is none. */
  next = 0;
  fault = '';

  get argsLeft(): number {
    return this.#argsLeft;
  }

  /**
   * Reads up to the name, of which NAME_BYTES_MAX bytes will do.
   *
   * @param start Where the request begins, at its `*`.
   */
  readHead(input: Buffer, start: number, end: number): Presence {
    const counted = input[start] === STAR ? this.#line.read(input, start + 1, end) : 'broken';
    if (counted === 'partial') return counted;
    if (counted === 'broken' || this.#line.value > ARGS_MAX) {
      this.fault = 'invalid multibulk length';
      return 'broken';
    }
    this.argc = this.#line.value;
    this.next = this.#line.next;
    if (this.argc <= 0) return 'whole';
    const named = this.#bulk.read(input, this.next, end);
    if (named === 'broken') this.fault = this.#bulk.fault;
    if (named !== 'whole') return named;
    this.nameStart = this.#bulk.next;
    this.nameBytes = this.#bulk.bytes;
    return this.nameStart + Math.min(this.nameBytes, NAME_BYTES_MAX) <= end ? 'whole' : 'partial';
  }

  /**
   * Reads the arguments behind the name, after `readHead`.
   *
   * @param bytesMax How long the request may be.
   * @returns 'large' when there are more bytes than that: then `next` is where the first argument
   *   begins that is not seen. 'more' when the others should have their turn before it goes on.
   */
  readArgs(
    input: Buffer,
    start: number,
    end: number,
    bytesMax: number,
  ): Presence | 'large' | 'more' {
    if (this.#seenBytes === 0) {
      this.#seenBytes = this.nameStart + this.nameBytes + 2 - start;
      this.#argsLeft = this.argc - 1;
    }
    const pause = this.#argsLeft - ARGS_AT_ONCE;
    while (this.#argsLeft > 0) {
      if (this.#argsLeft === pause) return 'more';
      const at = start + this.#seenBytes;
      const presence = this.#bulk.read(input, at, end);
      if (presence === 'broken') this.fault = this.#bulk.fault;
      if (presence !== 'whole') return presence;
      const seenBytes = this.#bulk.next + this.#bulk.bytes + 2 - start;
      if (seenBytes > bytesMax) {
        this.next = at;
        return 'large';
      }
      this.#seenBytes = seenBytes;
      this.#argsLeft--;
    }
    this.next = start + this.#seenBytes;
    return this.next <= end ? 'whole' : 'partial';
  }

  /** Forgets the request: what comes is another one. */
  finish(): void {
    this.#seenBytes = 0;
  }
}

/** Goes through the arguments of a request that is whole, one after the other. */
export class Args {
  readonly #bulk = new BulkHead();
  #input: Buffer = Buffer.alloc(0);
  #end = 0;
  /** Arguments to come. */
  left = 0;
  /** Where the next argument's `$` is. */
  at = 0;
  /** The argument that was reached last is in [start, end) of `input`. */
  start = 0;
  end = 0;

  get input(): Buffer {
    return this.#input;
  }

  /** @param at Where the first of `count` arguments begins, at its `$`. */
  begin(input: Buffer, at: number, end: number, count: number): void {
    this.#input = input;
    this.at = at;
    this.#end = end;
    this.left = count;
  }

  /** Goes to the next argument. @returns Whether there is one. */
  advance(): boolean {
    if (this.left === 0) return false;
    this.#bulk.read(this.#input, this.at, this.#end);
    this.start = this.#bulk.next;
    this.end = this.start + this.#bulk.bytes;
    this.at = this.end + 2;
    this.left--;
    return true;
  }

  /** Goes to the next argument, which must be there, and reads it as Latin-1 text. */
  nextText(): string {
    this.advance();
    return this.#input.toString('latin1', this.start, this.end);
  }

  /** As `nextText`, of text in UTF-8. */
  nextUtf8(): string {
    this.advance();
    return this.#input.toString('utf8', this.start, this.end);
  }

  /** As `nextText`, in lower case: for names and options. */
  nextWord(): string {
    return this.nextText().toLowerCase();
  }
}
