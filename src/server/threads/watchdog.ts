/** How often each thread is asked whether it still turns. */
const ASK_INTERVAL_MS = 1_000;

/**
 * A thread that has not answered for this many rounds in a row hangs. No turn of a sound thread
 * comes near it: the longest are collections of garbage, tens of milliseconds (2026-11-21).
 */
export const HANG_ROUNDS = 30;

/** A thread as the watchdog sees it. */
export interface Watched {
  /** Resolves when the thread has come round to it; rejects when it has ended. */
  ping(): Promise<unknown>;
  /** It hangs. */
  onHang(): void;
}

/**
 * Notices threads that are caught in a loop. Time is counted in rounds of the main thread's own
 * timer: a process that was stopped, or a machine that slept, has had no rounds meanwhile.
 */
export class Watchdog {
  /** Unanswered rounds. */
  readonly #rounds = new WeakMap<Watched, number>();
  readonly #watched: () => readonly Watched[];
  readonly #hangRounds: number;
  readonly #timer: NodeJS.Timeout;

  constructor(
    watched: () => readonly Watched[],
    { askMs = ASK_INTERVAL_MS, hangRounds = HANG_ROUNDS } = {},
  ) {
    this.#watched = watched;
    this.#hangRounds = hangRounds;
    this.#timer = setInterval(() => this.#round(), askMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #round(): void {
    for (const thread of this.#watched()) {
      const unanswered = this.#rounds.get(thread);
      if (unanswered === undefined) {
        this.#ask(thread);
      } else {
        this.#rounds.set(thread, unanswered + 1);
        if (unanswered + 1 === this.#hangRounds) thread.onHang();
      }
    }
  }

  #ask(thread: Watched): void {
    this.#rounds.set(thread, 0);
    const forget = (): void => void this.#rounds.delete(thread);
    thread.ping().then(forget, forget);
  }
}
