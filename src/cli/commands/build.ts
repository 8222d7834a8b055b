import { statSync } from 'node:fs';
import process from 'node:process';
import { type BuildRequest, type Built, buildTable } from '../../build/build.ts';
import { STANDARD_INPUT } from '../../build/inputs.ts';
import { describeRow } from '../../build/rejected.ts';
import { GoromdbError, isBadFile } from '../../common/errors.ts';
import { oneLine } from '../../common/log.ts';
import { formatBytes, keysOf } from '../../common/quantities.ts';
import { checkRequired, misuse, optionGroup, type ValuesOf } from '../options/option.ts';
import { ROW_OPTIONS, rowsOf } from '../options/rows.ts';
import { FILE } from '../options/values.ts';
import { EXIT_MISUSE } from '../process/fail.ts';
import { defineCommand } from './command.ts';

const EXIT_BAD_DATA = 3;

const OUT = optionGroup('Flags', {
  o: {
    ...FILE,
    help: 'the table file to write; its sum goes beside it, with .md5 behind the name',
    required: 'the table file to write, such as -o data.db',
  },
});

const OPTIONS = { ...OUT, ...ROW_OPTIONS };

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
  return { out: values.o, inputs, ...rowsOf(values, given) };
}

function report(out: string, built: Built): void {
  for (const text of built.notices) process.stderr.write(`warning: ${oneLine(text)}\n`);
  for (const row of built.firstRejected) {
    process.stderr.write(`left out: ${oneLine(describeRow(row))}\n`);
  }
  const rows = built.rejected === 1 ? '1 bad row' : `${built.rejected} bad rows`;
  const left = built.rejected === 0 ? '' : `, ${rows} left out`;
  const line = `${out}: ${keysOf(built.keys)}, ${formatBytes(built.bytes)}, md5 ${built.md5}${left}`;
  process.stdout.write(`${line}\n`);
}

/** On a terminal one line that is drawn over, at each percent; in a pipe nothing. */
function progress(inputs: readonly string[]): NonNullable<BuildRequest['onProgress']> {
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
