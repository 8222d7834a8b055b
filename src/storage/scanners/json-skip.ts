/** Most objects and arrays inside of each other in a field that is passed over. */
const DEPTH_MAX = 64;

/** Longest number that is passed over, in bytes. */
const NUMBER_BYTES_MAX = 1024;

const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const LEFT_BRACE = 0x7b;
const RIGHT_BRACE = 0x7d;
const LEFT_BRACKET = 0x5b;
const RIGHT_BRACKET = 0x5d;

/** What may stand at the next byte. */
const EXPECTED = {
  value: 'a JSON value',
  'first-value': 'a JSON value or "]"',
  'first-name': 'a name in quotes or "}"',
  name: 'a name in quotes after the comma',
  colon: 'a colon after the name',
  next: 'a comma, or the end of the object or array',
  literal: 'a number, true, false or null',
  done: '',
} as const;

/** RFC 8259 sections 3 and 6. */
const LITERAL = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

/**
 * Passes over one JSON value of any kind, and checks its form. Strings are read by whoever calls, as
 * they may be cut into chunks.
 */
export class JsonSkip {
  #state: keyof typeof EXPECTED = 'done';
  /** The closing byte of each object and array that is open. */
  readonly #open = new Uint8Array(DEPTH_MAX);
  #depth = 0;
  #literal = '';

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

  /** What may stand at the next byte, for messages. */
  get expected(): string {
    const isDeep = this.#depth === DEPTH_MAX;
    const limit = isDeep ? `, and at most ${DEPTH_MAX} objects and arrays in each other` : '';
    return EXPECTED[this.#state] + limit;
  }

  /**
   * Takes a byte that is not inside of a string.
   *
   * @returns `taken`; `string`: a string begins, tell of its end by `endString`; `before`: the value
   *   has ended before this byte; `wrong`: the byte may not stand here.
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

  /** A string that `step` has told of is over. */
  endString(): void {
    if (this.#state === 'first-name' || this.#state === 'name') this.#state = 'colon';
    else this.#endValue();
  }

  #isClosing(byte: number): boolean {
    const isPlace = ['next', 'first-name', 'first-value'].includes(this.#state);
    return isPlace && this.#depth > 0 && byte === this.#open[this.#depth - 1];
  }

  #beginValue(byte: number): 'taken' | 'wrong' {
    if (byte === LEFT_BRACE || byte === LEFT_BRACKET) {
      if (this.#depth === DEPTH_MAX) return 'wrong';
      this.#open[this.#depth++] = byte === LEFT_BRACE ? RIGHT_BRACE : RIGHT_BRACKET;
      this.#state = byte === LEFT_BRACE ? 'first-name' : 'first-value';
      return 'taken';
    }
    if (!/[-0-9tfn]/.test(String.fromCharCode(byte))) return 'wrong';
    this.#literal = String.fromCharCode(byte);
    this.#state = 'literal';
    return 'taken';
  }

  #stepLiteral(byte: number): 'taken' | 'before' | 'wrong' {
    const letter = String.fromCharCode(byte);
    if (/[-+.0-9A-Za-z]/.test(letter)) {
      if (this.#literal.length === NUMBER_BYTES_MAX) return 'wrong';
      this.#literal += letter;
      return 'taken';
    }
    if (!LITERAL.test(this.#literal)) return 'wrong';
    this.#endValue();
    if (' \t\r'.includes(letter)) return 'taken';
    return this.isDone ? 'before' : (this.step(byte) as 'taken' | 'wrong');
  }

  #endValue(): void {
    this.#state = this.#depth === 0 ? 'done' : 'next';
  }
}
