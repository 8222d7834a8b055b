import type { Socket } from 'node:net';

/** A response, as far as it says when it is out, or its connection is gone. */
interface Ending {
  once(event: 'close', ended: () => void): unknown;
}

/**
 * The connections of a server. When there are as many as may be, a new one takes the place of the one
 * that has asked for nothing the longest: whoever only connects must not lock out the others, nor keep a
 * probe out of `/healthz`. Only when all are being answered, the new one is closed itself.
 */
export class Guests {
  readonly #guestsMax: number;
  readonly #pipelinedMax: number;
  /** Requests of each that are being answered. */
  readonly #requests = new Map<Socket, number>();
  /** Those of whom none is, the quietest first. */
  readonly #quiet = new Set<Socket>();
  /** Requests of all that are being answered. */
  requests = 0;

  /** @param pipelinedMax Requests of one guest that are being answered at one time. */
  constructor(guestsMax: number, pipelinedMax: number) {
    this.#guestsMax = guestsMax;
    this.#pipelinedMax = pipelinedMax;
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

  /**
   * A request is there; it is being answered until its response is closed. Node hands over all that one
   * read has brought before anybody else has a turn, some 1,500 requests: 30 clients that sent such reads
   * kept each probe from its answer for more than 5 s (2026-11-28).
   *
   * @returns Whether it is to be answered; if not, its connection has ended.
   */
  begin(guest: Socket, response: Ending): boolean {
    const requests = this.#requests.get(guest);
    if (requests === undefined || guest.destroyed) return false;
    if (requests === this.#pipelinedMax) {
      guest.destroy();
      return false;
    }
    this.#requests.set(guest, requests + 1);
    this.#quiet.delete(guest);
    this.requests++;
    response.once('close', () => this.#end(guest));
    return true;
  }

  /**
   * A request is there, and can be answered at once.
   *
   * @returns false: its connection has ended.
   */
  touch(guest: Socket): boolean {
    if (!this.#requests.has(guest) || guest.destroyed) return false;
    if (this.#quiet.delete(guest)) this.#quiet.add(guest);
    return true;
  }

  /** @returns How many requests of a guest are being answered. */
  requestsOf(guest: Socket): number {
    return this.#requests.get(guest) ?? 0;
  }

  #end(guest: Socket): void {
    const requests = this.#requests.get(guest);
    // It is gone, and its requests with it.
    if (requests === undefined) return;
    this.requests--;
    this.#requests.set(guest, requests - 1);
    if (requests === 1) this.#quiet.add(guest);
  }

  #forget(guest: Socket): void {
    this.requests -= this.#requests.get(guest) ?? 0;
    this.#requests.delete(guest);
    this.#quiet.delete(guest);
  }
}
