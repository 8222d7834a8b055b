import type { SessionContext } from '../../protocol/protocol.ts';

/** What a client may send before it has logged in: names and passwords are shorter. */
export const STRANGER_BYTES_MAX = 4 * 1024;

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

  /** The session has a request that makes it forget who the client is. */
  forget(): void {
    this.#isKnown = false;
  }
}
