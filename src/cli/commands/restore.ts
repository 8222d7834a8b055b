import process from 'node:process';
import { createLineLogger } from '../../common/log.ts';
import { keysOf } from '../../common/quantities.ts';
import { type Restored, restore as restoreTo } from '../folders/restore.ts';
import { optionGroup } from '../options/option.ts';
import { BOOLEAN } from '../options/values.ts';
import { interruptible } from '../process/interrupt.ts';
import { twoFolders } from './backup.ts';
import { defineCommand } from './command.ts';

export const restore = defineCommand({
  name: 'restore',
  summary: 'Puts a backup into a base folder that no server uses, as its newest generation.',
  usage: 'goromdb restore DIR BASEDIR [flags]',
  notes: `
Examples:
  goromdb restore /mnt/backup/monday /srv/state
  goromdb restore -json /mnt/backup/monday /srv/new-state

Every byte is verified first. The next start serves it; to undo it, use goromdb
rollback: what was the newest generation of BASEDIR stays in its other slot.
BASEDIR is made if it is not there.

Exit codes: 0 done, 1 failed, and BASEDIR serves what it did, 2 wrong flags.`,
  options: optionGroup('Flags', { json: { ...BOOLEAN, help: 'print JSON' } }),
  takesArguments: true,
  read({ values: { json }, args }) {
    const [source, basedir] = twoFolders(args, 'DIR and BASEDIR');
    return { source, basedir, json };
  },
  async run({ source, basedir, json }) {
    const logger = createLineLogger((line) => process.stderr.write(line));
    const done = await interruptible((signal) => restoreTo(source, basedir, { logger, signal }));
    process.stdout.write(
      `${json ? JSON.stringify({ ...done, basedir }) : describe(done, basedir)}\n`,
    );
    return 0;
  },
});

function describe({ slot, record }: Restored, basedir: string): string {
  const { generation, restores, keys, md5 } = record;
  const what = restores === undefined ? '' : ` (the data of ${restores})`;
  return `restored to slot ${slot} of ${basedir}: generation ${generation}${what}, ${keysOf(keys)}, md5 ${md5}; the next start serves it`;
}
