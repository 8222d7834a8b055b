import { quoteText, skipBlank } from './json-bytes.ts';
import { JsonReader, type JsonReaderOptions, namePlace } from './json-reader.ts';
import type { JsonString } from './json-string.ts';
import type { RecordSink } from './scanner.ts';

/** Longest name of a member that is read before it is refused. */
const NAME_BYTES_MAX = 256;

const LEFT_BRACE = 0x7b;
const RIGHT_BRACE = 0x7d;
const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const LF = 0x0a;

const KEY = Buffer.from('key');
const VALUE = Buffer.from('value');

/** Where in the text the next byte stands, and what may stand there. */
const EXPECTED = {
  line: 'a record, {"key":"...","value":"..."}',
  first: 'the name "key" or "value" in quotes',
  name: 'the name "key" or "value" in quotes after the comma',
  'in-name': 'the closing quote of the name',
  colon: 'a colon after the name',
  content: 'a string',
  'in-content': 'the closing quote of the string',
  next: 'a comma or "}"',
  'line-end': 'the end of the line after the record',
} as const;

type State = keyof typeof EXPECTED;

/**
 * Reads JSON Lines: on each line one object with two strings, `key` and `value`, in either order.
 * Empty lines are passed over; a line end is LF or CRLF, and the last may be missing.
 */
export class JsonLines extends JsonReader {
  readonly #name: JsonString;
  #state: State = 'line';
  #line = 1;
  #records = 0;
  /** Names that the record at hand has shown. */
  #names = 0;
  #recordOffset = 0;
  /** What the name at hand stands for. */
  #member: 'key' | 'value' = 'key';
  #hasKey = false;
  #hasValue = false;

  constructor(sink: RecordSink, options: JsonReaderOptions) {
    super(sink, options);
    this.#name = this.createString('name', NAME_BYTES_MAX);
  }

  /** Records that were read to their end. */
  get records(): number {
    return this.#records;
  }

  /** Whether both names of a record were read. */
  get hasNames(): boolean {
    return this.#names === 2;
  }

  protected skip(chunk: Uint8Array, at: number): number {
    return skipBlank(chunk, at);
  }

  protected step(byte: number, at: number): void {
    const state = this.#state;
    if (byte === LF && (state === 'line' || state === 'line-end')) {
      this.#line++;
      this.#state = 'line';
    } else if (byte === LEFT_BRACE && state === 'line') {
      this.#recordOffset = this.offset + at;
      this.#hasKey = false;
      this.#hasValue = false;
      this.#names = 0;
      this.#state = 'first';
    } else if (byte === QUOTE && (state === 'first' || state === 'name')) {
      this.beginString(this.#name, at);
      this.#state = 'in-name';
    } else if (byte === COLON && state === 'colon') {
      this.#state = 'content';
    } else if (byte === QUOTE && state === 'content') {
      this.beginString(this.#member === 'key' ? this.key : this.value, at);
      this.#state = 'in-content';
    } else if (byte === COMMA && state === 'next') {
      this.#state = 'name';
    } else if (byte === RIGHT_BRACE && state === 'next') {
      this.#endRecord(at);
    } else if (byte === LF) {
      this.refuse('DATA_CORRUPT', at, this.expected(), 'the end of the line');
    } else {
      this.refuseByte(byte, at);
    }
  }

  protected endString(string: JsonString): void {
    if (string === this.key) this.#hasKey = true;
    else if (string === this.value) this.#hasValue = true;
    else this.#takeName();
    this.#state = string === this.#name ? 'colon' : 'next';
  }

  protected keep(): void {
    if (this.#isInRecord() && this.#hasKey) this.key.keep();
    if (this.#isInRecord() && this.#hasValue) this.value.keep();
  }

  protected isComplete(): boolean {
    return this.#records > 0 && !this.#isInRecord();
  }

  protected expected(): string {
    return EXPECTED[this.#state];
  }

  protected place(): string {
    const hasKey = this.#hasKey && this.#isInRecord();
    return `, line ${this.#line}${hasKey ? namePlace('key', this.key) : ''}`;
  }

  protected isStart(): boolean {
    return this.#state === 'line' && this.#records === 0;
  }

  protected isValueNext(): boolean {
    return this.#state === 'content' || this.#state === 'line';
  }

  #isInRecord(): boolean {
    return this.#state !== 'line' && this.#state !== 'line-end';
  }

  #takeName(): void {
    const { bytes, start, end } = this.#name;
    const isKey = isName(KEY, bytes, start, end);
    if (!isKey && !isName(VALUE, bytes, start, end)) {
      const found = `the name ${quoteText(bytes, start, end)}`;
      this.refuseString('FORMAT_UNSUPPORTED', 'only the names "key" and "value"', found);
    }
    this.#member = isKey ? 'key' : 'value';
    if (isKey ? this.#hasKey : this.#hasValue) {
      const found = `the name "${this.#member}" a second time`;
      this.refuseString('DATA_CORRUPT', 'each name once', found);
    }
    this.#names++;
  }

  #endRecord(at: number): void {
    if (!this.#hasKey || !this.#hasValue) {
      const missing = this.#hasKey ? 'value' : 'key';
      this.refuse('DATA_CORRUPT', at, `a comma and "${missing}"`, 'the end of the record');
    }
    this.#records++;
    this.emit(this.#recordOffset);
    this.#state = 'line-end';
  }
}

/** A loop, as this is done twice a record. */
function isName(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (bytes[start + i] !== name[i]) return false;
  return true;
}
