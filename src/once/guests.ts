import type { Socket } from 'node:net';

/**
 * The connections of a listener. When there are as many as may be, a new one takes the place of the one
 * that has asked for nothing the longest: whoever only connects must not lock out the others.
 */
export class Guests {
  readonly #guestsMax: number;
  /** Requests of each that are being answered. */
  readonly #requests = new Map<Socket, number>();
  /** Those of whom none is, the quietest first. */
  readonly #quiet = new Set<Socket>();
  /** Requests of all that are being answered. */
  requests = 0;

  constructor(guestsMax: number) {
    this.#guestsMax = guestsMax;
  }

  /** @returns false: it is closed, since all others are being answered. */
  admit(guest: Socket): boolean {
    if (this.#requests.size >= this.#guestsMax) {
      const [quietest = guest] = this.#quiet;
      this.#forget(quietest);
      quietest.destroy();
      if (quietest === guest) return false;
    }
    this.#requests.set(guest, 0);
    this.#quiet.add(guest);
    guest.once('close', () => this.#forget(guest));
    return true;
  }

  /** A request is there. @returns How many of this guest are being answered now. */
  begin(guest: Socket): number {
    const requests = this.#requests.get(guest);
    if (requests === undefined) return 0;
    this.#requests.set(guest, requests + 1);
    this.#quiet.delete(guest);
    this.requests++;
    return requests + 1;
  }

  /** A request is answered. */
  end(guest: Socket): void {
    const requests = this.#requests.get(guest);
    // It is gone, and its requests with it.
    if (requests === undefined) return;
    this.requests--;
    this.#requests.set(guest, requests - 1);
    if (requests === 1) this.#quiet.add(guest);
  }

  closeAll(): void {
    for (const guest of [...this.#requests.keys()]) guest.destroy();
  }

  #forget(guest: Socket): void {
    this.requests -= this.#requests.get(guest) ?? 0;
    this.#requests.delete(guest);
    this.#quiet.delete(guest);
  }
}
