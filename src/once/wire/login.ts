import type { SessionContext } from '../../protocol/protocol.ts';
import { requestOfLine } from '../../protocol/resp/inline.ts';

/** What a client may send before it has logged in: names and passwords are shorter. */
export const STRANGER_BYTES_MAX = 4 * 1024;

/** A client of Redis that logs out. */
const RESET = /^\*1\r\n\$5\r\nreset\r\n$/i;
const RESET_BYTES = '*1\r\n$5\r\nreset\r\n'.length;
/** A longer line has other words, or more spaces than a person types. */
const RESET_LINE_BYTES = 64;

const STAR = 0x2a;
const LF = 0x0a;

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
    if (!this.#isKnown || !mayBeReset(input[at])) return;
    const line = (): Buffer | undefined => {
      const end = input.subarray(at, at + RESET_LINE_BYTES).indexOf(LF);
      return end < 0 ? undefined : requestOfLine(input, at, at + end);
    };
    const request = input[at] === STAR ? input.subarray(at, at + RESET_BYTES) : line();
    if (request !== undefined && RESET.test(request.toString('latin1'))) this.#isKnown = false;
  }
}

/** An array, a line with `reset`, or one that begins with spaces or quotes: not the usual commands of memcached. */
function mayBeReset(first: number): boolean {
  return first <= STAR || (first | 0x20) === 'r'.charCodeAt(0);
}
