import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { folderKey, makeFolder, remove, writeAtomically } from '../../common/files.ts';
import type { Logger } from '../../common/log.ts';
import { INCOMING_NAME } from './install.ts';
import { makeSlot } from './slot-folder.ts';
import { isTableLeftover } from './slot-table.ts';
import { SLOT_NAMES } from './slots.ts';

/**
 * Makes the base folder, and says so. The folder that it lies in must be there: a mistyped path must
 * not become an empty server beside the data.
 *
 * @throws GoromdbError FOLDER_UNUSABLE.
 */
export async function prepareBase(baseDir: string, logger: Logger): Promise<void> {
  let isNew: boolean;
  try {
    isNew = await makeFolder(baseDir);
  } catch (cause) {
    // Where a file system makes no folders, as below /proc, the parent is there.
    const isMissing = (await folderKey(dirname(baseDir))) === undefined;
    throw isMissing ? parentIsMissing(baseDir, cause) : cannotWrite(baseDir, cause);
  }
  if (isNew) logger.info(`made the base folder ${baseDir}, which was not there`);
}

function parentIsMissing(baseDir: string, cause: unknown): GoromdbError {
  const parent = dirname(baseDir);
  const message =
    `cannot make the base folder ${baseDir}: expected the folder ${parent} to be there, and it is ` +
    `not: mend the path, or make it with mkdir -p ${parent}; another folder is chosen with -basedir`;
  return new GoromdbError('FOLDER_UNUSABLE', message, { cause });
}

/**
 * Makes the slots in the base folder, and shows that files can be made in them. No other server may
 * use the folder.
 *
 * @throws GoromdbError FOLDER_UNUSABLE.
 */
export async function prepareSlots(baseDir: string): Promise<void> {
  try {
    for (const name of SLOT_NAMES) {
      const folder = join(baseDir, name);
      await makeSlot(baseDir, name);
      // A crash may have left a copy half done, and it may be as large as the disk.
      await removeLeftovers(folder);
      const probe = join(folder, '.writable');
      await writeAtomically(probe, '');
      await remove(probe);
    }
  } catch (cause) {
    if (cause instanceof GoromdbError) throw cause;
    throw cannotWrite(baseDir, cause);
  }
}

async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name === INCOMING_NAME || isTableLeftover(name)) await remove(join(folder, name));
  }
}

function cannotWrite(baseDir: string, cause: unknown): GoromdbError {
  const { code = messageOf(cause), path = baseDir } = cause as NodeJS.ErrnoException;
  const message =
    `cannot write in the base folder ${baseDir} (${code} at ${path}): ${adviceOn(code)}, or ` +
    'choose another folder with -basedir';
  return new GoromdbError('FOLDER_UNUSABLE', message, { cause });
}

function adviceOn(code: string): string {
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'make room on that disk';
  if (code === 'ENOTDIR' || code === 'EEXIST')
    return 'remove the file that has the name of a folder';
  return 'give this user write permission there';
}
