import process from 'node:process';
import { type BuildRequest, type Built, buildTable } from '../../build/build.ts';
import { expandInputs } from '../../build/expand.ts';
import { describeRow } from '../../build/rejected.ts';
import { oneLine } from '../../common/log.ts';
import { formatBytes, keysOf } from '../../common/quantities.ts';
import { checkRequired, optionGroup, type ValuesOf } from '../options/option.ts';
import { checkInputs, ROW_OPTIONS, rowsOf } from '../options/rows.ts';
import { BOOLEAN, FILE, oneOf } from '../options/values.ts';
import { buildProgress, standardError } from '../process/build-progress.ts';
import { failInput } from '../process/fail.ts';
import { interruptible } from '../process/interrupt.ts';
import { defineCommand } from './command.ts';

const OUT = optionGroup('Flags', {
  o: {
    ...FILE,
    help: 'the file to write; its MD5 goes to OUT.md5',
    required: 'the table file to write, such as -o data.db',
  },
  format: {
    placeholder: 'FORMAT',
    help: 'format of OUT: table; lmdb (data format 2); or jsonl',
    parse: oneOf('table', 'lmdb', 'jsonl'),
    fallback: 'table',
  },
  json: { ...BOOLEAN, help: 'print the last line, with warnings and bad rows, as JSON' },
});

const OPTIONS = { ...OUT, ...ROW_OPTIONS };

export const build = defineCommand({
  name: 'build',
  summary:
    'Makes a table file from CSV, TSV, JSON Lines, Parquet or any format that the server reads.',
  usage: 'goromdb build -o OUT [flags] INPUT...',
  notes: `
Examples:
  goromdb build -o users.db -key id users.csv
  zcat log.jsonl.gz | goromdb build -o log.db -key day -key id -value text -

INPUT is a file, a folder, a pattern such as 'part-*.parquet', or - for standard
input. It may be compressed with gzip or zstd.`,
  exitCodes: {
    0: 'OUT is written',
    1: 'a file cannot be read or written, or a signal interrupted the build; nothing is written',
    2: 'a flag is wrong; nothing is written',
    3: 'an input is bad; nothing is written',
  },
  options: OPTIONS,
  takesArguments: true,
  read: ({ values, args, given }) => requestOf(values, args, given),
  async run({ json, ...request }) {
    try {
      const built = await interruptible((signal) => buildWithProgress({ ...request, signal }));
      if (json) reportAsJson(request.out, built);
      else report(request.out, built);
      return 0;
    } catch (error) {
      return failInput(error, '; nothing was written');
    }
  },
});

function requestOf(
  values: ValuesOf<typeof OPTIONS>,
  inputs: readonly string[],
  given: ReadonlySet<string>,
): Omit<BuildRequest, 'onProgress'> & { readonly json: boolean } {
  checkRequired(OPTIONS, values);
  checkInputs(inputs, 'an INPUT');
  const { json, format, o: out } = values;
  return { json, out, format, inputs, ...rowsOf(values, given) };
}

function reportAsJson(out: string, { notices, ...built }: Built): void {
  process.stdout.write(`${JSON.stringify({ out, ...built, warnings: notices })}\n`);
}

async function buildWithProgress(request: Omit<BuildRequest, 'onProgress'>): Promise<Built> {
  const inputs = expandInputs(request.inputs, request.out);
  const { onProgress, clear } = buildProgress(inputs, standardError());
  try {
    return await buildTable({ ...request, inputs, onProgress });
  } finally {
    clear();
  }
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
