import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../scanners/scanner.ts';

const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;
const NINE = 0x39;

/** Client flags are unsigned 32-bit numbers. */
const FLAGS_MAX = 2 ** 32 - 1;

/** Digits of the largest flags, and more than those of the longest value. */
const DIGITS_MAX = 10;

/** What is wrong with a record. */
export interface RecordFault {
  /** Where in the memory that was read. */
  readonly at: number;
  readonly expected: string;
}

/**
 * Reads records that others wrote, and checks all that `RecordReader` takes for granted: see record.ts.
 * One object is reused for all records.
 */
export class RecordChecker {
  keyStart = 0;
  keyEnd = 0;
  flags = 0;
  valueStart = 0;
  valueEnd = 0;
  /** Of the last record; undefined: it is sound, as far as it is there. */
  fault: RecordFault | undefined;
  #next = 0;

  /**
   * Reads one record of the bytes [at, end), and sets its places.
   *
   * @returns Whether it is sound and all there. If not, see `fault`; without one the record goes on
   *   behind `end`, and `valueEnd` says where its value ends, or is 0 where not even that is there.
   */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    this.fault = undefined;
    this.valueEnd = 0;
    const keyBytes = this.#varint(bytes, at, end, KEY_BYTES_MAX);
    if (keyBytes < 0) return false;
    const valueBytes = this.#varint(bytes, this.#next, end, VALUE_BYTES_MAX);
    if (valueBytes < 0) return false;
    this.keyStart = this.#next;
    this.keyEnd = this.keyStart + keyBytes;
    if (!this.#isNext(bytes, this.keyEnd, end, SPACE)) return false;
    this.flags = this.#decimal(bytes, this.#next, end);
    if (this.flags < 0 || !this.#isNext(bytes, this.#next, end, SPACE)) return false;
    const lengthAt = this.#next;
    const length = this.#decimal(bytes, lengthAt, end);
    if (length < 0 || !this.#isLineEnd(bytes, this.#next, end)) return false;
    if (length !== valueBytes) {
      this.fault = { at: lengthAt, expected: `${valueBytes}, the length of the value` };
      return false;
    }
    this.valueStart = this.#next;
    this.valueEnd = this.valueStart + valueBytes;
    return this.#isLineEnd(bytes, this.valueEnd, end);
  }

  /** LEB128. @returns -1 when it is none of up to `max` in as few bytes as can be, or ends too early. */
  #varint(bytes: Uint8Array, at: number, end: number, max: number): number {
    let value = 0;
    let scale = 1;
    for (let next = at; next < end; next++) {
      const byte = bytes[next];
      value += (byte & 127) * scale;
      if (value > max || scale > max || (byte === 0 && next > at)) {
        this.fault = { at, expected: `a varint of up to ${max} in as few bytes as can be` };
        return -1;
      }
      if (byte < 128) {
        this.#next = next + 1;
        return value;
      }
      scale *= 128;
    }
    return -1;
  }

  /** @returns -1 when it is none without leading zeros, or it ends too early. */
  #decimal(bytes: Uint8Array, at: number, end: number): number {
    let value = 0;
    let next = at;
    for (; next < end; next++) {
      const byte = bytes[next];
      if (byte < ZERO || byte > NINE) break;
      value = value * 10 + byte - ZERO;
      if (next - at === DIGITS_MAX) break;
    }
    const hasLeadingZero = next > at + 1 && bytes[at] === ZERO;
    if (value > FLAGS_MAX || hasLeadingZero || (next === at && next < end)) {
      this.fault = { at, expected: 'a decimal number without leading zeros' };
      return -1;
    }
    this.#next = next;
    return next < end ? value : -1;
  }

  #isNext(bytes: Uint8Array, at: number, end: number, expected: number): boolean {
    if (at >= end) return false;
    this.#next = at + 1;
    if (bytes[at] === expected) return true;
    this.fault = { at, expected: `the byte ${expected}` };
    return false;
  }

  #isLineEnd(bytes: Uint8Array, at: number, end: number): boolean {
    return this.#isNext(bytes, at, end, CR) && this.#isNext(bytes, at + 1, end, LF);
  }
}
