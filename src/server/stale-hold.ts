/** Whether a connection keeps data from being freed that may be replaced meanwhile, and for how long. */
export class StaleHold {
  /** A reply is under way, and with it the data that it began with. */
  isHeld = false;
  #untilMs: number | undefined;

  /** Until when the reply has to be out; undefined: it reads from no data that was replaced. */
  get untilMs(): number | undefined {
    return this.#untilMs;
  }

  /** The data was replaced. */
  noteSwap(untilMs: number): void {
    if (this.isHeld) this.#untilMs ??= untilMs;
  }

  /** Has replaced data go earlier. */
  hurry(untilMs: number): void {
    if (this.#untilMs !== undefined && untilMs < this.#untilMs) this.#untilMs = untilMs;
  }

  letGo(): void {
    this.isHeld = false;
    this.#untilMs = undefined;
  }
}
