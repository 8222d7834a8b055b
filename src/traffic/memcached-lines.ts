import type { ReplyLines } from './reply-counter.ts';

const SPACE = 0x20;
const ZERO = 0x30;

const E = 0x45;
const M = 0x4d;
const N = 0x4e;
const V = 0x56;

/** The replies to `get`, and to quiet `mg` commands that end with `mn`. */
export class MemcachedLines implements ReplyLines {
  readonly server = 'memcached';
  /** Ended with `END`, with `MN`, or with an error. */
  replies = 0;
  hits = 0;
  errors = 0;

  take(line: Buffer, at: number): number {
    const first = line[at];
    const second = line[at + 1];
    if (first === V) {
      // "VALUE <key> <flags> <bytes>" or "VA <bytes> <flags>*"
      const isMeta = line[at + 2] === SPACE;
      this.hits++;
      return numberInField(line, at, isMeta ? 1 : 3) + 2;
    }
    // "EN" answers a meta miss that is not quiet; no request here is one.
    const isEnd = (first === E && second === N) || (first === M && second === N);
    if (!isEnd) this.errors++;
    this.replies++;
    return 0;
  }

  /** A value ends no reply: its last line does. */
  endValue(): void {}
}

/** The decimal number in a field of a line, counted from 0. */
function numberInField(line: Buffer, from: number, field: number): number {
  let at = from;
  for (let spaces = 0; spaces < field; at++) {
    if (line[at] === SPACE) spaces++;
  }
  let number = 0;
  for (let digit = line[at] - ZERO; digit >= 0 && digit <= 9; digit = line[++at] - ZERO) {
    number = number * 10 + digit;
  }
  return number;
}
