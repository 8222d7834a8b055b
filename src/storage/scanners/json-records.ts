import { type ErrorCode, GoromdbError } from '../../errors.ts';
import { describeByte, skipSpace } from './json-bytes.ts';
import { JsonString } from './json-string.ts';
import { KEY_BYTES_MAX, type RecordSink, VALUE_BYTES_MAX } from './scanner.ts';

/** Longest part of a key that an error shows, in characters. */
const SHOWN_CHARACTERS_MAX = 60;

const LEFT_BRACE = 0x7b;
const RIGHT_BRACE = 0x7d;
const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;

/** Where in the text the next byte stands, and what may stand there. */
const EXPECTED = {
  start: 'an object of strings, "{"',
  'bom-2': 'the second byte of a byte order mark, bb',
  'bom-3': 'the third byte of a byte order mark, bf',
  object: 'an object of strings, "{"',
  first: 'a key in quotes or "}"',
  key: 'a key in quotes after the comma',
  'in-key': 'the closing quote of the key',
  colon: 'a colon after the key',
  value: 'a string',
  'in-value': 'the closing quote of the string',
  next: 'a comma or "}"',
  end: 'nothing after the closing "}"',
} as const;

type State = keyof typeof EXPECTED;

export interface JsonRecordsOptions {
  /** Name of the file, for messages. */
  readonly path: string;
  /** What byte offsets count in, for messages; undefined: the file itself. */
  readonly text?: string | undefined;
  /** Longest key in bytes. */
  readonly keyBytesMax?: number | undefined;
  /** Longest value in bytes. */
  readonly valueBytesMax?: number | undefined;
}

/**
 * Reads one flat JSON object of strings (RFC 8259) that arrives in chunks cut anywhere, and gives
 * each member to the sink. Memory is bounded by the longest key and the longest value.
 *
 * @example
 * const records = new JsonRecords(sink, { path: 'cities.json' });
 * for (const chunk of chunks) records.write(chunk);
 * records.end();
 */
export class JsonRecords {
  readonly #sink: RecordSink;
  readonly #path: string;
  readonly #text: string;
  readonly #key: JsonString;
  readonly #value: JsonString;
  #state: State = 'start';
  /** Bytes of the text before the current chunk. */
  #offset = 0;
  /** Offset in the text of the opening quote of the string that is being read. */
  #quoteOffset = 0;

  constructor(sink: RecordSink, options: JsonRecordsOptions) {
    this.#sink = sink;
    this.#path = options.path;
    this.#text = options.text === undefined ? '' : ` of ${options.text}`;
    const refuse = (at: number, expected: string, found: string): never =>
      this.#refuse('DATA_CORRUPT', at, expected, found);
    const keyMax = options.keyBytesMax ?? KEY_BYTES_MAX;
    const valueMax = options.valueBytesMax ?? VALUE_BYTES_MAX;
    this.#key = new JsonString(keyMax, refuse, () => this.#tooLong('key', keyMax));
    this.#value = new JsonString(valueMax, refuse, () => this.#tooLong('value', valueMax));
  }

