import { FOREIGN_KEY } from '../../handler/foreign-keys.ts';
import type { View } from '../../handler/handler.ts';
import type { Entry } from '../../storage/storage.ts';
import { countGets } from '../counters.ts';
import type { SessionContext } from '../protocol.ts';
import type { Reply } from '../reply.ts';
import type { Args } from './frame.ts';
import {
  appendArray,
  appendError,
  appendInteger,
  appendNull,
  appendValue,
  type RespVersion,
} from './output.ts';

/** What a command says of a list of keys: the value of each, or how many there are. */
export type KeyAnswer = 'values' | 'count';

/** A longer key is in no file, and to look for it would take long. */
export const KEY_BYTES_MAX = 65_535;

/** Bytes of a key that cost as much as a short one, a unit of work (see reply.ts). */
const KEY_BYTES_A_UNIT = 1024;

/** The keys of one request, looked up one after the other in the data as it was when it began. */
export class Lookups {
  readonly #view: View;
  readonly #answer: KeyAnswer;
  #keysLeft: number;
  #found = 0;
  /** Why a key could not be looked up. */
  #fault: string | undefined;

  /** @param view Is let go of when all is answered, or by `close`. */
  constructor(view: View, answer: KeyAnswer, keys: number) {
    this.#view = view;
    this.#answer = answer;
    this.#keysLeft = keys;
  }

  get keysLeft(): number {
    return this.#keysLeft;
  }

  /** An array has begun that cannot be ended, as nobody can say what belongs in it. */
  get isBroken(): boolean {
    return this.#fault !== undefined && this.#answer === 'values';
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
    while (!reply.isFull && !this.isBroken) {
      const { at } = args;
      if (!args.advance()) break;
      const bytes = args.end - args.start;
      const isKey = bytes <= KEY_BYTES_MAX;
      reply.charge(isKey ? 1 + bytes / KEY_BYTES_A_UNIT : 1);
      const entry = isKey ? this.#entryOf(args) : undefined;
      if (entry === 'unknown') {
        args.at = at;
        args.left++;
        break;
      }
      if (entry === 'fault') continue;
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
    if (args.left > 0 || this.isBroken) return false;
    if (this.#fault !== undefined) appendError(reply, `TRYAGAIN ${this.#fault}`);
    else if (!withValues) appendInteger(reply, this.#found);
    this.close();
    return true;
  }

  /** 'unknown': the key is to be asked for first; 'fault': nobody can say. */
  #entryOf({ input, start, end }: Args): Entry | 'unknown' | 'fault' | undefined {
    try {
      return this.#view.get(input, start, end);
    } catch (error) {
      if (error !== FOREIGN_KEY) throw error;
      if (FOREIGN_KEY.fault === undefined) return 'unknown';
      this.#fault = FOREIGN_KEY.fault;
      return 'fault';
    }
  }

  close(): void {
    this.#view.release();
  }
}
