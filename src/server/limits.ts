import { GoromdbError } from '../common/errors.ts';
import {
  DEFAULT_REQUEST_LIMITS,
  LEAST_REQUEST_LIMITS,
  type RequestLimits,
} from '../protocol/protocol.ts';

/** Serving threads of one process at most. */
export const THREADS_MAX = 64;

/** What one client may take, so that it does not take it from the others. All apply per process. */
export interface Limits extends RequestLimits {
  /** Connections at one time; a further one gets an error line and is closed. */
  readonly connectionsMax: number;
  /** A connection that asks for nothing this long is closed; 0: never. In milliseconds. */
  readonly idleTimeoutMs: number;
  /** A client that reads nothing of its replies this long is disconnected. In milliseconds. */
  readonly stallTimeoutMs: number;
  /**
   * A reply goes on from the data that it began with. When that was replaced, it has this long to be
   * read, but no more than a second of the next load; then the client is disconnected. In milliseconds.
   */
  readonly staleTimeoutMs: number;
  /**
   * When a new process takes over, a connection to the old one is closed between two requests, or this
   * long after. In milliseconds.
   */
  readonly drainTimeoutMs: number;
  /**
   * Bytes that all connections together may hold of unfinished requests and unread replies. When
   * they would go beyond it, those that hold the most are disconnected.
   */
  readonly bufferedBytesMax: number;
  /** Bytes that one connection may hold so. A connection that goes beyond it is closed. */
  readonly connectionBufferedBytesMax: number;
}

export const DEFAULT_LIMITS: Limits = {
  ...DEFAULT_REQUEST_LIMITS,
  connectionsMax: 10_000,
  idleTimeoutMs: 0,
  stallTimeoutMs: 30_000,
  staleTimeoutMs: 30_000,
  drainTimeoutMs: 10_000,
  bufferedBytesMax: 256 * 1024 * 1024,
  connectionBufferedBytesMax: 16 * 1024 * 1024,
};

/** The smallest that makes sense of each; no timeout: 0. */
const LEAST: Limits = {
  ...LEAST_REQUEST_LIMITS,
  connectionsMax: 1,
  idleTimeoutMs: 0,
  stallTimeoutMs: 1,
  staleTimeoutMs: 1,
  drainTimeoutMs: 1,
  bufferedBytesMax: 0,
  connectionBufferedBytesMax: 0,
};

/** @throws GoromdbError OPTION_INVALID: which limit, what it must be, what it is. */
export function checkLimits(limits: Limits): void {
  for (const [name, least] of Object.entries(LEAST)) {
    const found: unknown = limits[name as keyof Limits];
    if (typeof found === 'number' && found >= least) continue;
    const message = `limits.${name}: expected a number from ${least} on, found ${found}`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
}

/** One thread's part of the bytes that may be buffered. */
export class BufferBudget {
  readonly bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  get isExceeded(): boolean {
    return this.#bytes > this.bytesMax;
  }

  /** Accounts for bytes taken, or given back when negative. @returns Whether they are to be had. */
  take(bytes: number): boolean {
    this.#bytes += bytes;
    return bytes <= 0 || !this.isExceeded;
  }
}
