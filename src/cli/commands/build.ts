import { statSync } from 'node:fs';
import process from 'node:process';
import { type BuildRequest, type Built, buildTable } from '../../build/build.ts';
import { STANDARD_INPUT } from '../../build/inputs.ts';
import { GoromdbError, isBadFile } from '../../common/errors.ts';
import { oneLine } from '../../common/log.ts';
import { formatBytes, keysOf } from '../../common/quantities.ts';
import { KEY_BYTES_MAX } from '../../storage/scanners/scanner.ts';
import {
  checkRequired,
  misuse,
  notAllowed,
  optionGroup,
  type ValuesOf,
} from '../options/option.ts';
import { FILE, oneOf, parseName } from '../options/values.ts';
import { EXIT_MISUSE } from '../process/fail.ts';
import { defineCommand } from './command.ts';

const EXIT_BAD_DATA = 3;

/** The form of a list of columns that stands for all. */
const ALL_COLUMNS = '*';

const OPTIONS = optionGroup('Flags', {
  o: {
    ...FILE,
    help: 'the table file to write; its sum goes beside it, with .md5 behind the name',
    required: 'the table file to write, such as -o data.db',
  },
  rows: {
    placeholder: 'FORMAT',
    help: 'what the inputs are when -key is given: csv, tsv or jsonl',
    parse: oneOf('csv', 'tsv', 'jsonl'),
    fallbackNote: 'as the name of the file ends; jsonl on standard input',
  },
  key: {
    placeholder: 'COLUMN',
    help: 'read rows of CSV, TSV or JSON Lines, of which this column is the key; given again, another part of it',
    parse: (text: string): readonly string[] => [parseName(text)],
    repeats: true,
    fallbackNote: 'the inputs are of a format that the server reads',
  },
  'key-delimiter': {
    placeholder: 'TEXT',
    help: 'what stands between the parts of a key',
    parse: (text: string) => text,
    fallback: ':',
  },
  value: {
    placeholder: 'COLUMN',
    help: 'the column that is the value',
    parse: parseName,
    fallbackNote: 'the row as JSON',
  },
  'value-json': {
    placeholder: 'COLUMNS',
    help: 'the value is a JSON object of these columns, with commas between them; "*" is all',
    parse: parseColumns,
    fallbackNote: '"*", unless -value is given',
  },
  flags: {
    placeholder: 'COLUMN',
    help: "the column that has memcached's client flags",
    parse: parseName,
    fallbackNote: '0',
  },
  prefix: {
    placeholder: 'TEXT',
    help: 'what stands before all keys',
    parse: parsePrefix,
    fallbackNote: 'nothing',
  },
  duplicates: {
    placeholder: 'WHICH',
    help: 'of records with one key, the last is kept, or they end the build: last or error',
    parse: oneOf('last', 'error'),
    fallback: 'last',
  },
  keys: {
    placeholder: 'WHICH',
    help: "any; or memcached, which refuses keys that memcached's clients cannot ask for",
    parse: oneOf('any', 'memcached'),
    fallback: 'any',
  },
  'skip-bad': {
    placeholder: 'N',
    help: 'leave out up to N bad rows, and list them in OUT.rejected.jsonl',
    parse: parseLimit,
    fallback: '0',
  },
});

export const build = defineCommand({
  name: 'build',
  summary: 'Makes a table file of CSV, TSV, JSON Lines or any format that is served.',
  usage: 'goromdb build -o OUT [flags] INPUT...',
  notes: `
Examples:
  goromdb build -o users.db -key id users.csv
  zcat events.jsonl.gz | goromdb build -o events.db -key day -key id -value text -

INPUT is a file, compressed with gzip or zstd or not, or - for standard input.

Exit codes: 0 it is written, 1 a file cannot be read or written, 2 wrong flags,
3 an input is bad. Nothing is written but with 0.`,
  options: OPTIONS,
  takesArguments: true,
  read: ({ values, args, given }) => requestOf(values, args, given),
  async run(request) {
    try {
      report(request.out, await buildTable({ ...request, onProgress: progress(request.inputs) }));
      return 0;
    } catch (error) {
      if (!(error instanceof GoromdbError)) throw error;
      const isMisuse = error.code === 'OPTION_INVALID';
      if (!isMisuse && !isBadFile(error)) throw error;
      process.stderr.write(`goromdb: ${oneLine(error.message)}; nothing was written\n`);
      return isMisuse ? EXIT_MISUSE : EXIT_BAD_DATA;
    }
  },
});

