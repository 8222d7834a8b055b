import process from 'node:process';
import { oneLine } from '../../common/log.ts';
import { keysOf } from '../../common/quantities.ts';
import { type Diff, type Difference, diffFiles, diffText } from '../../inspect/diff.ts';
import { keyFields, keyText } from '../../inspect/key-text.ts';
import { READ_OPTIONS, readingOf } from '../options/data.ts';
import { misuse, optionGroup } from '../options/option.ts';
import { PLACES_NOTE } from '../options/places.ts';
import { BOOLEAN } from '../options/values.ts';
import { type Output, withOutput } from '../process/output.ts';
import { defineCommand } from './command.ts';

const SIGNS: Readonly<Record<Difference, string>> = { added: '+', removed: '-', changed: '~' };

const OPTIONS = optionGroup('Flags', {
  keys: {
    ...BOOLEAN,
    help: 'print the keys: "+ KEY" was added, "- KEY" removed, "~ KEY" has another value or other client flags',
  },
  json: { ...BOOLEAN, help: 'print JSON; with -keys, a line for each key' },
});

export const diff = defineCommand({
  name: 'diff',
  summary: 'Compares the records of two files or generations.',
  usage: 'goromdb diff [flags] OLD NEW',
  notes: `
Examples:
  goromdb diff users-monday.db users-tuesday.jsonl
  goromdb diff -keys /srv/state@previous /srv/state

${PLACES_NOTE}
A file that is not a table needs space in the temporary folder of the system, or
in TMPDIR.`,
  exitCodes: {
    0: 'both have the same records',
    1: 'the records differ',
    2: 'a flag is wrong, or a file cannot be read',
  },
  options: { ...OPTIONS, ...READ_OPTIONS },
  takesArguments: true,
  read: ({ values, args }) => {
    if (args.length !== 2) throw misuse(`expected two files, OLD and NEW, found ${args.length}`);
    const [old, now] = args;
    return { old, now, keys: values.keys, json: values.json, reading: readingOf(values) };
  },
  run: ({ old, now, keys, json, reading }) =>
    withOutput<0 | 1>(async (output) => {
      const found = await diffFiles(old, now, {
        ...reading,
        onDifference: keys ? lister(output, json) : undefined,
        onNotice: (text) => void process.stderr.write(`warning: ${oneLine(text)}\n`),
      });
      output.line(json ? JSON.stringify(found) : summaryOf(found));
      return found.added + found.removed + found.changed === 0 ? 0 : 1;
    }),
});

function lister(output: Output<0 | 1>, json: boolean): (what: Difference, key: Buffer) => void {
  const textOf = json
    ? (difference: Difference, key: Buffer) => JSON.stringify({ difference, ...keyFields(key) })
    : (difference: Difference, key: Buffer) => `${SIGNS[difference]} ${keyText(key)}`;
  return (difference, key) => {
    output.codeWhenClosed = 1;
    output.line(textOf(difference, key));
  };
}

function summaryOf(diff: Diff): string {
  return `${diffText(diff)}, ${keysOf(diff.same)} the same`;
}
