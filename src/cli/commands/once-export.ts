import process from 'node:process';
import { keysOf } from '../../common/quantities.ts';
import { ETCD, type EtcdPlace, placeOf } from '../options/etcd.ts';
import { misuse, optionGroup } from '../options/option.ts';
import { FILE } from '../options/values.ts';
import { interruptible } from '../process/interrupt.ts';
import { withOutput } from '../process/output.ts';
import { defineCommand } from './command.ts';

const OUT = optionGroup('Flags', {
  o: {
    ...FILE,
    help: 'the table file to write, for goromdb serve; its MD5 goes to PATH.md5',
    fallbackNote: 'JSON Lines on standard output',
  },
});

const OPTIONS = { ...OUT, ...ETCD };

interface ExportRequest {
  readonly out: string | undefined;
  readonly place: EtcdPlace;
}

export const onceExport = defineCommand({
  name: 'once-export',
  summary: 'Writes all keys that can be set only once to a file.',
  usage: 'goromdb once export -etcd URLS [flags]',
  notes: `
Examples:
  goromdb once export -etcd http://10.0.0.1:2379 | gzip > keys.jsonl.gz
  goromdb once export -etcd http://10.0.0.1:2379 -o keys.db

The keys are those of one moment, whatever is created meanwhile. Media types are
not exported.`,
  exitCodes: {
    0: 'all keys are written, or the reader closed the pipe',
    1: 'etcd does not answer, the file cannot be written, or a signal interrupted the command',
    2: 'a flag is wrong',
  },
  options: OPTIONS,
  read({ values }): ExportRequest {
    if (values.etcd === undefined) throw misuse('-etcd is required: the client URLs of etcd');
    return { out: values.o, place: placeOf(values) };
  },
  async run({ out, place }) {
    const { exportLines, exportTable } = await import('../once/export.ts');
    return interruptible(async (signal) => {
      if (out === undefined) {
        return withOutput<0 | 1>(async (output) => {
          await exportLines(place, (lines) => output.write(lines), signal);
          return 0;
        }, 1);
      }
      const { keys, revision } = await exportTable(place, out, signal);
      process.stdout.write(`${out}: ${keysOf(keys)}, at revision ${revision} of etcd\n`);
      return 0;
    });
  },
});
