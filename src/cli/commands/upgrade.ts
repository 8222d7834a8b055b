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
  summary: 'Replaces a running server by the build on disk, without a gap.',
  usage: 'goromdb upgrade -basedir DIR [flags]',
  notes: `
Examples:
  goromdb upgrade -basedir /srv/state
  goromdb upgrade -json -basedir /srv/state

The running server starts the new process, which gets its listening sockets and
its command line. The old process closes its connections between two requests
and ends. If the new process does not serve in time, nothing changes. SIGUSR2
does the same.`,
  exitCodes: {
    0: 'the new process serves',
    1: 'no server runs, or the old process keeps serving',
    2: 'a flag is wrong',
  },
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
