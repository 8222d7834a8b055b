import { RecordReader } from '../record.ts';
import { KEY_BYTES_MAX } from '../scanners/scanner.ts';
import type { KeyPlace } from './table-index.ts';

/** Bytes that are read first: enough for both lengths and a usual key. */
const PEEK_BYTES = 512;

/** A record begins with two lengths of at most 5 bytes each. */
const LENGTHS_BYTES_MAX = 10;

/** Reads `bytes` bytes of a table's file to the beginning of `target`. */
type Read = (target: Buffer, bytes: number, position: number) => void;

/** Reads the keys of single records out of a table's file. */
export class KeyPeek {
  readonly #read: Read;
  readonly #bytes = Buffer.allocUnsafeSlow(LENGTHS_BYTES_MAX + KEY_BYTES_MAX);
  readonly #reader = new RecordReader();

  constructor(read: Read) {
    this.#read = read;
  }

  /**
   * @param segment Where a segment lies in the file.
   * @param offset Where in it the record begins. If none does, the place that is returned means
   *   nothing, and may reach beyond its memory.
   */
  keyAt(segment: { readonly at: number; readonly bytes: number }, offset: number): KeyPlace {
    const bytes = this.#bytes;
    const bytesMax = Math.min(bytes.length, segment.bytes - offset);
    const first = Math.min(PEEK_BYTES, bytesMax);
    this.#read(bytes, first, segment.at + offset);
    this.#reader.readKey(bytes, 0);
    const { keyStart: start, keyEnd: end } = this.#reader;
    if (end > first) this.#read(bytes, Math.min(end, bytesMax), segment.at + offset);
    return { bytes, start, end };
  }
}
