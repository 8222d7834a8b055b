import { type ErrorCode, GoromdbError } from '../../../common/errors.ts';
import { KEY_BYTES_MAX, type RecordSink, VALUE_BYTES_MAX } from '../../scanners/scanner.ts';
import { describeByte, kindOf, quoteText } from './json-bytes.ts';
import { JsonString } from './json-string.ts';

/** RFC 8259 section 8.1 lets a reader ignore a byte order mark, ef bb bf at the very start. */
const MARK = [0xef, 0xbb, 0xbf] as const;
const MARK_EXPECTED = [
  '',
  'the second byte of a byte order mark, bb',
  'the third byte of a byte order mark, bf',
] as const;

export interface JsonReaderOptions {
  /** Name of the file, for messages. */
  readonly path: string;
  /** What byte offsets count in, for messages; undefined: the file itself. */
  readonly text?: string | undefined;
  /** Longest key in bytes. */
  readonly keyBytesMax?: number | undefined;
  /** Longest value in bytes. */
  readonly valueBytesMax?: number | undefined;
  /** Bytes of the text before the first chunk. */
  readonly offset?: number | undefined;
  /** See `ScanOptions.onRecord`. */
  readonly onRecord?: ((offset: number) => void) | undefined;
}

/**
 * What the readers of JSON texts (RFC 8259) have in common: a text arrives in chunks cut anywhere,
 * and is taken apart into strings and the bytes of structure between them. Memory is bounded by the
 * longest key and the longest value.
 */
export abstract class JsonReader {
  protected readonly key: JsonString;
  protected readonly value: JsonString;
  /** Bytes of the text before the current chunk. */
  protected offset: number;
  readonly #sink: RecordSink;
  readonly #options: JsonReaderOptions;
  readonly #text: string;
  /** The string that is being read. */
  #string: JsonString | undefined;
  /** Offset in the text of its opening quote. */
  #quoteOffset = 0;
  /** Where in the text the record begins that is being given to the sink. */
  #recordOffset = 0;
  /** Bytes of a byte order mark that were read. */
  #markBytes = 0;

  constructor(sink: RecordSink, options: JsonReaderOptions) {
    this.#sink = sink;
    this.#options = options;
    this.offset = options.offset ?? 0;
    this.#text = options.text === undefined ? '' : ` of ${options.text}`;
    this.key = this.createString('key', options.keyBytesMax ?? KEY_BYTES_MAX);
    this.value = this.createString('value', options.valueBytesMax ?? VALUE_BYTES_MAX);
  }

