/** The part of a text in Thrift's compact protocol that is not there. */
export class ThriftFault extends Error {
  override readonly name = 'ThriftFault';
  /** Whether more bytes might help. */
  readonly isCut: boolean;

  constructor(message: string, isCut: boolean) {
    super(message);
    this.isCut = isCut;
  }
}

/** Most structures and lists inside of each other; Parquet's own have 8. */
const DEPTH_MAX = 24;
const VARINT_BYTES_MAX = 10;

/**
 * Walks over one structure in Thrift's compact protocol, before a reader is let at it that believes
 * what it says: a list of a billion elements would be allocated before the first one is missed.
 *
 * @returns Where it ends.
 * @throws ThriftFault.
 */
export function endOfThrift(bytes: Uint8Array, start: number): number {
  return new ThriftWalk(bytes, start).end();
}

class ThriftWalk {
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#at = start;
  }

  end(): number {
    this.#structure(1);
    return this.#at;
  }

  #structure(depth: number): void {
    if (depth > DEPTH_MAX)
      throw new ThriftFault(`more than ${DEPTH_MAX} structures in each other`, false);
    for (;;) {
      const head = this.#byte();
      const type = head & 0x0f;
      if (type === 0) return;
      if (head >> 4 === 0) this.#varint();
      this.#element(type, depth);
    }
  }

  #element(type: number, depth: number): void {
    // 1 and 2 are true and false, which have no bytes of their own.
    if (type === 3) this.#pass(1);
    else if (type >= 4 && type <= 6) this.#varint();
    else if (type === 7) this.#pass(8);
    else if (type === 8) this.#pass(this.#varint());
    else if (type === 9) this.#list(depth + 1);
    else if (type === 12) this.#structure(depth + 1);
    else if (type > 2) throw new ThriftFault(`a field of the type ${type}`, false);
  }

  #list(depth: number): void {
    if (depth > DEPTH_MAX)
      throw new ThriftFault(`more than ${DEPTH_MAX} lists in each other`, false);
    const head = this.#byte();
    const type = head & 0x0f;
    const size = head >> 4 === 15 ? this.#varint() : head >> 4;
    // An element takes a byte at least.
    if (size > this.#bytes.length - this.#at)
      throw new ThriftFault(`a list of ${size} elements`, true);
    for (let i = 0; i < size; i++) this.#element(type < 3 ? 3 : type, depth);
  }

  #byte(): number {
    if (this.#at >= this.#bytes.length) throw new ThriftFault('the end of the bytes', true);
    return this.#bytes[this.#at++];
  }

  #pass(count: number): void {
    if (count > this.#bytes.length - this.#at)
      throw new ThriftFault(`a text of ${count} bytes`, true);
    this.#at += count;
  }

  #varint(): number {
    let value = 0;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw new ThriftFault(`a number of more than ${VARINT_BYTES_MAX} bytes`, false);
  }
}
