import { NAMESPACE_BYTES_MAX, type NamespaceSink } from '../../scanners/namespaces.ts';
import type { RecordSink } from '../../scanners/scanner.ts';
import { skipSpace } from './json-bytes.ts';
import { JsonReader, type JsonReaderOptions, namePlace } from './json-reader.ts';
import type { JsonString } from './json-string.ts';

const LEFT_BRACE = 0x7b;
const RIGHT_BRACE = 0x7d;
const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;

/** Where in the text the next byte is, and what may be there. */
const EXPECTED = {
  start: 'an object of strings, "{"',
  'first-name': 'a namespace in quotes or "}"',
  name: 'a namespace in quotes after the comma',
  'in-name': 'the closing quote of the namespace',
  'name-colon': 'a colon after the namespace',
  records: 'an object of strings, "{"',
  first: 'a key in quotes or "}"',
  key: 'a key in quotes after the comma',
  'in-key': 'the closing quote of the key',
  colon: 'a colon after the key',
  value: 'a string',
  'in-value': 'the closing quote of the string',
  next: 'a comma or "}"',
  'next-name': 'a comma or "}" after the object of a namespace',
  end: 'nothing after the closing "}"',
} as const;

type State = keyof typeof EXPECTED;

export interface JsonRecordsOptions extends JsonReaderOptions {
  /** The text is an object of such objects, one for each namespace; called with each. */
  readonly namespaces?: NamespaceSink | undefined;
}

/**
 * Reads one flat JSON object of strings, or an object of such objects, and gives each member to the
 * sink.
 *
 * @example
 * const records = new JsonRecords(sink, { path: 'cities.json' });
 * for (const chunk of chunks) records.write(chunk);
 * records.end();
 */
export class JsonRecords extends JsonReader {
  readonly #namespaces: NamespaceSink | undefined;
  readonly #name: JsonString;
  #state: State = 'start';
  #keyOffset = 0;
  #nameOffset = 0;
  /** The namespace at hand, for messages. */
  #namePlace = '';

  constructor(sink: RecordSink, options: JsonRecordsOptions) {
    super(sink, options);
    this.#namespaces = options.namespaces;
    this.#name = this.createString('namespace', NAMESPACE_BYTES_MAX);
  }

  protected skip(chunk: Uint8Array, at: number): number {
    return skipSpace(chunk, at);
  }

  /** Takes a byte of structure: RFC 8259 section 2 and 4. */
  protected step(byte: number, at: number): void {
    const state = this.#state;
    if (byte === QUOTE && (state === 'first' || state === 'key')) {
      this.#keyOffset = this.offset + at;
      this.beginString(this.key, at);
      this.#state = 'in-key';
    } else if (byte === COLON && state === 'colon') {
      this.#state = 'value';
    } else if (byte === QUOTE && state === 'value') {
      this.beginString(this.value, at);
      this.#state = 'in-value';
    } else if (byte === COMMA && state === 'next') {
      this.#state = 'key';
    } else if (byte === RIGHT_BRACE && (state === 'next' || state === 'first')) {
      this.#state = this.#namespaces === undefined ? 'end' : 'next-name';
      this.#namePlace = '';
    } else if (byte === LEFT_BRACE && state === 'start') {
      this.#state = this.#namespaces === undefined ? 'first' : 'first-name';
    } else if (!this.#stepNamespace(byte, at)) {
      this.refuseByte(byte, at);
    }
  }

  protected endString(string: JsonString): void {
    if (string === this.key) {
      this.#state = 'colon';
    } else if (string === this.value) {
      this.emit(this.#keyOffset);
      this.#state = 'next';
    } else {
      const { bytes, start, end } = string;
      this.#namespaces!.begin(bytes.subarray(start, end), ` at byte ${this.#nameOffset}`);
      this.#namePlace = namePlace('namespace', string);
      this.#state = 'name-colon';
    }
  }

  protected keep(): void {
    if (this.#hasKey()) this.key.keep();
  }

  protected isComplete(): boolean {
    return this.#state === 'end';
  }

  protected expected(): string {
    return this.#namespaces !== undefined && this.#state === 'start'
      ? 'an object of objects, one for each namespace, "{"'
      : EXPECTED[this.#state];
  }

  protected place(): string {
    return this.#namePlace + (this.#hasKey() ? namePlace('key', this.key) : '');
  }

  protected isStart(): boolean {
    return this.#state === 'start';
  }

  protected isValueNext(): boolean {
    return this.#state === 'value' || this.#state === 'records';
  }

  /** @returns Whether the byte may be there. */
  #stepNamespace(byte: number, at: number): boolean {
    const state = this.#state;
    if (byte === QUOTE && (state === 'first-name' || state === 'name')) {
      this.#nameOffset = this.offset + at;
      this.beginString(this.#name, at);
      this.#state = 'in-name';
    } else if (byte === COLON && state === 'name-colon') {
      this.#state = 'records';
    } else if (byte === LEFT_BRACE && state === 'records') {
      this.#state = 'first';
    } else if (byte === COMMA && state === 'next-name') {
      this.#state = 'name';
    } else if (byte === RIGHT_BRACE && (state === 'next-name' || state === 'first-name')) {
      this.#state = 'end';
    } else {
      return false;
    }
    return true;
  }

  /** Whether the key of the member at hand is read and its value is not. */
  #hasKey(): boolean {
    return this.#state === 'colon' || this.#state === 'value' || this.#state === 'in-value';
  }
}
