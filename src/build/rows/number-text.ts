import { BadRow } from './row.ts';

/**
 * The one text of a literal of JSON: true, false, or the shortest decimal text of a number.
 *
 * @throws BadRow when a double cannot hold it.
 */
export function numberText(literal: string): string {
  if (/^(?:-?[1-9]\d{0,14}|0|true|false)$/.test(literal)) return literal;
  const value = Number(literal);
  if (!Number.isFinite(value)) {
    throw new BadRow('expected a number that a double can hold, found a larger one');
  }
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return String(value);
  throw new BadRow('the number is beyond 2^53 - 1, so its digits would change: put it in quotes');
}
