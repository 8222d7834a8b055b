import { counted, Finding, type Locate } from '../../scanners/finding.ts';
import type { RecordSink } from '../../scanners/scanner.ts';

/**
 * lmdb-js, compression.cpp: a compressed value begins with one of these and its length, in 3 bytes; or
 * in 6 after one that is not initialised.
 */
const SHORT_LENGTH = 0xfe;
const LONG_LENGTH = 0xff;

/** lmdb-js, `useVersions`: a double in front of each value. */
const VERSION_BYTES = 8;
/** Versions are counters and times in milliseconds; text seldom reads as so small a whole number. */
const VERSION_MAX = 2 ** 48;

/**
 * Counts the values of a file that the npm package lmdb has wrapped: compressed, or behind a version.
 * The file says of neither. They are served as they are stored.
 */
export class WrappedValues {
  readonly #locate: Locate;
  readonly #compressed = new Finding();
  readonly #versioned = new Finding();
  #records = 0;
  #hasVersions = false;
  readonly #version = new DataView(new ArrayBuffer(VERSION_BYTES));

  constructor(locate: Locate) {
    this.#locate = locate;
  }

  /** A sink that shows this the records which go through it. */
  watch(sink: RecordSink): RecordSink {
    return {
      add: (key, keyStart, keyEnd, value, valueStart, valueEnd, flags) => {
        const at = this.#lookForVersion(value, valueStart, valueEnd) ? VERSION_BYTES : 0;
        if (this.#versioned.count === this.#records && at > 0) {
          this.#versioned.note(key, keyStart, keyEnd, this.#locate);
        }
        if (isCompressed(value, valueStart + at, valueEnd)) {
          this.#compressed.note(key, keyStart, keyEnd, this.#locate);
        }
        this.#records++;
        sink.add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags);
      },
    };
  }

  notices(): readonly string[] {
    const notices: string[] = [];
    const { count } = this.#compressed;
    if (count > 0) {
      notices.push(
        `${counted(count, 'value looks', 'values look')} compressed by the npm package lmdb, and ` +
          `clients get the compressed bytes: write the file without "compression"; the first is that of ${this.#compressed.first}`,
      );
    }
    if (this.#records > 1 && this.#hasVersions && this.#versioned.count === this.#records) {
      notices.push(
        `all ${this.#records} values look as if the npm package lmdb had put a version of 8 bytes in front, and ` +
          `clients get these bytes too: write the file without "useVersions"; the first is that of ${this.#versioned.first}`,
      );
    }
    return notices;
  }

  /** @returns Whether the value may begin with a version. */
  #lookForVersion(value: Uint8Array, start: number, end: number): boolean {
    if (this.#versioned.count < this.#records || end - start <= VERSION_BYTES) return false;
    for (let i = 0; i < VERSION_BYTES; i++) this.#version.setUint8(i, value[start + i]);
    const version = this.#version.getFloat64(0, true);
    if (!Number.isInteger(version) || version < 0 || version > VERSION_MAX) return false;
    if (version > 0) this.#hasVersions = true;
    return true;
  }
}

/**
 * Whether these bytes are the head and the LZ4 block of a compressed value, of just the length that
 * it says.
 */
function isCompressed(bytes: Uint8Array, start: number, end: number): boolean {
  const head = bytes[start];
  if (end - start < 8 || (head !== SHORT_LENGTH && head !== LONG_LENGTH)) return false;
  const [lengthStart, lengthEnd] =
    head === SHORT_LENGTH ? [start + 1, start + 4] : [start + 2, start + 8];
  let length = 0;
  for (let at = lengthStart; at < lengthEnd; at++) length = length * 256 + bytes[at];
  return length > end - start && unpackedBytes(bytes, lengthEnd, end) === length;
}

/**
 * LZ4 block format, "Compressed block format": how many bytes a block decompresses to; -1: it is
 * none.
 */
function unpackedBytes(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let decompressed = 0;
  const lengthOf = (nibble: number): number => {
    let length = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255 && at < end; length += byte) {
      byte = bytes[at++];
    }
    return length;
  };
  while (at < end) {
    const token = bytes[at++];
    const literals = lengthOf(token >> 4);
    at += literals;
    decompressed += literals;
    if (at === end) return decompressed;
    at += 2;
    decompressed += 4 + lengthOf(token & 15);
  }
  return -1;
}
