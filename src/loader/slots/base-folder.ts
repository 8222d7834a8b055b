import { lstat, mkdir, readdir, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { codeOf, GoromdbError, messageOf } from '../../common/errors.ts';
import { folderKey, makeFolder, remove, writeAtomically } from '../../common/files.ts';
import type { Logger } from '../../common/log.ts';
import { INCOMING_NAME } from './install.ts';
import { isTableLeftover } from './slot-table.ts';
import { readSlots, SLOT_NAMES, type SlotName } from './slots.ts';

/** The folder that the slots are in, as it was at the start. */
export class BaseFolder {
  readonly path: string;
  /** Distinguishes it from another one at its path. */
  #key: string | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes the slots' folders. When that fails and a slot holds data, it is served nevertheless.
   *
   * @throws GoromdbError FOLDER_UNUSABLE.
   */
  async prepare(logger: Logger): Promise<void> {
    this.#key = await folderKey(this.path);
    // Nothing is read either of a slot that somebody else has put there.
    for (const name of SLOT_NAMES) await checkSlot(this.path, name);
    try {
      await prepareSlots(this.path);
    } catch (error) {
      const slots = await readSlots(this.path, () => {});
      if (slots.length === 0) throw error;
      logger.error(
        `${messageOf(error)}; what the slots hold is served, and new files are not taken`,
        { event: 'folder-unusable', code: codeOf(error), path: this.path },
      );
    }
    const warning = await writersWarning(this.path);
    if (warning !== undefined) logger.warn(warning, { event: 'folder-writable', path: this.path });
  }

  /** Makes sure of a slot before something is written there. @throws GoromdbError FOLDER_UNUSABLE. */
  async openSlot(name: SlotName): Promise<void> {
    await this.check();
    await makeSlot(this.path, name);
  }

  /**
   * A folder that was unmounted leaves another one at its path. What is put there is gone from sight
   * when the right one is back, and an older generation would be served at the next start.
   *
   * @throws GoromdbError FOLDER_UNUSABLE.
   */
  async check(): Promise<void> {
    const key = await folderKey(this.path);
    if (key === this.#key) return;
    const found = key === undefined ? 'is gone' : 'is another one than at the start';
    const message = `the base folder ${this.path} ${found}: bring it back, or restart the server`;
    throw new GoromdbError('FOLDER_UNUSABLE', message);
  }
}

/**
 * Makes the base folder, and says so. The folder that it lies in must be there: a mistyped path must
 * not become an empty server beside the data.
 *
 * @returns Whether it was not there before.
 * @throws GoromdbError FOLDER_UNUSABLE.
 */
export async function prepareBase(baseDir: string, logger: Logger): Promise<boolean> {
  let isNew: boolean;
  try {
    isNew = await makeFolder(baseDir);
  } catch (cause) {
    // Where a file system makes no folders, as below /proc, the parent is there.
    const isMissing = (await folderKey(dirname(baseDir))) === undefined;
    throw isMissing ? parentIsMissing(baseDir, cause) : cannotWrite(baseDir, cause);
  }
  const fields = { event: 'folder-made', path: baseDir } as const;
  if (isNew) logger.info(`made the base folder ${baseDir}, which was not there`, fields);
  return isNew;
}

function parentIsMissing(baseDir: string, cause: unknown): GoromdbError {
  const parent = dirname(baseDir);
  const message =
    `cannot make the base folder ${baseDir}: expected the folder ${parent} to be there, and it is ` +
    `not: correct the path, or make it with mkdir -p ${parent}; another folder is chosen with -basedir`;
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

/** Removes a base folder that was made for nothing: only what is empty goes. */
export async function unmakeBase(baseDir: string): Promise<void> {
  for (const folder of [...SLOT_NAMES.map((name) => join(baseDir, name)), baseDir]) {
    await rmdir(folder).catch(() => {});
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
async function writersWarning(baseDir: string): Promise<string | undefined> {
  for (const path of [baseDir, ...SLOT_NAMES.map((name) => join(baseDir, name))]) {
    const writers = await writersOf(path).catch(() => undefined);
    if (writers === undefined) continue;
    return (
      `${path} may be written to by ${writers}: they can replace or remove what is served after a ` +
      'restart, without an MD5. Keep generations where only this user may write, with -basedir; ' +
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
async function makeSlot(baseDir: string, name: SlotName): Promise<void> {
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
