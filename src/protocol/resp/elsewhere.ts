import { FOREIGN_KEY, type ForeignKeys } from '../../handler/foreign-keys.ts';
import type { SessionContext } from '../protocol.ts';
import type { Reply } from '../reply.ts';
import { expectArgs, expectKeys } from './expect-keys.ts';
import type { Args } from './frame.ts';
import { appendError } from './output.ts';

/** Requests that a session holds itself, in place of the input, and how far it has come. */
interface Held {
  readonly request: Buffer;
  readonly at: number;
}

/** What one session does about keys that other servers have. */
export class Elsewhere {
  readonly #foreign: ForeignKeys;
  readonly #context: SessionContext;

  constructor(foreign: ForeignKeys, context: SessionContext) {
    this.#foreign = foreign;
    this.#context = context;
  }

  /** Whether nothing more is to be run before others were asked. */
  get isWanted(): boolean {
    return this.#foreign.isWanted;
  }

  /** Has the keys asked for together that come next. @param held In place of the input. */
  expectRequests(input: Buffer, from: number, end: number, held: Held | undefined): void {
    if (held === undefined) expectKeys(this.#foreign, input, from, end);
    else expectKeys(this.#foreign, held.request, held.at, held.request.length);
  }

  /**
   * An array cannot become an error once it has begun: so all keys of a list are known before, or as
   * many as are asked for at once.
   *
   * @throws FOREIGN_KEY
   */
  knowAll(args: Args, reply: Reply): void {
    const { input, at, left } = args;
    this.#foreign.beginToExpect();
    reply.charge(expectArgs(this.#foreign, args));
    this.#foreign.endToExpect();
    args.begin(input, at, input.length, left);
  }

  /** The same of a list that has stopped at a key. */
  expectArgs(args: Args): void {
    expectArgs(this.#foreign, args);
  }

  /**
   * A command was stopped by a key that is not here. What it has answered is taken back.
   *
   * @returns Whether it is done with, as nobody can say what the key's record is.
   */
  isOver(error: unknown, reply: Reply, replyLength: number): boolean {
    if (error !== FOREIGN_KEY) throw error;
    this.#context.counters.cmd_redis--;
    reply.truncate(replyLength);
    if (FOREIGN_KEY.fault === undefined) return false;
    appendError(reply, `TRYAGAIN ${FOREIGN_KEY.fault}`);
    return true;
  }
}
