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

goromdb verifies every byte first. The next start serves the backup. goromdb
rollback undoes it: the newest generation of BASEDIR before stays in the other
slot. BASEDIR is created if it does not exist.`,
  exitCodes: {
    0: 'BASEDIR has the backup as its newest generation',
    1: 'it failed; BASEDIR serves what it served before',
    2: 'a flag is wrong',
  },
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
