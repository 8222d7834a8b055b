import process from 'node:process';
import { oneLine } from '../../common/log.ts';
import { type FileRecord, findRecords } from '../../inspect/find.ts';
import { keyFields, keyText } from '../../inspect/key-text.ts';
import { JsonLineWriter } from '../../storage/formats/json/json-line-writer.ts';
import { READ_OPTIONS, readingOf } from '../options/data.ts';
import { misuse, optionGroup } from '../options/option.ts';
import { PLACES_NOTE } from '../options/places.ts';
import { BOOLEAN } from '../options/values.ts';
import { type Output, withOutput } from '../process/output.ts';
import { defineCommand } from './command.ts';

const OPTIONS = optionGroup('Flags', {
  json: { ...BOOLEAN, help: 'print a line of JSON for a single key, too' },
});

export const get = defineCommand({
  name: 'get',
  summary: 'Prints the values of keys of a file or generation.',
  usage: 'goromdb get [flags] FILE KEY...',
  notes: `
Examples:
  goromdb get users.db user:42
  goromdb get -json /srv/state@previous user:42 user:43

${PLACES_NOTE}

The value of a single key is printed as it is, without a line end. For several
keys, and with -json, each key gets a line of JSON, in the order of the command
line: {"key":"a","value":"b"}, as goromdb dump prints it, or
{"key":"a","value":null} if there is no such key.`,
  exitCodes: {
    0: 'all keys are there',
    1: 'a key is missing',
    2: 'a flag is wrong, or the file is bad or cannot be read',
  },
  options: { ...OPTIONS, ...READ_OPTIONS },
  takesArguments: true,
  read: ({ values, args }) => {
    const [place, ...keys] = args;
    if (keys.length === 0) {
      throw misuse(
        `expected a file and a key or more, found ${place === undefined ? 'none' : 'no key'}`,
      );
    }
    const isJson = values.json || keys.length > 1;
    return { place, keys: keys.map((key) => Buffer.from(key)), isJson, reading: readingOf(values) };
  },
  run: ({ place, keys, isJson, reading }) =>
    withOutput<0 | 1>(async (output) => {
      const onNotice = (text: string): void =>
        void process.stderr.write(`warning: ${oneLine(text)}\n`);
      const records = await findRecords(place, keys, { ...reading, onNotice });
      const missing = keys.filter((_, i) => records[i] === undefined);
      output.codeWhenClosed = missing.length === 0 ? 0 : 1;
      if (isJson) printLines(output, keys, records);
      else if (records[0] !== undefined) output.write(records[0].value);
      if (missing.length === 0) return 0;
      output.flush();
      process.stderr.write(`goromdb: ${place} has no key ${missing.map(keyText).join(', ')}\n`);
      return 1;
    }),
});

function printLines(
  output: Output<0 | 1>,
  keys: readonly Buffer[],
  records: readonly (FileRecord | undefined)[],
): void {
  const lines = new JsonLineWriter((bytes) => output.write(bytes));
  for (const [i, record] of records.entries()) {
    if (record === undefined) {
      lines.flush();
      output.line(JSON.stringify({ ...keyFields(keys[i]), value: null }));
    } else {
      const { key, value, flags } = record;
      lines.record(key, 0, key.length, value, 0, value.length, flags);
    }
  }
  lines.flush();
}
