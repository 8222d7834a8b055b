/**
 * How a record lies in a table's segment:
 *
 *     varint key length | varint value length | <key> <flags> <bytes>\r\n<value>\r\n
 *
 * The text behind the two lengths is what a memcached `VALUE ` line and its data block consist of,
 * so a reply to `get` is one copy. A varint is little-endian base 128, the high bit set on all
 * bytes but the last (LEB128).
 */

const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;

/**
 * Below this many bytes a loop beats `set` with its view (they cross at 40 to 50 bytes, 2026-11-21).
 */
const LOOP_COPY_BYTES_MAX = 48;

/** Copies source[start, end) to target[at…] and returns the offset behind it. */
export function copyBytes(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): number {
  const length = end - start;
  if (length <= LOOP_COPY_BYTES_MAX) {
    for (let i = 0; i < length; i++) target[at + i] = source[start + i];
  } else {
    target.set(source.subarray(start, end), at);
  }
  return at + length;
}

/** Number of decimal digits of an integer from 0 to 2^53 - 1. */
export function digitsOf(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  return digits;
}

/** Writes an integer from 0 to 2^53 - 1 in decimal and returns the offset behind it. */
export function writeDecimal(target: Uint8Array, at: number, value: number): number {
  const end = at + digitsOf(value);
  let rest = value;
  for (let i = end - 1; i >= at; i--) {
    const quotient = Math.floor(rest / 10);
    target[i] = ZERO + (rest - quotient * 10);
    rest = quotient;
  }
  return end;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest >>>= 7) bytes++;
  return bytes;
}

function writeVarint(target: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  for (; rest > 127; rest >>>= 7) target[next++] = (rest & 127) | 128;
  target[next++] = rest;
  return next;
}

/** Bytes that a record takes in a segment. */
export function recordBytes(keyBytes: number, valueBytes: number, flags: number): number {
  const lengths = varintBytes(keyBytes) + varintBytes(valueBytes);
  return lengths + wireBytesOf(keyBytes, flags, valueBytes);
}

/** Bytes of `<key> <flags> <bytes>\r\n<value>\r\n`. */
export function wireBytesOf(keyBytes: number, flags: number, valueBytes: number): number {
  return keyBytes + digitsOf(flags) + digitsOf(valueBytes) + valueBytes + 6;
}

/** Writes the part of a record that is before the value's bytes; returns where these begin. */
export function writeRecordHead(
  segment: Uint8Array,
  at: number,
  key: Uint8Array,
  keyStart: number,
  keyEnd: number,
  valueBytes: number,
  flags: number,
): number {
  let next = writeVarint(segment, at, keyEnd - keyStart);
  next = writeVarint(segment, next, valueBytes);
  next = copyBytes(segment, next, key, keyStart, keyEnd);
  segment[next++] = SPACE;
  next = writeDecimal(segment, next, flags);
  segment[next++] = SPACE;
  next = writeDecimal(segment, next, valueBytes);
  segment[next++] = CR;
  segment[next++] = LF;
  return next;
}

/** Writes the line end that closes a record's value; returns where the next record may begin. */
export function writeRecordTail(segment: Uint8Array, at: number): number {
  segment[at] = CR;
  segment[at + 1] = LF;
  return at + 2;
}

/**
 * Reads a record in two steps, because most looks at a record end with its key. One object is
 * reused for all records.
 */
export class RecordReader {
  keyStart = 0;
  keyEnd = 0;
  valueBytes = 0;
  flags = 0;
  valueStart = 0;
  valueEnd = 0;

  /** Sets keyStart, keyEnd and valueBytes: enough to compare the key. */
  readKey(segment: Uint8Array, at: number): void {
    let next = at;
    let byte = segment[next++];
    let keyBytes = byte & 127;
    for (let shift = 7; byte > 127; shift += 7) {
      byte = segment[next++];
      keyBytes |= (byte & 127) << shift;
    }
    byte = segment[next++];
    let valueBytes = byte & 127;
    for (let shift = 7; byte > 127; shift += 7) {
      byte = segment[next++];
      valueBytes |= (byte & 127) << shift;
    }
    this.keyStart = next;
    this.keyEnd = next + keyBytes;
    this.valueBytes = valueBytes;
  }

  /** Sets the rest, after `readKey` on the same record. */
  readValue(segment: Uint8Array): void {
    const { valueBytes } = this;
    let next = this.keyEnd + 1;
    let flags = 0;
    for (let byte = segment[next]; byte !== SPACE; byte = segment[++next]) {
      flags = flags * 10 + byte - ZERO;
    }
    this.flags = flags;
    this.valueStart = next + 1 + digitsOf(valueBytes) + 2;
    this.valueEnd = this.valueStart + valueBytes;
  }
}
