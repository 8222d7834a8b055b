import process from 'node:process';
import { keysOf } from '../../common/quantities.ts';
import type { Imported } from '../once/import.ts';
import type { ImportRequest } from '../once/import-inputs.ts';
import { ETCD, placeOf } from '../options/etcd.ts';
import { misuse, optionGroup } from '../options/option.ts';
import { checkInputs, ROW_OPTIONS, rowsOf } from '../options/rows.ts';
import { parseName } from '../options/values.ts';
import { failInput } from '../process/fail.ts';
import { interruptible } from '../process/interrupt.ts';
import { defineCommand } from './command.ts';

/** Some keys have another value. */
const EXIT_CONFLICTS = 4;
const VALUES = optionGroup('Values', {
  type: {
    placeholder: 'TYPE',
    help: 'media type of the values over HTTP, such as application/json',
    parse: parseName,
    fallbackNote: 'application/octet-stream',
  },
});

const { prefix: _, keys: __, 'skip-bad': ___, ...ROWS } = ROW_OPTIONS;
const { fallback: ____, ...DUPLICATES } = ROWS.duplicates;
const OPTIONS = {
  ...ETCD,
  ...VALUES,
  ...ROWS,
  duplicates: { ...DUPLICATES, fallbackNote: 'fail, unless they are equal' },
};

export const onceImport = defineCommand({
  name: 'once-import',
  summary: 'Creates keys that can be set only once, from files.',
  usage: 'goromdb once import -etcd URLS [flags] INPUT...',
  notes: `
Examples:
  goromdb once import -etcd http://10.0.0.1:2379 users.db
  goromdb once import -etcd http://10.0.0.1:2379 -key id users.csv

INPUT is what goromdb build reads. All of it is read, and each key and value is
checked, before the first key is created. A key with two values in the inputs
is an error, since it can be set only once: -duplicates first or last chooses.
It is safe to run it again: keys that have the value already are counted.`,
  exitCodes: {
    0: 'every key has its value',
    1: 'etcd does not answer or refuses, or a signal interrupted the command',
    2: 'a flag is wrong',
    3: 'an input is bad; nothing was created',
    4: 'some keys have another value, and keep it',
  },
  options: OPTIONS,
  takesArguments: true,
  read({ values, args, given }): ImportRequest {
    if (values.etcd === undefined) throw misuse('-etcd is required: the client URLs of etcd');
    checkInputs(args, 'an INPUT');
    const { duplicates = 'last' } = values;
    const rows = { ...values, duplicates, prefix: undefined, keys: 'any', 'skip-bad': 0 } as const;
    return {
      inputs: args,
      rows: { ...rowsOf(rows, given), needsOneValue: values.duplicates === undefined },
      place: placeOf(values),
      type: values.type ?? '',
    };
  },
  async run(request) {
    // Only here: help and mistakes took 0.24 s of a processor longer, of 1.3 (2026-11-29, a slow machine).
    const { importInputs } = await import('../once/import-inputs.ts');
    try {
      const imported = await interruptible((signal) => importInputs(request, signal));
      process.stdout.write(`${summaryOf(imported)}\n`);
      return imported.conflicts === 0 ? 0 : EXIT_CONFLICTS;
    } catch (error) {
      return failInput(error, '; nothing was created');
    }
  },
});

function summaryOf({ created, same, conflicts }: Imported): string {
  const other = conflicts === 0 ? '' : `, ${keysOf(conflicts)} with another value, which is kept`;
  return `${keysOf(created)} created, ${keysOf(same)} unchanged${other}`;
}
