import type { View, ViewSource } from '../../handler/handler.ts';

/** Bytes of the commands that wait for EXEC: they are kept until then. */
export const TRANSACTION_BYTES_MAX = 1024 * 1024;

/** Room that is taken for the first of them. */
const ROOM_BYTES_MIN = 256;

/**
 * The commands between MULTI and EXEC. They lie one behind the other in one piece of memory: an
 * object for each would take nine times as much as a short command itself.
 */
export class Transaction {
  #memory: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #count = 0;
  /** Whether one of the commands was refused: then EXEC runs none. */
  isBroken = false;

  get count(): number {
    return this.#count;
  }

  /** The memory that is taken, with what is free in it. */
  get heldBytes(): number {
    return this.#memory.length;
  }

  /** Keeps a copy of the request input[start, end). @returns Whether there was room. */
  add(input: Buffer, start: number, end: number): boolean {
    const bytes = this.#bytes + end - start;
    if (bytes > TRANSACTION_BYTES_MAX) return false;
    if (bytes > this.#memory.length) this.#grow(bytes);
    input.copy(this.#memory, this.#bytes, start, end);
    this.#bytes = bytes;
    this.#count++;
    return true;
  }

  /** All requests, one behind the other. */
  requests(): Buffer {
    return this.#memory.subarray(0, this.#bytes);
  }

  #grow(bytes: number): void {
    const room = Math.max(ROOM_BYTES_MIN, bytes, Math.min(bytes * 2, TRANSACTION_BYTES_MAX));
    const memory = Buffer.allocUnsafeSlow(room);
    this.#memory.copy(memory, 0, 0, this.#bytes);
    this.#memory = memory;
  }
}

/** Gives one view again and again, so that all commands of a transaction see the same data. */
export function pinnedTo(view: View): ViewSource {
  const scan = view.scan?.bind(view);
  const held: View = {
    get: (key, start, end) => view.get(key, start, end),
    scan,
    info: view.info,
    release: () => {},
  };
  return { view: () => held };
}

/** The error when a client's commands are more than TRANSACTION_BYTES_MAX. */
export const TRANSACTION_TOO_LARGE = `ERR the transaction is too large: at most ${TRANSACTION_BYTES_MAX} bytes of commands`;
