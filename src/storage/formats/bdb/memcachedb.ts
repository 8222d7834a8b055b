import { GoromdbError } from '../../../common/errors.ts';
import { equalBytes } from '../../scanners/bytes.ts';
import { createFormat } from '../../scanners/format.ts';
import { printable } from '../../scanners/name-list.ts';
import type { RecordSink } from '../../scanners/scanner.ts';
import { bdbScanner } from './bdb.ts';

/** memcachedb.h, struct _stritem: nbytes, nsuffix, nkey, two bytes that align what follows. */
const HEADER_BYTES = 8;
const SUFFIX_LENGTH_AT = 4;
const KEY_LENGTH_AT = 5;
/** Value and its "\r\n", which nbytes counts. */
const LINE_END_BYTES = 2;
/** Digits of a 32-bit number. */
const DIGITS_MAX = 10;
const [LF, CR, SPACE, MINUS, ZERO, NINE] = [0x0a, 0x0d, 0x20, 0x2d, 0x30, 0x39];
const FLAGS_MIN = -(2 ** 31);
const FLAGS_MAX = 2 ** 32 - 1;

/**
 * Reads the files of MemcacheDB: Berkeley DB records whose values are items of memcached, with the
 * client flags inside. The form of every item is verified, and that its key is that of the record.
 */
export const memcachedbScanner = createFormat({
  format: 'memcachedb-bdb',
  title: 'MemcacheDB',
  reading: 'pages',
  has: ['buckets'],
  lack: 'MemcacheDB keeps one database without name',
  // Its files begin like any of Berkeley DB: it is read only where it is asked for.
  async scan(input, options, sink) {
    await bdbScanner.scan(input, options, new ItemSink(input.path, sink));
  },
});

class ItemSink implements RecordSink {
  readonly #path: string;
  readonly #sink: RecordSink;
  /** The key of the record at hand, for messages. */
  #key: Uint8Array = new Uint8Array();
  #keyStart = 0;
  #keyEnd = 0;

  constructor(path: string, sink: RecordSink) {
    this.#path = path;
    this.#sink = sink;
  }

  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    item: Uint8Array,
    itemStart: number,
    itemEnd: number,
  ): void {
    this.#key = key;
    this.#keyStart = keyStart;
    this.#keyEnd = keyEnd;
    const size = itemEnd - itemStart;
    if (size < HEADER_BYTES) throw this.#fault(`an item of ${HEADER_BYTES} bytes or more`, size);
    const suffixBytes = item[itemStart + SUFFIX_LENGTH_AT];
    const keyBytes = item[itemStart + KEY_LENGTH_AT];
    const padding = item[itemStart + 6] | item[itemStart + 7];
    if (padding !== 0) throw this.#fault('two zero bytes after the lengths', padding);
    const itemKey = itemStart + HEADER_BYTES;
    const suffix = itemKey + keyBytes + 1;
    const value = suffix + suffixBytes;
    const valueEnd = itemEnd - LINE_END_BYTES;
    if (valueEnd < value) {
      throw this.#fault(`room for a key of ${keyBytes} and a suffix of ${suffixBytes}`, size);
    }
    this.#checkLength(item, itemStart, itemEnd - value);
    if (!equalBytes(key, keyStart, keyEnd, item, itemKey, suffix - 1)) {
      throw this.#fault('its own key in the item', quote(item, itemKey, suffix - 1));
    }
    if (item[suffix - 1] !== 0) {
      throw this.#fault('a zero byte after the key', item[suffix - 1]);
    }
    const flags = parseSuffix(item, suffix, value, valueEnd - value);
    if (flags === undefined) {
      const expected = `a suffix of flags and length ${valueEnd - value}`;
      throw this.#fault(expected, quote(item, suffix, value));
    }
    if (item[valueEnd] !== CR || item[valueEnd + 1] !== LF) {
      throw this.#fault('a line end after the value', quote(item, valueEnd, itemEnd));
    }
    this.#sink.add(key, keyStart, keyEnd, item, value, valueEnd, flags);
  }

  /**
   * The length is an int of the machine that wrote the file: little-endian, or big-endian when only
   * that says what it must.
   */
  #checkLength(item: Uint8Array, at: number, expected: number): void {
    const little = item[at] | (item[at + 1] << 8) | (item[at + 2] << 16) | (item[at + 3] << 24);
    if (little === expected) return;
    const big = (item[at] << 24) | (item[at + 1] << 16) | (item[at + 2] << 8) | item[at + 3];
    if (big === expected) return;
    throw this.#fault(`a length of ${expected} bytes with the line end`, little);
  }

  #fault(expected: string, found: unknown): GoromdbError {
    return new GoromdbError(
      'DATA_CORRUPT',
      `${this.#path}: item of key ${quote(this.#key, this.#keyStart, this.#keyEnd)}: ` +
        `expected ${expected}; found ${found}`,
    );
  }
}

/**
 * Reads what item.c, item_make_header, prints with " %d %d\r\n": flags and length of the value.
 *
 * @returns the flags; undefined when the suffix does not have the form or has another length.
 */
function parseSuffix(
  item: Uint8Array,
  start: number,
  end: number,
  valueBytes: number,
): number | undefined {
  const isNegative = item[start + 1] === MINUS;
  const first = isNegative ? start + 2 : start + 1;
  const space = digitsEnd(item, first);
  const lineEnd = digitsEnd(item, space + 1);
  const isSound =
    item[start] === SPACE &&
    space > first &&
    item[space] === SPACE &&
    lineEnd > space + 1 &&
    lineEnd + 2 === end &&
    item[lineEnd] === CR &&
    item[lineEnd + 1] === LF;
  if (!isSound || parseDigits(item, space + 1, lineEnd) !== valueBytes) return undefined;
  const number = parseDigits(item, first, space);
  const flags = isNegative ? -number : number;
  // Flags over 2^31 are printed as a negative int; clients mean the 32 bits.
  return flags >= FLAGS_MIN && flags <= FLAGS_MAX ? flags >>> 0 : undefined;
}

/** Where the digits that begin at `start` end; they may be none. */
function digitsEnd(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < start + DIGITS_MAX && bytes[at] >= ZERO && bytes[at] <= NINE) at++;
  return at;
}

function parseDigits(bytes: Uint8Array, start: number, end: number): number {
  let number = 0;
  for (let at = start; at < end; at++) number = number * 10 + bytes[at] - ZERO;
  return number;
}

function quote(bytes: Uint8Array, start: number, end: number): string {
  return printable(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
}
