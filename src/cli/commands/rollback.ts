import process from 'node:process';
import { keysOf } from '../../common/quantities.ts';
import { askServer } from '../../control/control-client.ts';
import { lockFolder } from '../../control/folder-lock.ts';
import { rollBackStopped } from '../../loader/slots/offline-rollback.ts';
import type { RolledBack } from '../../loader/slots/rollback.ts';
import { requireFolder } from '../folders/require-folder.ts';
import { BASE_FOLDER_OPTIONS, baseFolderOf } from '../options/base-folder.ts';
import { defineCommand } from './command.ts';

/** A server may have to make a damaged table again, which takes as long as loading it did. */
const TIMEOUT_MS = 600_000;

export const rollback = defineCommand({
  name: 'rollback',
  summary: 'Returns to the previous generation, with or without a running server.',
  usage: 'goromdb rollback -basedir DIR [flags]',
  notes: `
Examples:
  goromdb rollback -basedir /srv/state
  goromdb rollback -json -basedir /srv/state

A running server swaps to the previous generation. If none runs, the next start
serves it. To undo a rollback, roll back again.`,
  exitCodes: { 0: 'rolled back', 1: 'refused, or failed', 2: 'a flag is wrong' },
  options: BASE_FOLDER_OPTIONS,
  read: baseFolderOf,
  async run({ basedir, json }) {
    await requireFolder(basedir);
    const answer = await askServer(basedir, { command: 'rollback' }, TIMEOUT_MS);
    const isRunning = answer !== undefined;
    const done = isRunning ? (answer.result as RolledBack) : await rollBackOffline(basedir);
    const text = json ? JSON.stringify({ running: isRunning, ...done }) : describe(done, isRunning);
    process.stdout.write(`${text}\n`);
    return 0;
  },
});

function describe({ record, seconds }: RolledBack, isRunning: boolean): string {
  const { generation, restores, keys, source } = record;
  const when = isRunning ? `since now, after ${seconds.toFixed(3)} s` : 'from the next start on';
  const what = `the data of generation ${restores} (${keysOf(keys)}, from ${source})`;
  return `rolled back: ${what} serves as generation ${generation} ${when}; to undo it, roll back again`;
}

async function rollBackOffline(baseDir: string): Promise<RolledBack> {
  // No server may start in the middle of it.
  const lock = await lockFolder(baseDir);
  try {
    return await rollBackStopped(baseDir);
  } finally {
    await lock.release();
  }
}
