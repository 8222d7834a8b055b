import { BulkHead, type Presence } from './frame.ts';

/** So much of a refused command's arguments is in the error (Redis' limit). */
const SHOWN_BYTES_MAX = 128;

const NUL = '\0';

/**
 * The rest of a request that is not answered from its arguments: they go by without being kept,
 * however large they are. The error is due when all are gone.
 */
export class Discard {
  readonly #bulk = new BulkHead();
  #argsLeft: number;
  /** Bytes to come of the argument under way. */
  #bytesLeft: number;
  /** The beginning of the arguments, for the error. */
  #shown: string | undefined;
  readonly #error: string;
  fault = '';
  /** How far the last `read` has come. */
  next = 0;

  /**
   * @param argsLeft Arguments of which nothing has come.
   * @param bytesLeft Bytes to come of the argument before them.
   * @param showsArgs Whether the error ends with the beginning of the arguments.
   */
  constructor(error: string, argsLeft: number, bytesLeft: number, showsArgs: boolean) {
    this.#error = error;
    this.#argsLeft = argsLeft;
    this.#bytesLeft = bytesLeft;
    this.#shown = showsArgs ? '' : undefined;
  }

  get error(): string {
    return this.#error + (this.#shown ?? '');
  }

  read(input: Buffer, start: number, end: number): Presence {
    this.next = start;
    while (true) {
      const skipped = Math.min(end - this.next, this.#bytesLeft);
      this.next += skipped;
      this.#bytesLeft -= skipped;
      if (this.#bytesLeft > 0) return 'partial';
      if (this.#argsLeft === 0) return 'whole';
      const presence = this.#bulk.read(input, this.next, end);
      if (presence === 'broken') this.fault = this.#bulk.fault;
      if (presence !== 'whole') return presence;
      if (!this.#show(input, end)) return 'partial';
      this.next = this.#bulk.next;
      this.#bytesLeft = this.#bulk.bytes + 2;
      this.#argsLeft--;
    }
  }

  /** @returns Whether all of the argument has come that the error shows. */
  #show(input: Buffer, end: number): boolean {
    const shown = this.#shown;
    if (shown === undefined || shown.length >= SHOWN_BYTES_MAX) return true;
    const start = this.#bulk.next;
    const argEnd = start + Math.min(this.#bulk.bytes, SHOWN_BYTES_MAX - shown.length);
    if (argEnd > end) return false;
    this.#shown = `${shown}'${upToNul(input.toString('latin1', start, argEnd))}' `;
    return true;
  }
}

/** Redis prints names and arguments as C strings. */
export function upToNul(text: string): string {
  const at = text.indexOf(NUL);
  return at < 0 ? text : text.slice(0, at);
}
