import { GoromdbError } from '../../common/errors.ts';
import { ROW_BYTES_MAX } from './row.ts';

const FIRST_BYTES = 2 * 1024 * 1024;

/** Holds the row at hand, and what was read behind it, in one stretch of memory. */
export class RowBuffer {
  readonly #path: string;
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** Behind the last byte. */
  end = 0;
  /** The next byte to look at. */
  at = 0;
  /** Where the row at hand begins. */
  rowStart = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Adds a chunk behind the row at hand, which moves to the front.
   *
   * @param line For messages.
   * @returns By how many bytes the row has moved.
   * @throws GoromdbError LIMIT_EXCEEDED.
   */
  add(chunk: Uint8Array, line: number): number {
    const moved = this.rowStart;
    const rest = this.end - moved;
    if (rest > ROW_BYTES_MAX) {
      const message = `${this.#path}: line ${line}: expected a row of at most ${ROW_BYTES_MAX} bytes, found more`;
      throw new GoromdbError('LIMIT_EXCEEDED', message);
    }
    const needed = rest + chunk.length;
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length));
      this.bytes.copy(larger, 0, moved, this.end);
      this.bytes = larger;
    } else if (moved > 0) {
      this.bytes.copyWithin(0, moved, this.end);
    }
    this.bytes.set(chunk, rest);
    this.end = needed;
    this.at -= moved;
    this.rowStart = 0;
    return moved;
  }
}
