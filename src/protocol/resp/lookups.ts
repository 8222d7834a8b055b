import type { View } from '../../handler/handler.ts';
import { countGets } from '../counters.ts';
import type { SessionContext } from '../protocol.ts';
import type { Reply } from '../reply.ts';
import type { Args } from './frame.ts';
import { appendArray, appendInteger, appendNull, appendValue, type RespVersion } from './output.ts';

/** What a command says of a list of keys: the value of each, or how many there are. */
export type KeyAnswer = 'values' | 'count';

/** A longer key is in no file, and to look for it would take long. */
const KEY_BYTES_MAX = 65_535;

/** Bytes of a key that cost as much as a short one, a unit of work (see reply.ts). */
const KEY_BYTES_A_UNIT = 1024;

/** The keys of one request, looked up one after the other in the data as it was when it began. */
export class Lookups {
  readonly #view: View;
  readonly #answer: KeyAnswer;
  #keysLeft: number;
  #found = 0;

  /** @param view Is let go of when all is answered, or by `close`. */
  constructor(view: View, answer: KeyAnswer, keys: number) {
    this.#view = view;
    this.#answer = answer;
    this.#keysLeft = keys;
  }

  get keysLeft(): number {
    return this.#keysLeft;
  }

  begin(reply: Reply): void {
    if (this.#answer === 'values') appendArray(reply, this.#keysLeft);
  }

  /**
   * Answers keys until the reply is full.
   *
   * @param args Begins with the first key that is not answered.
   * @returns Whether all are answered.
   */
  goOn(args: Args, { counters }: SessionContext, resp: RespVersion, reply: Reply): boolean {
    const foundBefore = this.#found;
    const leftBefore = args.left;
    const withValues = this.#answer === 'values';
    while (!reply.isFull && args.advance()) {
      const bytes = args.end - args.start;
      const isKey = bytes <= KEY_BYTES_MAX;
      reply.charge(isKey ? 1 + bytes / KEY_BYTES_A_UNIT : 1);
      const entry = isKey ? this.#view.get(args.input, args.start, args.end) : undefined;
      if (entry !== undefined) this.#found++;
      if (!withValues) continue;
      if (entry === undefined) appendNull(reply, resp);
      else appendValue(reply, entry);
    }
    this.#keysLeft = args.left;
    if (withValues) {
      const hits = this.#found - foundBefore;
      countGets(counters, hits, leftBefore - args.left - hits);
    }
    if (args.left > 0) return false;
    if (!withValues) appendInteger(reply, this.#found);
    this.close();
    return true;
  }

  close(): void {
    this.#view.release();
  }
}
