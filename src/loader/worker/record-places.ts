const CHUNK_BYTES = 1024 * 1024;
/** Most bytes that a distance takes: 7 bits in each, for numbers below 2^53. */
const DISTANCE_BYTES_MAX = 8;

/**
 * Remembers where in a text each record begins, so that a message can name the place of one later. It
 * keeps distances (LEB128), which take 1 or 2 bytes for records of usual size.
 */
export class RecordPlaces {
  readonly #chunks: { readonly bytes: Uint8Array; used: number }[] = [];
  #last = 0;

  /** @param offset Where the next record begins; not below the one before. */
  add(offset: number): void {
    let chunk = this.#chunks.at(-1);
    if (chunk === undefined || chunk.used + DISTANCE_BYTES_MAX > CHUNK_BYTES) {
      chunk = { bytes: new Uint8Array(CHUNK_BYTES), used: 0 };
      this.#chunks.push(chunk);
    }
    let rest = offset - this.#last;
    this.#last = offset;
    while (rest > 127) {
      chunk.bytes[chunk.used++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    chunk.bytes[chunk.used++] = rest;
  }

  /**
   * @param record Its number in the order of adding, from 0 on.
   * @returns where it begins; undefined when so many were not added.
   */
  offsetOf(record: number): number | undefined {
    let left = record;
    let offset = 0;
    for (const { bytes, used } of this.#chunks) {
      for (let at = 0; at < used; at++) {
        let scale = 1;
        for (; bytes[at] > 127; at++) {
          offset += (bytes[at] & 127) * scale;
          scale *= 128;
        }
        offset += bytes[at] * scale;
        if (left-- === 0) return offset;
      }
    }
    return undefined;
  }
}
