/** What one client may take, so that it does not take it from the others. All apply per process. */
export interface Limits {
  /** Connections at one time; a further one gets an error line and is closed. */
  readonly connectionsMax: number;
  /** A connection that asks for nothing this long is closed; 0: never. In milliseconds. */
  readonly idleTimeoutMs: number;
  /** A client that reads nothing of its replies this long is cut off. In milliseconds. */
  readonly stallTimeoutMs: number;
  /**
   * Bytes that all connections together may hold of unfinished requests and unread replies. The
   * connection that would go beyond it is cut off.
   */
  readonly bufferedBytesMax: number;
}

export const DEFAULT_LIMITS: Limits = {
  connectionsMax: 10_000,
  idleTimeoutMs: 0,
  stallTimeoutMs: 30_000,
  bufferedBytesMax: 256 * 1024 * 1024,
};

/** One thread's part of the bytes that may be buffered. */
export class BufferBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Accounts for bytes taken, or given back when negative. @returns Whether they are to be had. */
  take(bytes: number): boolean {
    this.#bytes += bytes;
    return bytes <= 0 || this.#bytes <= this.#bytesMax;
  }
}
