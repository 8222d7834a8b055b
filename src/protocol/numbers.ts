/**
 * The numbers of memcached's text protocol, as C's `strtoll` and `strtoull` read them: white space
 * and a sign in front, decimal digits, and behind them the end or white space, with anything after
 * that.
 */

const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;
const SPACE = 0x20;

const SIGNED_MAX = '9223372036854775807';
const SIGNED_MIN = '9223372036854775808';
const UNSIGNED_MAX = '18446744073709551615';

/** Whether bytes[start, end) is a number of 64 bits with a sign. */
export function isSigned(bytes: Buffer, start: number, end: number): boolean {
  return isNumber(bytes, start, end, SIGNED_MAX, SIGNED_MIN);
}

/** Whether bytes[start, end) is a number of 64 bits without a sign; -0 is one. */
export function isUnsigned(bytes: Buffer, start: number, end: number): boolean {
  return isNumber(bytes, start, end, UNSIGNED_MAX, '0');
}

/**
 * @param max The largest number, in digits.
 * @param minusMax The largest number that may follow a minus.
 */
function isNumber(
  bytes: Buffer,
  start: number,
  end: number,
  max: string,
  minusMax: string,
): boolean {
  let at = start;
  while (at < end && isWhiteSpace(bytes[at])) at++;
  const isMinus = bytes[at] === MINUS;
  if (at < end && (isMinus || bytes[at] === PLUS)) at++;
  const digits = at;
  while (at < end && isDigit(bytes[at])) at++;
  if (at === digits) return false;
  if (at < end && !isWhiteSpace(bytes[at])) return false;
  return isAtMost(bytes, digits, at, isMinus ? minusMax : max);
}

/** Whether the digits in bytes[start, end) are a number up to `max`. */
function isAtMost(bytes: Buffer, start: number, end: number, max: string): boolean {
  let from = start;
  while (from < end - 1 && bytes[from] === ZERO) from++;
  if (end - from !== max.length) return end - from < max.length;
  return bytes.toString('latin1', from, end) <= max;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= ZERO + 9;
}

/** C's `isspace`. */
function isWhiteSpace(byte: number): boolean {
  return byte === SPACE || (byte >= 0x09 && byte <= 0x0d);
}

/** Whether a word is a number of 64 bits with a sign. */
export function isSignedWord(word: string): boolean {
  return isSigned(Buffer.from(word, 'latin1'), 0, word.length);
}

/** Whether a word is a number of 64 bits without a sign. */
export function isUnsignedWord(word: string): boolean {
  return isUnsigned(Buffer.from(word, 'latin1'), 0, word.length);
}

/** A word as a number, or undefined when it is none without a sign; exact up to 2^53. */
export function unsignedOf(word: string): number | undefined {
  return isUnsignedWord(word) ? Math.abs(Number.parseInt(word, 10)) : undefined;
}
