import process from 'node:process';
import { oneLine } from '../../common/log.ts';
import { dumpFile } from '../../inspect/dump.ts';
import { PATTERN_BYTES_MAX } from '../../protocol/resp/glob.ts';
import { READ_OPTIONS, readingOf } from '../options/data.ts';
import { misuse, notAllowed, optionGroup } from '../options/option.ts';
import { PLACES_NOTE } from '../options/places.ts';
import { BOOLEAN } from '../options/values.ts';
import { withOutput } from '../process/output.ts';
import { defineCommand } from './command.ts';

const OPTIONS = optionGroup('Flags', {
  keys: { ...BOOLEAN, help: 'print the keys only' },
  match: {
    placeholder: 'PATTERN',
    help: `only keys that match this pattern, as in SCAN: *, ?, [a-z], up to ${PATTERN_BYTES_MAX} bytes`,
    parse: parsePattern,
    fallbackNote: 'all keys',
  },
});

export const dump = defineCommand({
  name: 'dump',
  summary: 'Prints the records of a file or generation as JSON Lines.',
  usage: 'goromdb dump [flags] FILE',
  notes: `
Examples:
  goromdb dump users.db | jq -r .value
  goromdb dump -keys -match 'user:*' /srv/state@previous

${PLACES_NOTE}

A line is {"key":"a","value":"b"}, with "flags" if the client flags are not 0,
and with "keyBase64" or "valueBase64" if the bytes are not UTF-8. goromdb reads
such lines wherever it reads JSON Lines: goromdb build makes the same table from
them.`,
  exitCodes: {
    0: 'all records are printed, or the reader closed the pipe',
    2: 'a flag is wrong, or the file is bad or cannot be read',
  },
  options: { ...OPTIONS, ...READ_OPTIONS },
  takesArguments: true,
  read: ({ values, args }) => {
    if (args.length !== 1) throw misuse(`expected one file or base folder, found ${args.length}`);
    const { keys, match } = values;
    return { place: args[0], options: { ...readingOf(values), keysOnly: keys, match } };
  },
  run: ({ place, options }) =>
    withOutput<0>(async (output) => {
      const onNotice = (text: string): void =>
        void process.stderr.write(`warning: ${oneLine(text)}\n`);
      await dumpFile(place, (lines) => output.write(lines), { ...options, onNotice });
      return 0;
    }),
});

function parsePattern(text: string): string {
  if (text !== '' && Buffer.byteLength(text) <= PATTERN_BYTES_MAX) return text;
  throw notAllowed(text, `a pattern of 1 to ${PATTERN_BYTES_MAX} bytes`);
}