function requestOf(
  values: ValuesOf<typeof OPTIONS>,
  inputs: readonly string[],
  given: ReadonlySet<string>,
): Omit<BuildRequest, 'onProgress'> {
  checkRequired(OPTIONS, values);
  if (inputs.length === 0 || inputs.includes('')) throw misuse('expected an INPUT, found none');
  if (inputs.filter((input) => input === STANDARD_INPUT).length > 1) {
    throw misuse('- is standard input, which can be read once');
  }
  const { key, value, flags, 'value-json': json } = values;
  if (value !== undefined && json !== undefined) throw misuse('give -value or -value-json');
  const needsKey = ['rows', 'key-delimiter', 'value', 'value-json', 'flags', 'skip-bad'];
  const lone = key === undefined && needsKey.find((name) => given.has(name));
  if (lone) throw misuse(`-${lone} is for rows: give -key, too`);
  return {
    out: values.o,
    inputs,
    rows: key && { key, keyDelimiter: values['key-delimiter'], value, json: listOf(json), flags },
    rowFormat: values.rows,
    prefix: values.prefix ?? '',
    duplicates: values.duplicates,
    keys: values.keys,
    skipBad: values['skip-bad'],
  };
}

function listOf(columns: readonly string[] | undefined): readonly string[] | undefined {
  return columns?.join() === ALL_COLUMNS ? undefined : columns;
}

function report(out: string, built: Built): void {
  for (const text of built.notices) process.stderr.write(`warning: ${oneLine(text)}\n`);
  for (const { file, line, why } of built.firstRejected) {
    process.stderr.write(`left out: ${oneLine(`${file}: line ${line}: ${why}`)}\n`);
  }
  const rows = built.rejected === 1 ? '1 bad row' : `${built.rejected} bad rows`;
  const left = built.rejected === 0 ? '' : `, ${rows} left out`;
  const line = `${out}: ${keysOf(built.keys)}, ${formatBytes(built.bytes)}, md5 ${built.md5}${left}`;
  process.stdout.write(`${line}\n`);
}

/** On a terminal one line that is drawn over, at each percent; in a pipe nothing. */
function progress(inputs: readonly string[]): BuildRequest['onProgress'] {
  if (process.stderr.isTTY !== true) return () => {};
  const sizes = new Map(
    inputs.map((path) => [path, statSync(path, { throwIfNoEntry: false })?.size]),
  );
  let last = '';
  return (input, bytes) => {
    const size = sizes.get(input);
    const percent = size ? Math.floor((bytes * 100) / size) : 100;
    const text = percent === 100 ? '' : `${oneLine(input)}: ${percent}%`;
    if (text !== last) process.stderr.write(`\r\x1b[K${text}`);
    last = text;
  };
}

function parseColumns(text: string): readonly string[] {
  const columns = text.split(',');
  if (!columns.includes('') && new Set(columns).size === columns.length) return columns;
  throw notAllowed(text, 'names with commas between them, each once, or "*"');
}

function parsePrefix(text: string): string {
  if (text !== '' && Buffer.byteLength(text) < KEY_BYTES_MAX) return text;
  throw notAllowed(text, `1 to ${KEY_BYTES_MAX - 1} bytes`);
}

function parseLimit(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw notAllowed(text, 'a whole number from 0 to 999999999');
}