  /**
   * Takes the next bytes of the text; they may be overwritten afterwards.
   *
   * @throws {GoromdbError} FORMAT_UNKNOWN when the text cannot be JSON; FORMAT_UNSUPPORTED when it
   *   is JSON of another shape; DATA_CORRUPT; LIMIT_EXCEEDED. No call may follow.
   */
  write(chunk: Uint8Array): void {
    const length = chunk.length;
    const words = new Int32Array(chunk.buffer, 0, chunk.buffer.byteLength >> 2);
    let at = 0;
    while (at < length) {
      const string = this.#string;
      if (string !== undefined) {
        at = string.read(chunk, words, at);
        if (at === length) break;
        this.#string = undefined;
        this.endString(string);
      } else {
        at = this.skip(chunk, at);
        if (at === length) break;
        if (!this.#takeMark(chunk[at], at)) this.step(chunk[at], at);
      }
      at += 1;
    }
    this.keep();
    this.offset += length;
  }

  /** The place of the record that is being given to the sink, for messages. */
  get recordPlace(): string {
    return `byte ${this.#recordOffset}${this.#text}`;
  }

  /** Ends the text. @throws {GoromdbError} DATA_CORRUPT when it is not complete. */
  end(): void {
    const mark = this.#markBytes % MARK.length;
    if (mark === 0 && this.isComplete()) return;
    const found = this.offset === 0 ? 'an empty file' : 'the end of the file';
    this.refuse('DATA_CORRUPT', 0, mark === 0 ? this.expected() : MARK_EXPECTED[mark], found);
  }

  /** The index of the first byte from `at` on that has a meaning between strings. */
  protected abstract skip(chunk: Uint8Array, at: number): number;
  /** Takes a byte between strings; a quote that begins a string is passed to `beginString`. */
  protected abstract step(byte: number, at: number): void;
  protected abstract endString(string: JsonString): void;
  /** Copies the strings that are still needed: the chunk is about to be overwritten. */
  protected abstract keep(): void;
  protected abstract isComplete(): boolean;
  /** What may be at the next byte, for messages. */
  protected abstract expected(): string;
  /** Where the next byte is besides its offset, for messages: the key and so on. */
  protected abstract place(): string;
  /** Whether nothing but space was read, so that the file may be anything. */
  protected abstract isStart(): boolean;
  /** Whether the next byte should begin a JSON value. */
  protected abstract isValueNext(): boolean;

  /** @param what Name of what it holds, for messages. */
  protected createString(what: string, bytesMax: number): JsonString {
    return new JsonString(
      bytesMax,
      (at, expected, found) => this.refuse('DATA_CORRUPT', at, expected, found),
      () => {
        const place = `at byte ${this.#quoteOffset}${this.#text}${this.place()}`;
        const message = `expected a ${what} of at most ${bytesMax} bytes ${place}, found a longer one`;
        throw new GoromdbError('LIMIT_EXCEEDED', `${this.#options.path}: ${message}`);
      },
    );
  }

  protected beginString(string: JsonString, at: number): void {
    this.#quoteOffset = this.offset + at;
    string.begin();
    this.#string = string;
  }

  /** @param offset Where in the text the record begins. */
  protected emit(offset: number, key = this.key, value = this.value, flags = 0): void {
    this.#recordOffset = offset;
    this.#options.onRecord?.(offset);
    this.#sink.add(key.bytes, key.start, key.end, value.bytes, value.start, value.end, flags);
  }

  protected refuseByte(byte: number, at: number): never {
    const isStart = this.isStart();
    const kind = isStart || this.isValueNext() ? kindOf(byte) : undefined;
    if (kind !== undefined) this.refuse('FORMAT_UNSUPPORTED', at, this.expected(), kind);
    const code = isStart ? 'FORMAT_UNKNOWN' : 'DATA_CORRUPT';
    this.refuse(code, at, this.expected(), describeByte(byte));
  }

  protected refuse(code: ErrorCode, at: number, expected: string, found: string): never {
    this.refuseAt(code, this.placeAt(this.offset + at), expected, found);
  }

  /** As `refuse`. @param place What `placeAt` said when that byte was the next one. */
  protected refuseAt(code: ErrorCode, place: string, expected: string, found: string): never {
    const message = `expected ${expected} at ${place}, found ${found}`;
    throw new GoromdbError(code, `${this.#options.path}: ${message}`);
  }

  /** A byte of the text, with what is known of it now. */
  protected placeAt(offset: number): string {
    return `byte ${offset}${this.#text}${this.place()}`;
  }

  /** Offset in the text of the string that was begun last. */
  protected get stringOffset(): number {
    return this.#quoteOffset;
  }

  /** As `refuse`, because of the string that ended. */
  protected refuseString(code: ErrorCode, expected: string, found: string): never {
    this.refuse(code, this.#quoteOffset - this.offset, expected, found);
  }

  #takeMark(byte: number, at: number): boolean {
    const offset = this.offset + at;
    const read = this.#markBytes;
    if (read === MARK.length || (read === 0 && (offset !== 0 || byte !== MARK[0]))) return false;
    if (offset !== read || byte !== MARK[read]) {
      this.refuse('FORMAT_UNKNOWN', at, MARK_EXPECTED[read], describeByte(byte));
    }
    this.#markBytes++;
    return true;
  }
}

/** `, key "paris"` for a message. */
export function namePlace(what: string, { bytes, start, end }: JsonString): string {
  return `, ${what} ${quoteText(bytes, start, end)}`;
}
