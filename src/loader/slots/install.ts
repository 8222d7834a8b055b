import { lstat, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  checkStill,
  type FileIdentity,
  hasChanged,
  isAbsence,
  isStill,
} from '../../common/file-identity.ts';
import {
  canRename,
  copyDurably,
  remove,
  syncFile,
  syncFolder,
  tryLink,
  tryRename,
  writeAtomically,
} from '../../common/files.ts';
import {
  DATA_NAME,
  installTable,
  removeTable,
  TABLE_INCOMING_NAME,
  TABLE_NAME,
} from './slot-table.ts';
import { RECORD_NAME, type SlotName, type SlotRecord, SUM_NAME, writeRecord } from './slots.ts';

/** A copy from another file system grows under this name. */
export const INCOMING_NAME = 'data.db.incoming';

/** What is to be moved into a slot. */
export interface Installation {
  /** The file, as it was verified. */
  readonly file: string;
  readonly identity: FileIdentity;
  readonly record: SlotRecord;
  /** Whether the slot's new table is the file itself, copied. Default: no. */
  readonly isCopy?: boolean;
}

/**
 * Moves a verified file into a slot that does not serve; a file that cannot be moved is copied and
 * stays, and so does one whose copy is the slot's new table. The order is what makes a crash harmless:
 * the old sum file goes first, so that the slot counts as empty; the new one and the record come before
 * the file, so that the file's arrival, one rename, makes the slot a complete generation. Nothing that
 * needs room on the disk comes after it.
 *
 * @param signal Stops a copy.
 * @throws GoromdbError FILE_CHANGED when the file is no longer the one that was verified. After any
 *   fault the file is still or again in its place, and the slot is empty or as it was.
 */
export async function install(
  baseDir: string,
  name: SlotName,
  { file, identity, record, isCopy = false }: Installation,
  signal?: AbortSignal,
): Promise<void> {
  const folder = join(baseDir, name);
  const data = join(folder, DATA_NAME);
  const incoming = join(folder, INCOMING_NAME);
  const copy = async (): Promise<void> => {
    const table = join(folder, TABLE_INCOMING_NAME);
    const isLinked = isCopy && (await tryLink(table, incoming));
    const source = isCopy ? { path: table } : { path: file, identity };
    if (!isLinked) await copyMakingRoom(source, incoming, folder, signal);
    await checkStill(file, identity);
  };
  try {
    const isMovable = !isCopy && (await canRename(file, folder));
    if (isMovable) await checkStill(file, identity);
    else await copy();
    await clearSlot(folder);
    await installTable(folder);
    await writeRecord(baseDir, name, record);
    await writeAtomically(join(folder, SUM_NAME), `${record.md5}  ${DATA_NAME}\n`);
    if (isMovable && (await tryRename(file, data))) {
      await checkMoved(data, file, identity);
      return;
    }
    if (isMovable) await copy();
    await rename(incoming, data);
    await syncFolder(folder);
  } catch (error) {
    await remove(incoming).catch(() => {});
    await remove(join(folder, TABLE_INCOMING_NAME)).catch(() => {});
    // Its producer took it away, or is about to put another one in its place.
    const isGone = isAbsence(error) && (error as NodeJS.ErrnoException).path === file;
    throw isGone ? hasChanged(file) : error;
  }
}

/** Has a slot hold a table once, which is its file as well. */
export async function shareTable(folder: string): Promise<void> {
  const incoming = join(folder, INCOMING_NAME);
  if (!(await tryLink(join(folder, TABLE_NAME), incoming))) return;
  await rename(incoming, join(folder, DATA_NAME));
  await syncFolder(folder);
}

/** Copies; on a full disk, the slot's old generation gives way. */
async function copyMakingRoom(
  { path, identity }: { readonly path: string; readonly identity?: FileIdentity },
  incoming: string,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await copyDurably(path, incoming, identity, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    await remove(incoming);
    await clearSlot(folder);
    await copyDurably(path, incoming, identity, signal);
  }
}

/**
 * Deletes what a slot holds, and with it the number that it had: the other slot must serve, and have a
 * higher one.
 */
export async function emptySlot(baseDir: string, name: SlotName): Promise<void> {
  const folder = join(baseDir, name);
  await clearSlot(folder);
  await remove(join(folder, RECORD_NAME));
  await syncFolder(folder);
}

/** Whether a slot's folder holds what `clearSlot` would remove. */
export async function isFilled(folder: string): Promise<boolean> {
  const found = await Promise.all(
    [DATA_NAME, TABLE_NAME].map((name) => lstat(join(folder, name)).catch(() => undefined)),
  );
  return found.some((stats) => stats !== undefined);
}

/**
 * Makes room in a slot. The record stays until another one replaces it: its number may be the highest
 * that was ever served, when the file turned out to be damaged, and must not be given away again.
 */
export async function clearSlot(folder: string): Promise<void> {
  await remove(join(folder, SUM_NAME));
  await syncFolder(folder);
  await remove(join(folder, DATA_NAME));
  await removeTable(folder);
  await syncFolder(folder);
}

/**
 * Makes a move last, and takes it back if that fails or if what was moved is not what was verified:
 * a producer may have put another file in place just before the rename took it.
 */
async function checkMoved(data: string, file: string, identity: FileIdentity): Promise<void> {
  try {
    // A link may lead to the file that was verified, which could change later.
    const isMovedFile = (await lstat(data)).isFile() && (await isStill(data, identity));
    if (!isMovedFile) throw hasChanged(file);
    await syncFile(data);
    await syncFolder(dirname(data));
  } catch (error) {
    await remove(join(dirname(data), SUM_NAME));
    const isReplaced = (await lstat(file).catch(() => undefined)) !== undefined;
    if (!isReplaced) await rename(data, file);
    throw error;
  }
}
