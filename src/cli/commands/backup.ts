import { resolve } from 'node:path';
import process from 'node:process';
import { oneLine } from '../../common/log.ts';
import { formatBytes, keysOf } from '../../common/quantities.ts';
import { type BackedUp, backUp } from '../folders/backup.ts';
import { requireFolder } from '../folders/require-folder.ts';
import { misuse, optionGroup } from '../options/option.ts';
import { BOOLEAN } from '../options/values.ts';
import { interruptible } from '../process/interrupt.ts';
import { defineCommand } from './command.ts';

export const backup = defineCommand({
  name: 'backup',
  summary: 'Copies the newest generation of a base folder, whether its server runs or not.',
  usage: 'goromdb backup BASEDIR DIR [flags]',
  notes: `
Examples:
  goromdb backup /srv/state /mnt/backup/monday
  goromdb backup -json /srv/state /mnt/backup/tuesday

DIR must not exist. It appears when the copy is complete, verified and on the
disk. It is a base folder with one slot, which a server can serve from;
"sha256sum -c SHA256SUMS" in it verifies it. See goromdb restore.`,
  exitCodes: {
    0: 'DIR is a complete backup',
    1: 'it failed, and made no DIR',
    2: 'a flag is wrong',
  },
  options: optionGroup('Flags', { json: { ...BOOLEAN, help: 'print JSON' } }),
  takesArguments: true,
  read({ values: { json }, args }) {
    const [basedir, target] = twoFolders(args, 'BASEDIR and DIR');
    return { basedir, target, json };
  },
  async run({ basedir, target, json }) {
    await requireFolder(basedir);
    const done = await interruptible((signal) => backUp(basedir, target, signal));
    for (const warning of done.warnings) process.stderr.write(`warning: ${oneLine(warning)}\n`);
    const text = json ? JSON.stringify({ ...done, target }) : describe(done, target);
    process.stdout.write(`${text}\n`);
    return 0;
  },
});

function describe({ slot, record }: BackedUp, target: string): string {
  const { generation, keys, bytes, md5, installedAt } = record;
  const size = `${keysOf(keys)}, ${formatBytes(bytes)}`;
  return `backed up to ${target}: generation ${generation} of slot ${slot}, ${size}, md5 ${md5}, of ${installedAt}`;
}

/** The two paths that a command takes. @throws GoromdbError OPTION_INVALID. */
export function twoFolders(args: readonly string[], names: string): readonly [string, string] {
  if (args.length === 2 && !args.includes('')) return [resolve(args[0]), resolve(args[1])];
  const found = args.length === 1 ? '1 argument' : `${args.length} arguments`;
  throw misuse(`expected ${names}; found ${found}`);
}
