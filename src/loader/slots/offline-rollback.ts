import { closeSync, constants, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../../common/errors.ts';
import { md5Of } from '../../common/md5.ts';
import { findPrevious, type RolledBack, refused, restored, writeRestored } from './rollback.ts';
import { isSoundTable } from './slot-table.ts';
import { newestGeneration, readSlots } from './slots.ts';

/**
 * Rolls back while no server runs: the generation before becomes the newest one, which the next start
 * serves. Whoever calls it holds the folder's lock.
 *
 * @throws GoromdbError ROLLBACK_REFUSED; nothing is changed then.
 */
export async function rollBackStopped(baseDir: string): Promise<RolledBack> {
  const startMs = performance.now();
  const [newest] = await readSlots(baseDir, () => {});
  if (newest === undefined) throw refused(`no slot in ${baseDir} holds a generation`);
  const { previous } = await findPrevious(baseDir, newest.name);
  const { name, path, md5, record } = previous;
  if (record === undefined) {
    throw refused(`another program filled slot ${name}: start the server, then roll back`);
  }
  // With a sound table the start does not look at the file either.
  if (!(await isSoundTable(dirname(path), record.table))) {
    const found = sumOf(path);
    if (found !== md5) {
      throw refused(`${path} is damaged: expected the MD5 ${md5} of its sum file, found ${found}`);
    }
  }
  const next = restored(record, (await newestGeneration(baseDir)) + 1);
  await writeRestored(baseDir, name, next);
  return { slot: name, record: next, seconds: (performance.now() - startMs) / 1000 };
}

function sumOf(path: string): string {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return md5Of(fd, () => {});
  } catch (cause) {
    throw refused(`${path} cannot be read: ${messageOf(cause)}`, cause);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
