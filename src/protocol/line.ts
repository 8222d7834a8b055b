/**
 * A line longer than this closes the connection, unless it gets keys: see `RequestLimits`. memcached
 * asks only before it has seen the line's end, so there it depends on how the bytes arrive; here it
 * does not.
 */
export const LINE_BYTES_MAX = 2048;

/** Leading spaces that a long `get` line may have (memcached's rule). */
const LEADING_SPACES_MAX = 100;

/** `indexOf` costs a call into native code; for the usual short line a loop is faster. */
const LOOP_BYTES = 64;

/** More than this behind the input is not searched; to make a view of the rest costs less. */
const ROOM_BYTES = 64 * 1024;

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;

/**
 * Finds lines in input that may be split anywhere. It remembers how far it has searched an
 * unfinished line, so that a client which sends byte by byte does not make it search again.
 */
export class LineFinder {
  /** End of the line's text, without `\r\n` or `\n`. */
  textEnd = 0;
  /** Where the next line begins. */
  next = 0;
  #searched = 0;

  /**
   * Makes the next `find` go straight to the end of the line that was found last.
   *
   * @param from Where the part of that line begins that will be given again.
   */
  resumeAt(from: number): void {
    this.#searched = this.next - 1 - from;
  }

  /** @returns Whether input[start, end) begins with a whole line, whose place the fields hold. */
  find(input: Buffer, start: number, end: number): boolean {
    const at = findLineFeed(input, start + this.#searched, end);
    if (at < 0) {
      this.#searched = end - start;
      return false;
    }
    this.#searched = 0;
    this.textEnd = at > start && input[at - 1] === CR ? at - 1 : at;
    this.next = at + 1;
    return true;
  }
}

function findLineFeed(input: Buffer, from: number, end: number): number {
  const loopEnd = Math.min(end, from + LOOP_BYTES);
  for (let i = from; i < loopEnd; i++) {
    if (input[i] === LF) return i;
  }
  if (loopEnd === end) return -1;
  // The buffer may hold older bytes behind `end`, or megabytes of room for a line that comes slowly.
  const isRoomy = input.length - end > ROOM_BYTES;
  const at = (isRoomy ? input.subarray(0, end) : input).indexOf(LF, loopEnd);
  return at < end ? at : -1;
}

/**
 * Whether input[start, end), the beginning of a line, is a `get`, `gets`, `gat` or `gats` with keys
 * to follow. memcached lets only the former two be long when a line arrives in pieces.
 */
export function mayBeLong(input: Buffer, start: number, end: number): boolean {
  const at = skipSpaces(input, start, end);
  if (at - start > LEADING_SPACES_MAX) return false;
  const verbEnd = wordEnd(input, at, Math.min(end, at + 5));
  return (isGet(input, at, verbEnd) || isGetAndTouch(input, at, verbEnd)) && verbEnd < end;
}

/** Whether the word input[start, end) is `get` or `gets`. */
export function isGet(input: Buffer, start: number, end: number): boolean {
  return isRetrieval(input, start, end, 0x65);
}

/** Whether the word input[start, end) is `gat` or `gats`. */
export function isGetAndTouch(input: Buffer, start: number, end: number): boolean {
  return isRetrieval(input, start, end, 0x61);
}

/** @param vowel The letter in the middle. */
function isRetrieval(input: Buffer, start: number, end: number, vowel: number): boolean {
  const length = end - start;
  return (
    (length === 3 || (length === 4 && input[start + 3] === 0x73)) &&
    input[start] === 0x67 &&
    input[start + 1] === vowel &&
    input[start + 2] === 0x74
  );
}

/** The first offset from `from` on that is not a space, or `end`. */
export function skipSpaces(input: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && input[at] === SPACE) at++;
  return at;
}

/** The offset behind the word that begins at `from`: only spaces and the line's end separate. */
export function wordEnd(input: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && input[at] !== SPACE) at++;
  return at;
}

/** The words of input[start, end) as Latin-1 text. */
export function wordsOf(input: Buffer, start: number, end: number): readonly string[] {
  return input
    .toString('latin1', start, end)
    .split(' ')
    .filter((word) => word !== '');
}
