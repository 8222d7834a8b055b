import process from 'node:process';
import { oneLine } from '../../common/log.ts';
import { formatBytes, keysOf } from '../../common/quantities.ts';
import { type CheckReport, checkFile } from '../../inspect/check.ts';
import type { Contents } from '../../inspect/contents.ts';
import { diffText } from '../../inspect/diff.ts';
import type { SizeCount } from '../../inspect/sizes.ts';
import { GUARD_OPTIONS, READ_OPTIONS, readingOf } from '../options/data.ts';
import { libraryOptions, misuse, notAllowed, optionGroup } from '../options/option.ts';
import { BOOLEAN, parseName } from '../options/values.ts';
import { withOutput } from '../process/output.ts';
import { defineCommand } from './command.ts';

/** See `exitCodes` of the command. */
const EXIT = { sound: 0, unsound: 1, refused: 3 } as const;

const ERRORS_MAX = 1000;

const OPTIONS = optionGroup('Flags', {
  against: {
    placeholder: 'PLACE',
    help: 'compare with these data as the serving generation: a file, BASEDIR, BASEDIR@previous or BASEDIR@7',
    parse: parseName,
    fallbackNote: 'nothing',
  },
  errors: {
    placeholder: 'N',
    help: 'how many bad records of JSON Lines to report; of other formats, the first',
    parse: parseErrors,
    fallback: '10',
  },
  json: { ...BOOLEAN, help: 'print JSON' },
});

const { 'max-hit-drop': _, ...GUARDS } = GUARD_OPTIONS;

export const check = defineCommand({
  name: 'check',
  summary: 'Checks a file as a server would, without a server.',
  usage: 'goromdb check [flags] FILE',
  notes: `
Examples:
  goromdb check users.jsonl
  goromdb check -against /srv/state -max-shrink 5 -canary user:42 users.db

It reads the file, the MD5 beside it, and what -against names. A file that is
not a table needs space in the temporary folder of the system, or in TMPDIR.`,
  exitCodes: {
    0: 'the file is sound',
    1: 'the file is not sound, or its MD5 is wrong',
    2: 'a flag is wrong, or the file cannot be read',
    3: 'the file is sound, and a guard refuses it',
  },
  options: { ...OPTIONS, ...READ_OPTIONS, ...GUARDS },
  takesArguments: true,
  read: ({ values, args, given }) => {
    if (args.length !== 1) throw misuse(`expected one file, found ${args.length}`);
    const { against, errors: errorsMax, json } = values;
    if (given.has('max-shrink') && against === undefined) {
      throw misuse('-max-shrink compares with the serving generation: give -against, too');
    }
    const { guards } = libraryOptions(GUARDS, values);
    return { file: args[0], json, options: { ...readingOf(values), against, errorsMax, guards } };
  },
  run: ({ file, json, options }) =>
    withOutput<(typeof EXIT)[CheckReport['verdict']]>(async (output) => {
      const onNotice = (text: string): void =>
        void process.stderr.write(`warning: ${oneLine(text)}\n`);
      const report = await checkFile(file, { ...options, onNotice });
      const lines = json ? [JSON.stringify(report, undefined, 2)] : describe(report).map(oneLine);
      for (const line of lines) output.line(line);
      return EXIT[report.verdict];
    }),
});

function describe(report: CheckReport): readonly string[] {
  const { file, verdict, errors, mayBeMore, warnings, refusal, against, contents } = report;
  const more = mayBeMore ? ['error     there may be more'] : [];
  return [
    `${file}: ${verdict}`,
    ...errors.map(({ code, message }) => `error     ${message} (${code})`),
    ...(errors.length > 0 ? more : []),
    ...(refusal === undefined ? [] : [`refused   ${refusal.message} (${refusal.code})`]),
    ...warnings.map((text) => `warning   ${text}`),
    `format    ${formatOf(report)}`,
    `md5       ${report.md5}, ${SUMS[report.sum]}`,
    ...(contents === undefined ? [`bytes     ${formatBytes(report.bytes)}`] : about(contents)),
    ...(against === undefined ? [] : [`against   ${against.place}: ${diffText(against)}`]),
    ...(contents === undefined ? [] : histogram(contents)),
  ];
}

const SUMS: Readonly<Record<CheckReport['sum'], string>> = {
  right: 'as its .md5 says',
  wrong: 'and its .md5 says another one',
  invalid: 'and its .md5 cannot be understood',
  absent: 'and there is no .md5 beside it, which a server waits for',
};

function formatOf({ format, formatBy, compression }: CheckReport): string {
  const packed = compression === undefined ? '' : ` in ${compression}`;
  const by = formatBy === 'storage' ? 'as -storage says' : 'by its first bytes';
  return `${format ?? 'none that is known'}${packed}, ${by}`;
}

function about(contents: Contents): readonly string[] {
  const { keys, records, keyBytes, valueBytes, tableBytes, slotBytes, loadBytes } = contents;
  const repeated = records === keys ? '' : ` of ${records.toLocaleString('en-US')} records`;
  return [
    `keys      ${keysOf(keys)}${repeated}, ${formatBytes(keyBytes)} of keys, ${formatBytes(valueBytes)} of values`,
    `disk      ${formatBytes(slotBytes)} in a slot, as much again while the generation before is kept`,
    `memory    ${formatBytes(tableBytes)} of page cache when all of it is read, ${formatBytes(loadBytes)} during a load`,
  ];
}

function histogram({ keySizes, valueSizes, sample }: Contents): readonly string[] {
  return [
    ...keySizes.map((size) => `key size  ${sizeText(size)}`),
    ...valueSizes.map((size) => `val size  ${sizeText(size)}`),
    ...sample.map((key) => `sample    ${key}`),
  ];
}

function sizeText({ from, to, count }: SizeCount): string {
  const range = from === to ? `${from}` : `${from} to ${to}`;
  return `${range.padStart(24)} bytes ${count.toLocaleString('en-US').padStart(14)}`;
}

function parseErrors(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= ERRORS_MAX) return count;
  throw notAllowed(text, `a whole number from 1 to ${ERRORS_MAX}`);
}
