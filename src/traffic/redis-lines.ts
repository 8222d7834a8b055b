import type { ReplyLines } from './reply-counter.ts';

const STAR = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;

/** The replies to `GET` and `MGET` in RESP2. */
export class RedisLines implements ReplyLines {
  readonly server = 'Redis';
  /** Ended with a string, with the last one of an array, or with an error. */
  replies = 0;
  hits = 0;
  errors = 0;
  /** Strings of an array that are still to come; 0 outside of one. */
  #stringsLeft = 0;

  take(line: Buffer, at: number): number {
    const first = line[at];
    const number = numberAt(line, at + 1);
    if (first === DOLLAR && number !== undefined) {
      this.hits++;
      return number + 2;
    }
    if (first === STAR && this.#stringsLeft === 0 && number !== undefined && number > 0) {
      this.#stringsLeft = number;
      return 0;
    }
    // "$-1" is a miss. Nothing else is an answer to what was asked.
    if (first !== DOLLAR) this.errors++;
    this.endValue();
    return 0;
  }

  endValue(): void {
    if (this.#stringsLeft > 1) {
      this.#stringsLeft--;
      return;
    }
    this.#stringsLeft = 0;
    this.replies++;
  }
}

/** The decimal number at an offset; undefined for a negative one, which means null. */
function numberAt(line: Buffer, from: number): number | undefined {
  let number = 0;
  let at = from;
  for (let digit = line[at] - ZERO; digit >= 0 && digit <= 9; digit = line[++at] - ZERO) {
    number = number * 10 + digit;
  }
  return at === from ? undefined : number;
}
