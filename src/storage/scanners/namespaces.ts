import { GoromdbError } from '../../common/errors.ts';
import { printable } from './name-list.ts';
import {
  KEY_BYTES_MAX,
  type NamespaceOptions,
  type RecordSink,
  type ScanInput,
} from './scanner.ts';

/** Longest name of a namespace in bytes. */
export const NAMESPACE_BYTES_MAX = 1024;

/** Most namespaces in one file. */
const NAMESPACES_MAX = 100_000;

/** Longest delimiter in bytes. */
const DELIMITER_BYTES_MAX = 16;

/** The delimiter when none is given, as with memcached's -D. */
export const DEFAULT_DELIMITER = ':';

/** What is wrong with a delimiter; undefined: nothing. */
export function delimiterFault(delimiter: string): string | undefined {
  const bytes = Buffer.byteLength(delimiter);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  const isPlain = !/[\x00-\x20\x7f]/.test(delimiter) && !/\p{Surrogate}/u.test(delimiter);
  if (bytes >= 1 && bytes <= DELIMITER_BYTES_MAX && isPlain) return undefined;
  return `expected 1 to ${DELIMITER_BYTES_MAX} bytes without spaces and control characters, found ${printable(delimiter)}`;
}

/** What is put in front of all keys of a data set. */
export interface KeyPrefix extends NamespaceOptions {
  readonly name: string;
}

/**
 * Puts the name of a namespace in front of the keys of its records: `users` and `42` become
 * `users:42`. So a lookup finds them like any other key.
 */
export class NamespaceSink implements RecordSink {
  readonly #path: string;
  readonly #what: string;
  readonly #sink: RecordSink;
  readonly #delimiter: Buffer;
  readonly #names = new Set<string>();
  /** A composed key, which begins with the name and the delimiter. */
  readonly #key = Buffer.alloc(KEY_BYTES_MAX);
  #prefixBytes = 0;

  /**
   * @param what What the format calls a namespace, for messages.
   * @param sink Takes the records under their composed keys.
   */
  constructor(
    { path }: ScanInput,
    what: string,
    sink: RecordSink,
    { delimiter }: NamespaceOptions,
  ) {
    this.#path = path;
    this.#what = what;
    this.#sink = sink;
    this.#delimiter = Buffer.from(delimiter);
  }

  /**
   * The records from here on are of this namespace.
   *
   * @param place Where the name is, for messages, as in ` at byte 7`.
   * @throws GoromdbError FORMAT_UNSUPPORTED, LIMIT_EXCEEDED.
   */
  begin(name: Uint8Array, place = ''): void {
    const bytes = Buffer.from(name.buffer, name.byteOffset, name.length);
    const shown = `${this.#path}: the ${this.#what} ${printable(bytes.toString())}${place}`;
    if (bytes.length > NAMESPACE_BYTES_MAX) {
      const message = `${shown} has a name of ${bytes.length} bytes: expected at most ${NAMESPACE_BYTES_MAX}`;
      throw new GoromdbError('LIMIT_EXCEEDED', message);
    }
    if (bytes.includes(this.#delimiter)) {
      const delimiter = printable(this.#delimiter.toString());
      const message = `${shown} has the delimiter ${delimiter} in its name, so keys of two namespaces could be the same: choose another delimiter with -D, or another name`;
      throw new GoromdbError('FORMAT_UNSUPPORTED', message);
    }
    const key = bytes.toString('latin1');
    if (this.#names.has(key)) {
      const message = `${shown} comes a second time: expected each namespace once`;
      throw new GoromdbError('FORMAT_UNSUPPORTED', message);
    }
    if (this.#names.size === NAMESPACES_MAX) {
      const message = `${this.#path} has too many namespaces: expected at most ${NAMESPACES_MAX}`;
      throw new GoromdbError('LIMIT_EXCEEDED', message);
    }
    this.#names.add(key);
    bytes.copy(this.#key);
    this.#delimiter.copy(this.#key, bytes.length);
    this.#prefixBytes = bytes.length + this.#delimiter.length;
  }

  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    flags: number,
  ): void {
    const composed = this.#key;
    const keyBytes = keyEnd - keyStart;
    const end = this.#prefixBytes + keyBytes;
    if (end > KEY_BYTES_MAX) {
      const message = `${this.#path}: a key with its namespace is ${end} bytes long: expected at most ${KEY_BYTES_MAX}`;
      throw new GoromdbError('LIMIT_EXCEEDED', message);
    }
    for (let at = 0; at < keyBytes; at++) composed[this.#prefixBytes + at] = key[keyStart + at];
    this.#sink.add(composed, 0, end, value, valueStart, valueEnd, flags);
  }
}
