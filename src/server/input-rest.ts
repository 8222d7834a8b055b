import { copyBytes } from '../storage/record.ts';

/**
 * Smallest memory for input that is kept. Most is the beginning of one short line, or a command that
 * waits for another server: so this much is used again.
 */
const REST_BYTES_MIN = 64;

/** Input of one connection that is not done with: `bytes` in [start, end). */
export class InputRest {
  readonly #bytesMax: number;
  #bytes: Buffer | undefined;
  #small: Buffer | undefined;
  #start = 0;
  #end = 0;

  /** @param bytesMax Room that is taken in advance ends here. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The memory with the input; undefined when there is none. */
  get bytes(): Buffer | undefined {
    return this.#bytes;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  /** Memory that is taken. */
  get heldBytes(): number {
    return this.#bytes?.length ?? 0;
  }

  /** Keeps input[start, end) and nothing else. The input may be what is kept already. */
  keep(input: Buffer, start: number, end: number): void {
    if (start === end) this.drop();
    else if (input === this.#bytes) this.#start = start;
    // A copy: the next read of any connection goes to the same memory.
    else this.#move(input, start, end, end - start);
  }

  /** Adds the first bytes of a chunk. */
  append(chunk: Buffer, chunkBytes: number): void {
    const bytes = this.#bytes;
    if (bytes === undefined) {
      this.#move(chunk, 0, chunkBytes, chunkBytes);
      return;
    }
    const length = this.#end - this.#start;
    if (this.#end + chunkBytes > bytes.length) {
      // Doubling keeps the copying linear for a client that sends a long line in small pieces.
      const room = Math.max(length + chunkBytes, Math.min(length * 2, this.#bytesMax));
      this.#move(bytes, this.#start, this.#end, room);
    }
    chunk.copy(this.#bytes!, this.#end, 0, chunkBytes);
    this.#end += chunkBytes;
  }

  drop(): void {
    this.#bytes = undefined;
  }

  #takeSmall(): Buffer {
    this.#small ??= Buffer.allocUnsafeSlow(REST_BYTES_MIN);
    return this.#small;
  }

  /** Takes memory of its own for input[start, end), with room up to so many bytes. */
  #move(input: Buffer, start: number, end: number, room: number): void {
    // Not from Node's pool: a few bytes kept for hours would keep all of a pool's memory.
    const bytes = room <= REST_BYTES_MIN ? this.#takeSmall() : Buffer.allocUnsafeSlow(room);
    copyBytes(bytes, 0, input, start, end);
    this.#bytes = bytes;
    this.#start = 0;
    this.#end = end - start;
  }
}
