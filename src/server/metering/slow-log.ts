import type { Logger } from '../../common/log.ts';
import { ASKERS } from '../../storage/lookup-counts.ts';

/** A thread logs so many slow requests in a second; a slow disk would fill the log otherwise. */
const LINES_PER_SECOND_MAX = 10;

/** Logs requests that took long, without their keys: these may be nobody's business. */
export class SlowLog {
  readonly #slowMs: number;
  readonly #logger: Logger;
  #second = 0;
  #lines = 0;

  constructor(slowMs: number, logger: Logger) {
    this.#slowMs = slowMs;
    this.#logger = logger;
  }

  note(
    { asker, bytes }: { readonly asker: number; readonly bytes: number },
    seconds: number,
    { client = 'a client without an address' }: { readonly client: string | undefined },
  ): void {
    if (seconds * 1000 < this.#slowMs) return;
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) this.#lines = 0;
    this.#second = second;
    this.#lines++;
    if (this.#lines > LINES_PER_SECOND_MAX) return;
    const protocol = ASKERS[asker];
    const took = `${(seconds * 1000).toFixed(3)} ms`;
    const message = `${bytes} bytes of requests (${protocol}) from ${client} took ${took}`;
    this.#logger.warn(message, { event: 'request-slow', client, protocol, seconds, bytes });
  }
}
