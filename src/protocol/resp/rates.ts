/** A rate is given over at least this time, once the server has run so long. */
const SPAN_MS_MIN = 1_000;

/** What is counted for rates; the names are those of `INFO`. */
export interface Totals {
  readonly commands: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

interface Sample extends Totals {
  readonly atMs: number;
}

/** Rates between two looks at totals that grow: nothing runs while nobody looks. */
export class Rates {
  #before: Sample;
  #last: Sample;

  /** @param startedAtMs When all totals were 0. */
  constructor(startedAtMs: number) {
    this.#before = { atMs: startedAtMs, commands: 0, bytesRead: 0, bytesWritten: 0 };
    this.#last = this.#before;
  }

  /** Each total's growth a second, since a look that was a second or more ago. */
  look(totals: Totals, nowMs: number): Totals {
    if (nowMs - this.#last.atMs >= SPAN_MS_MIN) this.#before = this.#last;
    const { atMs, commands, bytesRead, bytesWritten } = this.#before;
    const seconds = Math.max(1, nowMs - atMs) / 1000;
    if (nowMs - this.#last.atMs >= SPAN_MS_MIN) this.#last = { ...totals, atMs: nowMs };
    // `stats reset` makes totals smaller.
    const rate = (now: number, before: number): number => Math.max(0, now - before) / seconds;
    return {
      commands: rate(totals.commands, commands),
      bytesRead: rate(totals.bytesRead, bytesRead),
      bytesWritten: rate(totals.bytesWritten, bytesWritten),
    };
  }
}
