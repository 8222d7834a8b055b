import { BadRow } from './row.ts';

const FIRST_BYTES = 64 * 1024;
/** Below this many bytes a loop beats `copy`: see record.ts. */
const LOOP_COPY_BYTES_MAX = 48;

/** A text that is put together of pieces, in memory that is reused. */
export class ByteText {
  readonly #bytesMax: number;
  bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  appendByte(byte: number): void {
    if (this.length === this.bytes.length) this.#grow(1);
    this.bytes[this.length++] = byte;
  }

  /** @throws BadRow when the text becomes too long. */
  append(source: Uint8Array, start: number, end: number): void {
    const added = end - start;
    if (this.length + added > this.bytes.length) this.#grow(added);
    if (added > LOOP_COPY_BYTES_MAX) {
      this.bytes.set(source.subarray(start, end), this.length);
    } else {
      for (let i = 0; i < added; i++) this.bytes[this.length + i] = source[start + i];
    }
    this.length += added;
  }

  #grow(added: number): void {
    const needed = this.length + added;
    if (needed > this.#bytesMax) {
      throw new BadRow(`expected a value of at most ${this.#bytesMax} bytes, found more`);
    }
    const larger = Buffer.allocUnsafeSlow(
      Math.min(this.#bytesMax, Math.max(needed, 2 * this.bytes.length)),
    );
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
  }
}
