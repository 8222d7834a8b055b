/** How files become the records of a table: for the commands that build one. */
import type { BuildRequest } from '../../build/build.ts';
import { STANDARD_INPUT } from '../../build/inputs.ts';
import { KEY_BYTES_MAX } from '../../storage/scanners/scanner.ts';
import { misuse, notAllowed, optionGroup, type ValuesOf } from './option.ts';
import { oneOf, parseName } from './values.ts';

/** The form of a list of columns that means all. */
const ALL_COLUMNS = '*';

export const ROW_OPTIONS = optionGroup('Rows and records', {
  rows: {
    placeholder: 'FORMAT',
    help: 'format of the rows, with -key: csv, tsv, jsonl or parquet',
    parse: oneOf('csv', 'tsv', 'jsonl', 'parquet'),
    fallbackNote: 'by the ending of the file name; jsonl for standard input',
  },
  delimiter: {
    placeholder: 'CHARACTER',
    help: 'character between the cells of CSV',
    parse: parseDelimiter,
    fallbackNote: 'a comma, or that of a first line such as "sep=;"',
  },
  key: {
    placeholder: 'COLUMN',
    help: 'read rows of CSV, TSV, JSON Lines or Parquet, with this column as the key; repeat it for a key of several columns',
    parse: (text: string): readonly string[] => [parseName(text)],
    repeats: true,
    fallbackNote: 'none: the inputs have a format that the server reads',
  },
  'key-delimiter': {
    placeholder: 'TEXT',
    help: 'text between the columns of a key',
    parse: (text: string) => text,
    fallback: ':',
  },
  value: {
    placeholder: 'COLUMN',
    help: 'column that becomes the value',
    parse: parseName,
    fallbackNote: 'the row as JSON',
  },
  'value-json': {
    placeholder: 'COLUMNS',
    help: 'make the value a JSON object of these columns, separated by commas; "*": all columns',
    parse: parseColumns,
    fallbackNote: '"*", unless -value is given',
  },
  flags: {
    placeholder: 'COLUMN',
    help: "column with memcached's client flags",
    parse: parseName,
    fallbackNote: '0',
  },
  prefix: {
    placeholder: 'TEXT',
    help: 'text to put in front of every key',
    parse: parsePrefix,
    fallbackNote: 'none',
  },
  duplicates: {
    placeholder: 'WHICH',
    help: 'which of several records with the same key to keep: last or first; error: fail',
    parse: oneOf('last', 'first', 'error'),
    fallback: 'last',
  },
  keys: {
    placeholder: 'WHICH',
    help: 'any; memcached: refuse keys that memcached clients cannot ask for',
    parse: oneOf('any', 'memcached'),
    fallback: 'any',
  },
  'skip-bad': {
    placeholder: 'N',
    help: 'leave out up to N bad rows; build and split list them in OUT.rejected.jsonl',
    parse: parseLimit,
    fallback: '0',
  },
});

/** The part of a build that these options say. */
export type RowRequest = Omit<BuildRequest, 'out' | 'inputs' | 'format' | 'onProgress' | 'signal'>;

/** @throws GoromdbError OPTION_INVALID when they do not go together. */
export function rowsOf(
  values: ValuesOf<typeof ROW_OPTIONS>,
  given: ReadonlySet<string>,
): RowRequest {
  const { key, value, flags, 'value-json': json } = values;
  if (value !== undefined && json !== undefined) throw misuse('give -value or -value-json');
  const needsKey = [
    'rows',
    'delimiter',
    'key-delimiter',
    'value',
    'value-json',
    'flags',
    'skip-bad',
  ];
  const lone = key === undefined && needsKey.find((name) => given.has(name));
  if (lone) throw misuse(`-${lone} is for rows: give -key, too`);
  return {
    rows: key && { key, keyDelimiter: values['key-delimiter'], value, json: listOf(json), flags },
    rowFormat: values.rows,
    delimiter: values.delimiter,
    prefix: values.prefix ?? '',
    duplicates: values.duplicates,
    keys: values.keys,
    skipBad: values['skip-bad'],
  };
}

/**
 * @param what What messages call one.
 * @throws GoromdbError OPTION_INVALID when there is none, or one that cannot be read twice comes twice.
 */
export function checkInputs(inputs: readonly string[], what: string): void {
  if (inputs.length === 0 || inputs.includes('')) throw misuse(`expected ${what}, found none`);
  if (inputs.filter((input) => input === STANDARD_INPUT).length > 1) {
    throw misuse('- is standard input, which can be read once');
  }
}

function listOf(columns: readonly string[] | undefined): readonly string[] | undefined {
  return columns?.join() === ALL_COLUMNS ? undefined : columns;
}

function parseColumns(text: string): readonly string[] {
  const columns = text.split(',');
  if (!columns.includes('') && new Set(columns).size === columns.length) return columns;
  throw notAllowed(text, 'names with commas between them, each once, or "*"');
}

function parseDelimiter(text: string): string {
  if (/^[\x20-\x7e\t]$/.test(text) && text !== '"') return text;
  throw notAllowed(text, 'one ASCII character that is no quote');
}

function parsePrefix(text: string): string {
  if (text !== '' && Buffer.byteLength(text) < KEY_BYTES_MAX) return text;
  throw notAllowed(text, `1 to ${KEY_BYTES_MAX - 1} bytes`);
}

function parseLimit(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw notAllowed(text, 'a whole number from 0 to 999999999');
}
