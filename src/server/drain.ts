import type { Limits } from './limits.ts';

/** How often connections are looked at that are to be closed. */
const TICK_MS = 50;

/** A connection that has sent nothing for this long is between two requests. */
const QUIET_MS = 100;

/** From this part of the time on, a connection that is never quiet is closed behind a reply. */
const QUIET_SHARE = 1 / 2;

/** A connection that is to be closed, as far as it matters here. */
export interface Drained {
  drain(quietMs: number, isUrgent: boolean): void;
}

/** What connections share. */
interface Clock {
  nowMs: number;
  readonly limits: Pick<Limits, 'drainTimeoutMs'>;
}

/**
 * Closes connections between two requests: a request that is on its way when its connection is closed
 * has to be sent again. First those go that are quiet, then those that have just been answered.
 */
export class Drain {
  /** Resolves when the time is over; what is left is to be closed. */
  readonly isOver: Promise<void>;
  readonly #ticks: NodeJS.Timeout;
  readonly #connections: Iterable<Drained>;
  readonly #clock: Clock;
  readonly #urgentAtMs: number;
  #end = (): void => {};

  /** @param clock By which connections know how long they have been quiet. */
  constructor(connections: Iterable<Drained>, clock: Clock) {
    const { drainTimeoutMs: timeoutMs } = clock.limits;
    this.#connections = connections;
    this.#clock = clock;
    this.#urgentAtMs = performance.now() + timeoutMs * QUIET_SHARE;
    // What the system has of them by now is read first.
    this.#ticks = setInterval(() => setImmediate(() => this.#tick()), TICK_MS);
    this.isOver = new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#end = () => {
        clearTimeout(timer);
        clearInterval(this.#ticks);
        resolve();
      };
    });
  }

  /** Has the time be over. */
  end(): void {
    this.#end();
  }

  #tick(): void {
    const nowMs = performance.now();
    for (const connection of this.#connections) {
      connection.drain(QUIET_MS, nowMs >= this.#urgentAtMs);
    }
    // Last: who was active since the last tick has been quiet for no time at all.
    this.#clock.nowMs = nowMs;
  }
}
