import type { Logger } from '../log.ts';

/** An address is told of this often at most. */
const QUIET_MS = 60_000;

/** Addresses that are remembered; when there are more, the oldest may be told of again too soon. */
const ADDRESSES_MAX = 10_000;

/** Tells an owner which clients write to a server that is read-only, without flooding the log. */
export class RefusalLog {
  readonly #logger: Logger;
  /** When each address was told of, the oldest first. */
  readonly #toldAtMs = new Map<string, number>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * @param client Address without a port: each connection of a client has another one.
   * @param nowMs On any clock that goes on.
   */
  report(client: string, command: string, nowMs: number): void {
    const toldAtMs = this.#toldAtMs.get(client);
    if (toldAtMs !== undefined && nowMs - toldAtMs < QUIET_MS) return;
    this.#toldAtMs.delete(client);
    this.#toldAtMs.set(client, nowMs);
    if (this.#toldAtMs.size > ADDRESSES_MAX) {
      const [oldest] = this.#toldAtMs.keys();
      this.#toldAtMs.delete(oldest);
    }
    this.#logger.warn(
      `refused a write (${command}) from ${client}: this server is read-only; ` +
        'other writes from there are counted in stats and not logged for a minute',
    );
  }
}
