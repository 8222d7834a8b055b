/** Deaths of serving threads in the window, beyond which the process ends. */
export const RESTARTS_MAX = 10;

/** How far back deaths count. */
export const RESTART_WINDOW_MS = 60_000;

/** Pause before a replacement, for each death in the window after the first. */
const PAUSE_MS = 50;

/** Distinguishes a thread that died from threads that die again and again. */
export class RestartLimit {
  #deathsAtMs: number[] = [];

  /**
   * Counts a death.
   *
   * @param nowMs On any clock that only goes forward.
   * @returns How long to wait before a replacement starts; undefined: there were too many.
   */
  pauseMs(nowMs: number): number | undefined {
    this.#deathsAtMs = this.#deathsAtMs.filter((atMs) => nowMs - atMs < RESTART_WINDOW_MS);
    this.#deathsAtMs.push(nowMs);
    const deaths = this.#deathsAtMs.length;
    return deaths > RESTARTS_MAX ? undefined : (deaths - 1) * PAUSE_MS;
  }
}
