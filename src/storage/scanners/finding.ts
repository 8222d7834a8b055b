import { printable } from './name-list.ts';

/** Bytes of a key that are kept for a message. */
const SHOWN_BYTES_MAX = 100;

/** Says where in the file the current record is; undefined: its scanner does not say. */
export type Locate = () => string | undefined;

/** Records of one kind that a notice is about: how many there are, and the first of them. */
export class Finding {
  count = 0;
  #key: Buffer = Buffer.alloc(0);
  #keyBytes = 0;
  #place: string | undefined;

  /** @param key Memory that holds the record's key in [start, end). Lent for the call only. */
  note(key: Uint8Array, start: number, end: number, locate: Locate): void {
    if (this.count++ > 0) return;
    this.#key = Buffer.from(key.subarray(start, Math.min(end, start + SHOWN_BYTES_MAX)));
    this.#keyBytes = end - start;
    this.#place = locate();
  }

  /** `"New York", at byte 17`. */
  get first(): string {
    const size = this.#keyBytes > SHOWN_BYTES_MAX ? ` of ${this.#keyBytes} bytes` : '';
    return `${printable(this.#key.toString())}${size}${this.place}`;
  }

  /** `, at byte 17`, or nothing. */
  get place(): string {
    return this.#place === undefined ? '' : `, at ${this.#place}`;
  }
}

/** `1 key is` or `17 keys are`. */
export function counted(count: number, one: string, many: string): string {
  return count === 1 ? `1 ${one}` : `${count} ${many}`;
}
