import { type Flag, misuse } from '../options/values.ts';

/** Placeholders of flags whose values are numbers, or texts with a unit. */
const NUMBERS: ReadonlySet<string> = new Set(['N', 'PERCENT', 'SIZE', 'DURATION']);

/** Placeholders of flags whose values are paths. */
const PATHS: ReadonlySet<string> = new Set(['PATH', 'DIR']);

/**
 * The value of a flag that is given in TOML: a boolean as such, a number with or without quotes, all
 * else in quotes. What may come several times, or with commas, may be an array.
 *
 * @param beside Makes a path of the file absolute.
 * @throws GoromdbError OPTION_INVALID.
 */
export function valueFromToml(
  flag: Flag<unknown>,
  value: unknown,
  beside: (path: string) => string,
): unknown {
  const { placeholder } = flag;
  if (placeholder === undefined) {
    if (typeof value !== 'boolean') throw wrongType(value, 'true or false, without quotes');
    return value;
  }
  if (flag.repeats) {
    const items = Array.isArray(value) ? value : [value];
    return items.flatMap((item) => flag.parse(textOf(item, 'texts in quotes')) as unknown[]);
  }
  if (placeholder === 'LIST' && Array.isArray(value)) {
    return flag.parse(value.map((item) => textOf(item, 'texts in quotes')).join(','));
  }
  if (NUMBERS.has(placeholder) && typeof value === 'number') return flag.parse(String(value));
  const expected = NUMBERS.has(placeholder) ? 'a number, or a text in quotes' : 'a text in quotes';
  const text = textOf(value, expected);
  return flag.parse(PATHS.has(placeholder) ? beside(text) : text);
}

function textOf(value: unknown, expected: string): string {
  if (typeof value !== 'string') throw wrongType(value, expected);
  return value;
}

function wrongType(value: unknown, expected: string): Error {
  return misuse(`${JSON.stringify(value)} is not allowed; expected ${expected}`);
}
