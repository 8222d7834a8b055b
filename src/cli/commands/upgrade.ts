import process from 'node:process';
import { GoromdbError } from '../../common/errors.ts';
import { askServer } from '../../control/control-client.ts';
import { requireFolder } from '../folders/require-folder.ts';
import { BASE_FOLDER_OPTIONS, baseFolderOf } from '../options/base-folder.ts';
import type { Upgraded } from '../process/upgrading.ts';
import { defineCommand } from './command.ts';

/** A new process may have to make damaged tables again, which takes as long as loading them did. */
const TIMEOUT_MS = 1_300_000;

export const upgrade = defineCommand({
  name: 'upgrade',
  summary: 'Has a running server start the build on disk, which takes over without a gap.',
  usage: 'goromdb upgrade -basedir DIR [flags]',
  notes: `
Examples:
  goromdb upgrade -basedir /srv/state
  goromdb upgrade -json -basedir /srv/state

The new process gets the sockets of the old one, and its command line. The old
one closes its connections between two requests and ends. A new process that
does not come to serve changes nothing. SIGUSR2 does the same.

Exit codes: 0 done, 1 no server runs, or the old process keeps serving, 2 wrong
flags.`,
  options: BASE_FOLDER_OPTIONS,
  read: baseFolderOf,
  async run({ basedir, json }) {
    await requireFolder(basedir);
    const answer = await askServer(basedir, { command: 'upgrade' }, TIMEOUT_MS);
    if (answer === undefined) {
      throw new GoromdbError('UPGRADE_FAILED', `no server runs in ${basedir}: start one`);
    }
    const { pid, version, seconds } = answer.result as Upgraded;
    const text = `upgraded: ${version} serves as pid ${pid} after ${seconds.toFixed(3)} s`;
    process.stdout.write(`${json ? JSON.stringify({ pid, version, seconds }) : text}\n`);
    return 0;
  },
});
