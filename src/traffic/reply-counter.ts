import { GoromdbError } from '../common/errors.ts';

/** Longest line that a server may send. */
const LINE_BYTES_MAX = 2048;

const LF = 0x0a;

/** What the lines of a protocol mean: they end replies, or announce a value. */
export interface ReplyLines {
  /** The server whose protocol it is, for messages. */
  readonly server: string;
  /** Replies that have ended, well or with an error. */
  readonly replies: number;
  readonly hits: number;
  readonly errors: number;
  /**
   * Looks at a whole line, which begins at `at`.
   *
   * @returns Bytes of the value that comes next, with its line end; 0: another line comes next.
   */
  take(line: Buffer, at: number): number;
  /** Called when all bytes of a value have come. */
  endValue(): void;
}

/**
 * Counts replies in what a server sends, wherever it is cut into pieces. Values are stepped over by
 * their length; nothing is made of a reply.
 */
export class ReplyCounter {
  readonly #lines: ReplyLines;
  /** Bytes of a value, with its line end, that are still to come. */
  #valueLeft = 0;
  /** The beginning of a line whose end has not come. */
  readonly #line: Buffer = Buffer.allocUnsafeSlow(LINE_BYTES_MAX);
  #lineBytes = 0;

  constructor(lines: ReplyLines) {
    this.#lines = lines;
  }

  get replies(): number {
    return this.#lines.replies;
  }

  get hits(): number {
    return this.#lines.hits;
  }

  get errors(): number {
    return this.#lines.errors;
  }

  /** @throws GoromdbError LOAD_FAILED for a line that is too long to be of such a server. */
  feed(input: Buffer, length: number): void {
    let at = 0;
    if (this.#lineBytes > 0) at = this.#endLine(input, length);
    while (at < length) {
      if (this.#valueLeft > 0) {
        const step = Math.min(this.#valueLeft, length - at);
        this.#valueLeft -= step;
        at += step;
        if (this.#valueLeft === 0) this.#lines.endValue();
        continue;
      }
      const end = lineEnd(input, at, length);
      if (end === 0) {
        this.#keep(input, at, length);
        return;
      }
      this.#valueLeft = this.#lines.take(input, at);
      at = end;
    }
  }

  #keep(input: Buffer, start: number, end: number): void {
    if (this.#lineBytes + end - start > LINE_BYTES_MAX) {
      const message = `a line is longer than ${LINE_BYTES_MAX} bytes: this is no ${this.#lines.server} server`;
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
      this.#valueLeft = this.#lines.take(this.#line, 0);
    }
    return end;
  }
}

/** @returns The offset behind the line's end; 0 when it is not there. */
function lineEnd(input: Buffer, from: number, length: number): number {
  for (let i = from; i < length; i++) {
    if (input[i] === LF) return i + 1;
  }
  return 0;
}
