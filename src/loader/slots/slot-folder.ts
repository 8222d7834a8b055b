import { lstat, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { GoromdbError } from '../../common/errors.ts';
import { SLOT_NAMES, type SlotName } from './slots.ts';

const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;

/**
 * Who may put names into a folder, or take them away, beside this process's user and root. Also in a
 * sticky folder others may put a name there first.
 *
 * @returns undefined when nobody may, or the system does not say.
 */
async function writersOf(folder: string): Promise<string | undefined> {
  const self = process.geteuid?.();
  if (self === undefined) return undefined;
  const { uid, gid, mode } = await stat(folder);
  const writers = [
    ...(uid === self || uid === 0 ? [] : [`its owner, user ${uid}`]),
    ...((mode & GROUP_WRITES) === 0 ? [] : [`group ${gid}`]),
    ...((mode & OTHERS_WRITE) === 0 ? [] : ['everybody']),
  ];
  return writers.length === 0 ? undefined : writers.join(' and ');
}

/** What others may do to the folders of a data set; undefined when they may do nothing. */
export async function writersWarning(baseDir: string): Promise<string | undefined> {
  for (const path of [baseDir, ...SLOT_NAMES.map((name) => join(baseDir, name))]) {
    const writers = await writersOf(path).catch(() => undefined);
    if (writers === undefined) continue;
    return (
      `${path} may be written to by ${writers}: they can replace or remove what is served after a ` +
      'restart, without a sum. Keep generations where only this user may write, with -basedir; ' +
      'producers need no more than the folder of -file'
    );
  }
  return undefined;
}

/**
 * A slot that others can have put there must not lead elsewhere, or files that are none of ours would
 * be overwritten. Where only this user may write, it may be a link to another disk.
 *
 * @throws GoromdbError FOLDER_UNUSABLE.
 */
export async function checkSlot(baseDir: string, name: SlotName): Promise<void> {
  const folder = join(baseDir, name);
  const found = await lstat(folder).catch(() => undefined);
  if (found === undefined) return;
  const writers = await writersOf(baseDir);
  // On a network file system all may belong to one user, who is not this one.
  const isOurs = [process.geteuid?.(), 0, (await stat(baseDir)).uid].includes(found.uid);
  if (writers === undefined || (found.isDirectory() && isOurs)) return;
  const what = found.isDirectory() ? `a folder of user ${found.uid}` : 'not a folder';
  const message =
    `expected ${folder} to be a folder of this server's user; found that it is ${what}, and that ` +
    `${writers} may have put it there: remove it, or choose with -basedir a folder that only this ` +
    'user may write to';
  throw new GoromdbError('FOLDER_UNUSABLE', message);
}

/**
 * Makes the folder of a slot, for this user alone, if there is none.
 *
 * @throws GoromdbError as `checkSlot`; what the file system throws.
 */
export async function makeSlot(baseDir: string, name: SlotName): Promise<void> {
  const folder = join(baseDir, name);
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const found = isThere ? await stat(folder).catch(() => undefined) : undefined;
    if (!found?.isDirectory()) throw error;
  }
  await checkSlot(baseDir, name);
}
