import process from 'node:process';
import { expandInputs } from '../../build/expand.ts';
import { describeRow } from '../../build/rejected.ts';
import {
  equalShards,
  type Split,
  type SplitInto,
  splitRecords,
  splitShards,
} from '../../build/split.ts';
import { oneLine } from '../../common/log.ts';
import { formatBytes, keysOf } from '../../common/quantities.ts';
import { SHARDS_MAX } from '../../shards/shards.ts';
import { readShards } from '../../shards/shards-file.ts';
import {
  checkRequired,
  misuse,
  notAllowed,
  optionGroup,
  type ValuesOf,
} from '../options/option.ts';
import { checkInputs, ROW_OPTIONS, rowsOf } from '../options/rows.ts';
import { BOOLEAN, FOLDER, parseName } from '../options/values.ts';
import { buildProgress, standardError } from '../process/build-progress.ts';
import { failInput } from '../process/fail.ts';
import { interruptible } from '../process/interrupt.ts';
import { defineCommand } from './command.ts';

const SPLIT = optionGroup('Flags', {
  o: {
    ...FOLDER,
    help: 'folder to write: a table file and .md5 for each shard, and manifest.json; its parent must exist',
    required: 'the folder for the files, such as -o shards',
  },
  shards: {
    placeholder: 'FILE|N',
    help: 'shards.toml; or 1, 2, 4, … 256 for that many equal shards, shard0 and so on',
    parse: parseName,
    required: 'shards.toml, or how many shards, such as -shards 4',
  },
  from: {
    ...FOLDER,
    help: 'split the shards in this folder instead of INPUT; the new number must be a multiple of the old one',
  },
  set: {
    placeholder: 'NAME',
    help: 'name of the data set, for the manifest',
    parse: parseName,
    fallback: 'data',
  },
  json: { ...BOOLEAN, help: 'print the manifest, with warnings, bad rows and moves, as JSON' },
});

const OPTIONS = { ...SPLIT, ...ROW_OPTIONS };

export const split = defineCommand({
  name: 'split',
  summary: 'Makes a table file for each shard of a data set.',
  usage: 'goromdb split -shards FILE|N -o DIR [flags] INPUT...',
  notes: `
Examples:
  goromdb split -shards shards.toml -o shards -key id users.csv
  goromdb split -shards 8 -from shards4 -o shards8

INPUT is what goromdb build reads. manifest.json is written last: a folder
without one is not complete.`,
  exitCodes: {
    0: 'all files are written',
    1: 'a file cannot be read or written, or a signal interrupted the command; nothing is replaced',
    2: 'a flag is wrong; nothing is replaced',
    3: 'an input is bad; nothing is replaced',
  },
  options: OPTIONS,
  takesArguments: true,
  read: ({ values, args, given }) => requestOf(values, args, given),
  async run(request) {
    try {
      const made = await interruptible((signal) => splitWithProgress(request, signal));
      if (request.json) reportAsJson(made);
      else report(request.dir, made);
      return 0;
    } catch (error) {
      return failInput(error, '; nothing was replaced');
    }
  },
});

interface Request {
  readonly json: boolean;
  readonly dir: string;
  /** A file, or how many. */
  readonly shards: string;
  readonly set: string;
  readonly from: string | undefined;
  readonly inputs: readonly string[];
  readonly rows: ReturnType<typeof rowsOf>;
}

function requestOf(
  values: ValuesOf<typeof OPTIONS>,
  inputs: readonly string[],
  given: ReadonlySet<string>,
): Request {
  checkRequired(OPTIONS, values);
  const { json, o: dir, shards, set, from } = values;
  const rows = rowsOf(values, given);
  if (from === undefined) {
    checkInputs(inputs, 'an INPUT');
  } else {
    if (inputs.length > 0) throw misuse('give -from or INPUT, not both');
    const row = Object.keys(ROW_OPTIONS).find((name) => given.has(name));
    if (row !== undefined) throw misuse(`-${row} is for INPUT: shards have their keys already`);
  }
  return { json, dir, shards, set, from, inputs, rows };
}

async function splitWithProgress(request: Request, signal: AbortSignal): Promise<Split> {
  const { from, rows, inputs: given, shards, ...others } = request;
  const target = { ...others, into: intoOf(shards) };
  if (from !== undefined) return splitShards({ ...target, from, signal });
  const inputs = expandInputs(given);
  const { onProgress, clear } = buildProgress(inputs, standardError());
  try {
    return await splitRecords({ ...target, ...rows, inputs, onProgress, signal });
  } finally {
    clear();
  }
}

function reportAsJson({ manifest, notices, ...others }: Split): void {
  process.stdout.write(`${JSON.stringify({ ...manifest, ...others, warnings: notices })}\n`);
}

function report(dir: string, { manifest, notices, rejected, firstRejected, moves }: Split): void {
  for (const text of notices) process.stderr.write(`warning: ${oneLine(text)}\n`);
  for (const row of firstRejected) process.stderr.write(`left out: ${oneLine(describeRow(row))}\n`);
  const { shards, totals, version } = manifest;
  const lines = shards.map(({ file, keys, bytes, md5 }) => {
    return `${dir}/${file}: ${keysOf(keys)}, ${formatBytes(bytes)}, md5 ${md5}`;
  });
  for (const from of new Set(moves.map((move) => move.from))) {
    const parts = moves.filter((move) => move.from === from);
    lines.push(`${from}: ${parts.map(({ to, keys }) => `${keysOf(keys)} to ${to}`).join(', ')}`);
  }
  const left = rejected === 0 ? '' : `, ${rejected} bad rows left out`;
  lines.push(
    `${dir}: ${keysOf(totals.keys)} in ${shards.length} shards, version ${version}${left}`,
  );
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

function intoOf(text: string): SplitInto {
  if (!/^\d+$/.test(text)) return readShards(text);
  const count = Number(text);
  if (count >= 1 && count <= SHARDS_MAX && (count & (count - 1)) === 0) return equalShards(count);
  throw notAllowed(`-shards ${text}`, `a file, or a power of two up to ${SHARDS_MAX}`);
}