  /**
   * Takes the next bytes of the text; they may be overwritten afterwards.
   *
   * @throws {GoromdbError} FORMAT_UNKNOWN when the text cannot be JSON; FORMAT_UNSUPPORTED when it
   *   is JSON but not a flat object of strings; DATA_CORRUPT; LIMIT_EXCEEDED. No call may follow.
   */
  write(chunk: Uint8Array): void {
    const length = chunk.length;
    const words = new Int32Array(chunk.buffer, 0, chunk.buffer.byteLength >> 2);
    let at = 0;
    while (at < length) {
      if (this.#state === 'in-key') {
        at = this.#key.read(chunk, words, at);
        if (at === length) break;
        this.#state = 'colon';
      } else if (this.#state === 'in-value') {
        at = this.#value.read(chunk, words, at);
        if (at === length) break;
        this.#emit();
        this.#state = 'next';
      } else {
        at = skipSpace(chunk, at);
        if (at === length) break;
        this.#step(chunk[at], at);
      }
      at += 1;
    }
    if (this.#hasKey()) this.#key.keep();
    this.#offset += length;
  }

  /** Tells that the text is over. @throws {GoromdbError} DATA_CORRUPT when it is not complete. */
  end(): void {
    if (this.#state === 'end') return;
    const found = this.#offset === 0 ? 'an empty file' : 'the end of the file';
    this.#refuse('DATA_CORRUPT', 0, EXPECTED[this.#state], found);
  }

  /** Takes a byte of structure: RFC 8259 section 2 and 4. */
  #step(byte: number, at: number): void {
    const state = this.#state;
    if (byte === QUOTE && (state === 'first' || state === 'key')) {
      this.#quoteOffset = this.#offset + at;
      this.#key.begin();
      this.#state = 'in-key';
    } else if (byte === COLON && state === 'colon') {
      this.#state = 'value';
    } else if (byte === QUOTE && state === 'value') {
      this.#quoteOffset = this.#offset + at;
      this.#value.begin();
      this.#state = 'in-value';
    } else if (byte === COMMA && state === 'next') {
      this.#state = 'key';
    } else if (byte === RIGHT_BRACE && (state === 'next' || state === 'first')) {
      this.#state = 'end';
    } else if (byte === LEFT_BRACE && (state === 'start' || state === 'object')) {
      this.#state = 'first';
    } else {
      this.#stepByteOrderMark(byte, at);
    }
  }

  /** RFC 8259 section 8.1 lets a reader ignore a byte order mark, ef bb bf at the very start. */
  #stepByteOrderMark(byte: number, at: number): void {
    const offset = this.#offset + at;
    if (this.#state === 'start' && byte === 0xef && offset === 0) {
      this.#state = 'bom-2';
    } else if (this.#state === 'bom-2' && byte === 0xbb && offset === 1) {
      this.#state = 'bom-3';
    } else if (this.#state === 'bom-3' && byte === 0xbf && offset === 2) {
      this.#state = 'object';
    } else {
      this.#refuseByte(byte, at);
    }
  }

  #emit(): void {
    const key = this.#key;
    const value = this.#value;
    this.#sink.add(key.bytes, key.start, key.end, value.bytes, value.start, value.end, 0);
  }

  /** Whether the key of the member at hand is read and its value is not. */
  #hasKey(): boolean {
    return this.#state === 'colon' || this.#state === 'value' || this.#state === 'in-value';
  }

  #refuseByte(byte: number, at: number): never {
    const state = this.#state;
    const expected = EXPECTED[state];
    const isStart = state === 'start' || state === 'object';
    const kind = isStart || state === 'value' ? kindOf(byte) : undefined;
    if (kind !== undefined) this.#refuse('FORMAT_UNSUPPORTED', at, expected, kind);
    const isUnknown = isStart || state === 'bom-2' || state === 'bom-3';
    this.#refuse(isUnknown ? 'FORMAT_UNKNOWN' : 'DATA_CORRUPT', at, expected, describeByte(byte));
  }

  #refuse(code: ErrorCode, at: number, expected: string, found: string): never {
    const place = `byte ${this.#offset + at}${this.#text}${this.#member()}`;
    throw new GoromdbError(code, `${this.#path}: expected ${expected} at ${place}, found ${found}`);
  }

  #tooLong(what: 'key' | 'value', bytesMax: number): never {
    const place = `at byte ${this.#quoteOffset}${this.#text}${this.#member()}`;
    throw new GoromdbError(
      'LIMIT_EXCEEDED',
      `${this.#path}: the ${what} ${place} is longer than ${bytesMax} bytes`,
    );
  }

  #member(): string {
    if (!this.#hasKey()) return '';
    const { bytes, start, end } = this.#key;
    return `, key ${quote(bytes, start, end)}`;
  }
}

/** The kind of JSON value that a byte begins: RFC 8259 section 3. */
function kindOf(byte: number): string | undefined {
  switch (String.fromCharCode(byte)) {
    case '{':
      return 'an object';
    case '[':
      return 'an array';
    case '"':
      return 'a string';
    case 't':
      return 'true';
    case 'f':
      return 'false';
    case 'n':
      return 'null';
    case '-':
      return 'a number';
    default:
      return byte >= 0x30 && byte <= 0x39 ? 'a number' : undefined;
  }
}

/** A key in quotes on one line, without what a terminal or a reader would take for something else. */
function quote(bytes: Uint8Array, start: number, end: number): string {
  // A character takes at most four bytes; the cut may leave a broken one behind the last shown.
  const head = bytes.subarray(start, Math.min(end, start + SHOWN_CHARACTERS_MAX * 4 + 4));
  const characters = [...new TextDecoder('utf-8', { ignoreBOM: true }).decode(head)];
  const shown = characters.slice(0, SHOWN_CHARACTERS_MAX).join('');
  const safe = JSON.stringify(shown).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );
  return characters.length > SHOWN_CHARACTERS_MAX ? `${safe.slice(0, -1)}..."` : safe;
}
