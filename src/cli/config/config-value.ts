import { misuse, type Option } from '../options/option.ts';

/**
 * Parses the value of an option in TOML: a boolean without quotes, a number with or without, all
 * else in quotes. An option that repeats, or whose value is a list, may have an array.
 *
 * @param beside Makes a path in the file absolute.
 * @throws GoromdbError OPTION_INVALID.
 */
export function valueFromToml(
  option: Option,
  value: unknown,
  beside: (path: string) => string,
): unknown {
  const { placeholder, toml, parse } = option;
  if (placeholder === undefined) {
    if (typeof value !== 'boolean') throw wrongType(value, 'true or false, without quotes');
    return parse(String(value));
  }
  if (option.repeats) {
    const items = Array.isArray(value) ? value : [value];
    return items.flatMap((item) => parse(textOf(item, 'texts in quotes')) as unknown[]);
  }
  if (toml === 'list' && Array.isArray(value)) {
    return parse(value.map((item) => textOf(item, 'texts in quotes')).join(','));
  }
  if (toml === 'number' && typeof value === 'number') return parse(String(value));
  const expected = toml === 'number' ? 'a number, or a text in quotes' : 'a text in quotes';
  const text = textOf(value, expected);
  return parse(toml === 'path' ? beside(text) : text);
}

function textOf(value: unknown, expected: string): string {
  if (typeof value !== 'string') throw wrongType(value, expected);
  return value;
}

function wrongType(value: unknown, expected: string): Error {
  return misuse(`${JSON.stringify(value)} is not allowed; expected ${expected}`);
}
