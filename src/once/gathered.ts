/** The least memory that is taken for something that comes in pieces. */
const CAPACITY_MIN = 1024;

const EMPTY = Buffer.alloc(0);

/**
 * Bytes that came in pieces, in one piece of memory. A list of the pieces would cost a hundred times their
 * bytes if each is one byte: 8 MiB sent so took 2.5 GB (2026-11-28).
 */
export class Gathered {
  #memory: Buffer = EMPTY;
  #length = 0;

  /** Is valid until the next call. */
  get bytes(): Buffer {
    return this.#memory.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  /** Copies a piece behind what is there. */
  append(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (length > this.#memory.length) {
      const memory = Buffer.allocUnsafeSlow(
        Math.max(2 * this.#memory.length, length, CAPACITY_MIN),
      );
      this.#memory.copy(memory, 0, 0, this.#length);
      this.#memory = memory;
    }
    piece.copy(this.#memory, this.#length);
    this.#length = length;
  }

  /** Keeps only what is behind the first bytes. */
  dropFirst(bytes: number): void {
    const rest = this.#memory.subarray(bytes, this.#length);
    this.clear();
    if (rest.length > 0) this.append(rest);
  }

  clear(): void {
    this.#memory = EMPTY;
    this.#length = 0;
  }
}
