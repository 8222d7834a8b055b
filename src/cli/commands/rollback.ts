import process from 'node:process';
import { keysOf } from '../../common/quantities.ts';
import { askServer } from '../../control/control-client.ts';
import { lockFolder } from '../../control/folder-lock.ts';
import { rollBackStopped } from '../../loader/slots/offline-rollback.ts';
import type { RolledBack } from '../../loader/slots/rollback.ts';
import { requireFolder } from '../folders/require-folder.ts';

/** A server loads the generation before, which takes as long as loading it did. */
const TIMEOUT_MS = 600_000;

/** Returns to the generation before: in the running server, or for the next start. */
export async function rollback(baseDir: string, isJson: boolean): Promise<void> {
  await requireFolder(baseDir);
  const answer = await askServer(baseDir, { command: 'rollback' }, TIMEOUT_MS);
  const done =
    answer === undefined ? await rollBackOffline(baseDir) : (answer.result as RolledBack);
  if (isJson) {
    process.stdout.write(`${JSON.stringify({ running: answer !== undefined, ...done })}\n`);
    return;
  }
  const { generation, restores, keys, source } = done.record;
  const when =
    answer === undefined
      ? 'from the next start on'
      : `since now, after ${done.seconds.toFixed(3)} s`;
  const what = `the data of generation ${restores} (${keysOf(keys)}, from ${source})`;
  process.stdout.write(
    `rolled back: ${what} serves as generation ${generation} ${when}; ` +
      'to undo it, roll back again\n',
  );
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
