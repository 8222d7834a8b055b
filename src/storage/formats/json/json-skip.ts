/** Most objects and arrays inside of each other in a field that is passed over. */
const DEPTH_MAX = 64;

/** Longest number that is passed over, in bytes. */
const NUMBER_BYTES_MAX = 1024;

const TAB = 0x09;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const LEFT_BRACE = 0x7b;
const RIGHT_BRACE = 0x7d;
const LEFT_BRACKET = 0x5b;
const RIGHT_BRACKET = 0x5d;

/** What may be at the next byte. */
const EXPECTED = {
  value: 'a JSON value',
  'first-value': 'a JSON value or "]"',
  'first-name': 'a name in quotes or "}"',
  name: 'a name in quotes after the comma',
  colon: 'a colon after the name',
  next: 'a comma, or the end of the object or array',
  literal: `a number of at most ${NUMBER_BYTES_MAX} bytes, true, false or null`,
  done: '',
} as const;

/** What numbers, true, false and null begin with, and what they are made of: 1 for each such byte. */
const STARTS = tableOf('-0123456789tfn');
const LETTERS = tableOf('-+.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz');

/** RFC 8259 sections 3 and 6. */
const LITERAL = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

function tableOf(letters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(letters)) table[byte] = 1;
  return table;
}

/**
 * Passes over one JSON value of any kind, and checks its form. Strings are read by whoever calls, as
 * they may be cut into chunks.
 */
export class JsonSkip {
  #state: keyof typeof EXPECTED = 'done';
  /** The closing byte of each object and array that is open. */
  readonly #open = new Uint8Array(DEPTH_MAX);
  #depth = 0;
  readonly #literal = Buffer.alloc(NUMBER_BYTES_MAX);
  #literalBytes = 0;

  /** The next byte is the first one of a value. */
  begin(): void {
    this.#state = 'value';
    this.#depth = 0;
  }

  /** Whether spaces have a meaning: they end a number. */
  get isInLiteral(): boolean {
    return this.#state === 'literal';
  }

  get isDone(): boolean {
    return this.#state === 'done';
  }

  /** What may be at the next byte, for messages. */
  get expected(): string {
    const isDeep = this.#depth === DEPTH_MAX;
    const limit = isDeep ? `, and at most ${DEPTH_MAX} objects and arrays in each other` : '';
    return EXPECTED[this.#state] + limit;
  }

  /**
   * Takes a byte that is not inside of a string.
   *
   * @returns `taken`; `string`: a string begins, report its end with `endString`; `before`: the
   * value
   *   has ended before this byte; `wrong`: the byte is not allowed here.
   */
  step(byte: number): 'taken' | 'string' | 'before' | 'wrong' {
    const state = this.#state;
    if (state === 'literal') return this.#stepLiteral(byte);
    if (byte === QUOTE && state !== 'colon' && state !== 'next') return 'string';
    if (byte === COLON && state === 'colon') {
      this.#state = 'value';
    } else if (byte === COMMA && state === 'next') {
      this.#state = this.#open[this.#depth - 1] === RIGHT_BRACE ? 'name' : 'value';
    } else if (this.#isClosing(byte)) {
      this.#depth--;
      this.#endValue();
    } else if (state === 'value' || state === 'first-value') {
      return this.#beginValue(byte);
    } else {
      return 'wrong';
    }
    return 'taken';
  }

  /** Ends a string that `step` has reported. */
  endString(): void {
    if (this.#state === 'first-name' || this.#state === 'name') this.#state = 'colon';
    else this.#endValue();
  }

  #isClosing(byte: number): boolean {
    if (this.#depth === 0 || byte !== this.#open[this.#depth - 1]) return false;
    const state = this.#state;
    return state === 'next' || state === 'first-name' || state === 'first-value';
  }

  #beginValue(byte: number): 'taken' | 'wrong' {
    if (byte === LEFT_BRACE || byte === LEFT_BRACKET) {
      if (this.#depth === DEPTH_MAX) return 'wrong';
      this.#open[this.#depth++] = byte === LEFT_BRACE ? RIGHT_BRACE : RIGHT_BRACKET;
      this.#state = byte === LEFT_BRACE ? 'first-name' : 'first-value';
      return 'taken';
    }
    if (STARTS[byte] !== 1) return 'wrong';
    this.#literal[0] = byte;
    this.#literalBytes = 1;
    this.#state = 'literal';
    return 'taken';
  }

  #stepLiteral(byte: number): 'taken' | 'before' | 'wrong' {
    if (LETTERS[byte] === 1) {
      if (this.#literalBytes === NUMBER_BYTES_MAX) return 'wrong';
      this.#literal[this.#literalBytes++] = byte;
      return 'taken';
    }
    if (!LITERAL.test(this.#literal.toString('latin1', 0, this.#literalBytes))) return 'wrong';
    this.#endValue();
    if (byte === SPACE || byte === TAB || byte === CR) return 'taken';
    return this.isDone ? 'before' : (this.step(byte) as 'taken' | 'wrong');
  }

  #endValue(): void {
    this.#state = this.#depth === 0 ? 'done' : 'next';
  }
}
