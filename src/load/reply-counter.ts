import { GoromdbError } from '../errors.ts';

/** Longest line that a server may send. */
const LINE_BYTES_MAX = 2048;

const LF = 0x0a;
const SPACE = 0x20;
const ZERO = 0x30;

const E = 0x45;
const M = 0x4d;
const N = 0x4e;
const V = 0x56;

/**
 * Counts replies in what a memcached server sends, wherever it is cut into pieces. Values are
 * stepped over by their length; nothing is made of a reply.
 */
export class ReplyCounter {
  /** Replies that have ended: with `END`, with `MN`, or with an error. */
  replies = 0;
  hits = 0;
  errors = 0;
  /** Bytes of a value, with its line end, that are still to come. */
  #valueLeft = 0;
  /** The beginning of a line whose end has not come. */
  readonly #line: Buffer = Buffer.allocUnsafeSlow(LINE_BYTES_MAX);
  #lineBytes = 0;

  /** @throws GoromdbError LOAD_FAILED for a line that is too long to be memcached's. */
  feed(input: Buffer, length: number): void {
    let at = 0;
    if (this.#lineBytes > 0) at = this.#endLine(input, length);
    while (at < length) {
      if (this.#valueLeft > 0) {
        const step = Math.min(this.#valueLeft, length - at);
        this.#valueLeft -= step;
        at += step;
        continue;
      }
      const end = lineEnd(input, at, length);
      if (end === 0) {
        this.#keep(input, at, length);
        return;
      }
      this.#take(input, at);
      at = end;
    }
  }

  #keep(input: Buffer, start: number, end: number): void {
    if (this.#lineBytes + end - start > LINE_BYTES_MAX) {
      const message = `a line is longer than ${LINE_BYTES_MAX} bytes: this is no memcached server`;
      throw new GoromdbError('LOAD_FAILED', message);
    }
    input.copy(this.#line, this.#lineBytes, start, end);
    this.#lineBytes += end - start;
  }

  /** @returns Where the input goes on behind the line that was begun earlier. */
  #endLine(input: Buffer, length: number): number {
    const end = lineEnd(input, 0, length) || length;
    this.#keep(input, 0, end);
    if (this.#line[this.#lineBytes - 1] === LF) {
      this.#lineBytes = 0;
      this.#take(this.#line, 0);
    }
    return end;
  }

  /** Looks at a whole line, which begins at `at`. */
  #take(line: Buffer, at: number): void {
    const first = line[at];
    const second = line[at + 1];
    if (first === V) {
      // "VALUE <key> <flags> <bytes>" or "VA <bytes> <flags>*"
      const isMeta = line[at + 2] === SPACE;
      this.#valueLeft = numberInField(line, at, isMeta ? 1 : 3) + 2;
      this.hits++;
    } else if ((first === E && second === N) || (first === M && second === N)) {
      // "EN" is a meta miss that was not quiet; it is never asked for here.
      this.replies++;
    } else {
      this.errors++;
      this.replies++;
    }
  }
}

/** @returns The offset behind the line's end; 0 when it is not there. */
function lineEnd(input: Buffer, from: number, length: number): number {
  for (let i = from; i < length; i++) {
    if (input[i] === LF) return i + 1;
  }
  return 0;
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
