import type { Handler, View } from '../../handler/handler.ts';

/** Bytes of the commands that wait for EXEC: they are kept until then. */
export const TRANSACTION_BYTES_MAX = 1024 * 1024;

/** The commands between MULTI and EXEC. */
export class Transaction {
  readonly #requests: Buffer[] = [];
  #bytes = 0;
  /** Whether one of the commands was refused: then EXEC runs none. */
  isBroken = false;

  get count(): number {
    return this.#requests.length;
  }

  get heldBytes(): number {
    return this.#bytes;
  }

  /** Keeps a copy of the request input[start, end). @returns Whether there was room. */
  add(input: Buffer, start: number, end: number): boolean {
    if (this.#bytes + end - start > TRANSACTION_BYTES_MAX) return false;
    this.#requests.push(Buffer.from(input.subarray(start, end)));
    this.#bytes += end - start;
    return true;
  }

  /** All requests, one behind the other. */
  concat(): Buffer {
    return Buffer.concat(this.#requests);
  }
}

/** A handler that shows one view, so that all commands of a transaction see the same data. */
export function pinnedTo(view: View): Handler {
  const scan = view.scan?.bind(view);
  const held: View = {
    get: (key, start, end) => view.get(key, start, end),
    scan,
    info: view.info,
    release: () => {},
  };
  return { name: 'pinned', view: () => held, swap: () => {} };
}

/** What a client is told whose commands are more than TRANSACTION_BYTES_MAX. */
export const TRANSACTION_TOO_LARGE = `ERR the transaction is too large: at most ${TRANSACTION_BYTES_MAX} bytes of commands`;
