import type { SessionContext } from '../../protocol/protocol.ts';

/** What a client may send before it has logged in: names and passwords are shorter. */
export const STRANGER_BYTES_MAX = 4 * 1024;

/** A client of Redis that logs out, by an array or by a line. */
const RESET = /^(?:\*1\r\n\$5\r\nreset\r\n|[ \t]*["']?reset["']?[ \t]*\r?\n)/i;
const RESET_BYTES = 64;

/** Whether a client has logged in, where it must: the session of the data plane knows, and does not say. */
export class Login {
  /** For that session. */
  readonly context: SessionContext;
  readonly #isNeeded: boolean;
  #isKnown = false;

  constructor(context: SessionContext) {
    const { authenticate } = context;
    this.#isNeeded = authenticate !== undefined;
    this.context =
      authenticate === undefined
        ? context
        : {
            ...context,
            authenticate: (user, password) => {
              const isRight = authenticate(user, password);
              if (isRight) this.#isKnown = true;
              return isRight;
            },
          };
  }

  get isStranger(): boolean {
    return this.#isNeeded && !this.#isKnown;
  }

  /** A request goes to the session of the data plane, which may forget who it is by it. */
  noteRequest(input: Buffer, at: number): void {
    if (!this.#isKnown) return;
    if (RESET.test(input.toString('latin1', at, at + RESET_BYTES))) this.#isKnown = false;
  }
}
