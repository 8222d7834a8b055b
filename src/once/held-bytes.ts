/** A client for whom memory is held. */
export interface Holder {
  /** Cuts its connection: what is held for it goes. */
  cut(): void;
}

/**
 * The bytes that are held for all clients together. Beyond the limit those are cut for whom the most is
 * held, of equals the one who came first: whoever fills the memory and then does nothing must not lock
 * out the others.
 */
export class HeldBytes {
  readonly #bytesMax: number;
  readonly #held = new Map<Holder, number>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Says how much is held for a client now. */
  note(holder: Holder, bytes: number): void {
    this.#bytes += bytes - (this.#held.get(holder) ?? 0);
    if (bytes === 0) this.#held.delete(holder);
    else this.#held.set(holder, bytes);
    while (this.#bytes > this.#bytesMax) {
      const [most] = [...this.#held].reduce((a, b) => (b[1] > a[1] ? b : a));
      this.note(most, 0);
      most.cut();
    }
  }
}
