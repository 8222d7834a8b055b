import { lstat, mkdir, readFile, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GoromdbError } from '../errors.ts';
import { type FileIdentity, identityOf, sameContent } from '../watcher/identity.ts';
import { parseSumFile, readSumFile } from '../watcher/sum-file.ts';
import { canRename, copyDurably, remove, syncFile, syncFolder, writeAtomically } from './folder.ts';

/** The two folders that generations take turns in. */
export const SLOT_NAMES = ['data00', 'data01'] as const;
export type SlotName = (typeof SLOT_NAMES)[number];

const DATA_NAME = 'data.db';
const SUM_NAME = 'data.db.md5';
const RECORD_NAME = 'generation.json';
/** A copy from another file system grows under this name. */
const INCOMING_NAME = 'data.db.incoming';

/** What a slot holds, as its record file says it. */
export interface SlotRecord {
  /** Grows by one with each file that is put into service, over restarts also. */
  readonly generation: number;
  readonly md5: string;
  readonly bytes: number;
  readonly keys: number;
  readonly format: string;
  /** Path that the file was dropped at. */
  readonly source: string;
  /** When it was installed, in ISO 8601. */
  readonly installedAt: string;
}

/** A slot whose file and sum are there. Whether they match is still to be verified. */
export interface FilledSlot {
  readonly name: SlotName;
  readonly path: string;
  readonly md5: string;
  /** Undefined when a crash came between the move and the record, or another program filled it. */
  readonly record: SlotRecord | undefined;
  readonly mtimeMs: number;
}

/** The slot that a generation does not live in. */
export function otherSlot(name: SlotName | undefined): SlotName {
  return name === 'data00' ? 'data01' : 'data00';
}

/** Path of a slot's data file. */
export function slotPath(baseDir: string, name: SlotName): string {
  return join(baseDir, name, DATA_NAME);
}

/** Makes the base folder and the slots, and shows that files can be made in them. */
export async function prepareSlots(baseDir: string): Promise<void> {
  try {
    for (const name of SLOT_NAMES) {
      const folder = join(baseDir, name);
      await mkdir(folder, { recursive: true });
      const probe = join(folder, '.writable');
      await writeAtomically(probe, '');
      await remove(probe);
    }
  } catch (cause) {
    const { code, path = baseDir } = cause as NodeJS.ErrnoException;
    throw new GoromdbError(
      'FOLDER_UNUSABLE',
      `cannot write in the base folder ${baseDir} (${code} at ${path}): give this user write ` +
        'permission there, or choose another folder with -basedir',
      { cause },
    );
  }
}

/**
 * The slots that hold a file with its sum, the newest first. A slot without a record is newer than
 * one with: the record of a slot goes before its next file comes.
 */
export async function readSlots(baseDir: string): Promise<readonly FilledSlot[]> {
  const slots = await Promise.all(SLOT_NAMES.map((name) => readSlot(baseDir, name)));
  return slots
    .filter((slot) => slot !== undefined)
    .sort((a, b) => rank(b) - rank(a) || b.mtimeMs - a.mtimeMs);
}

function rank(slot: FilledSlot): number {
  return slot.record?.generation ?? Number.POSITIVE_INFINITY;
}

async function readSlot(baseDir: string, name: SlotName): Promise<FilledSlot | undefined> {
  const folder = join(baseDir, name);
  const path = join(folder, DATA_NAME);
  try {
    const md5 = parseSumFile(await readFile(join(folder, SUM_NAME)), DATA_NAME);
    const { mtimeMs } = await stat(path);
    if (md5 === undefined) return undefined;
    const record = await readRecord(join(folder, RECORD_NAME));
    return { name, path, md5, record: record?.md5 === md5 ? record : undefined, mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function readRecord(path: string): Promise<SlotRecord | undefined> {
  try {
    const record: SlotRecord = JSON.parse(await readFile(path, 'utf8'));
    return Number.isSafeInteger(record.generation) ? record : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes a slot's record: from now on the slot is a complete generation with its number. */
export async function writeRecord(
  baseDir: string,
  name: SlotName,
  record: SlotRecord,
): Promise<void> {
  const path = join(baseDir, name, RECORD_NAME);
  await writeAtomically(path, `${JSON.stringify(record, undefined, 2)}\n`);
}

/** What is to be moved into a slot. */
export interface Installation {
  /** The dropped file, as it was verified. */
  readonly file: string;
  readonly sumFile: string;
  readonly identity: FileIdentity;
  readonly record: SlotRecord;
}

/**
 * Moves a verified file into a slot that does not serve. The order is what makes a crash harmless:
 * the old sum goes first, so that the slot counts as empty; the new sum comes before the file, so
 * that the file's arrival, one rename, fills the slot; the record comes last.
 *
 * @throws GoromdbError FILE_CHANGED when the file is no longer the one that was verified; it is
 *   then back in its place.
 */
export async function install(
  baseDir: string,
  name: SlotName,
  { file, sumFile, identity, record }: Installation,
): Promise<void> {
  const folder = join(baseDir, name);
  const data = join(folder, DATA_NAME);
  const incoming = join(folder, INCOMING_NAME);
  const isRenamed = await canRename(file, folder);
  if (!isRenamed) await copyDurably(file, incoming);
  await checkUnchanged(file, file, identity);
  await clearSlot(folder);
  await writeAtomically(join(folder, SUM_NAME), `${record.md5}  ${DATA_NAME}\n`);
  await rename(isRenamed ? file : incoming, data);
  await syncFile(data);
  await syncFolder(folder);
  if (isRenamed) await checkMoved(data, file, identity);
  await writeRecord(baseDir, name, record);
  await removeDrop(file, sumFile, identity, record.md5);
}

/** Removes what is left of a drop, but nothing that a producer has put there since. */
async function removeDrop(
  file: string,
  sumFile: string,
  identity: FileIdentity,
  md5: string,
): Promise<void> {
  if (await isSame(file, identity)) await remove(file);
  await removeSumOf(sumFile, md5, basename(file));
  await syncFolder(dirname(file));
}

/** Removes a sum file if it says this sum: another one belongs to the next file. */
export async function removeSumOf(sumFile: string, md5: string, name: string): Promise<void> {
  const bytes = await readSumFile(sumFile).catch(() => undefined);
  if (bytes !== undefined && parseSumFile(bytes, name) === md5) await remove(sumFile);
}

async function isSame(path: string, identity: FileIdentity): Promise<boolean> {
  const stats = await stat(path, { bigint: true }).catch(() => undefined);
  return stats !== undefined && sameContent(identityOf(stats), identity);
}

async function clearSlot(folder: string): Promise<void> {
  await remove(join(folder, SUM_NAME));
  await syncFolder(folder);
  await remove(join(folder, RECORD_NAME));
  await remove(join(folder, DATA_NAME));
  await syncFolder(folder);
}

async function checkUnchanged(at: string, file: string, identity: FileIdentity): Promise<void> {
  if (await isSame(at, identity)) return;
  throw new GoromdbError('FILE_CHANGED', `${file} has changed while it was loaded`);
}

/** A producer may have put another file in place just before the rename took it. */
async function checkMoved(data: string, file: string, identity: FileIdentity): Promise<void> {
  try {
    await checkUnchanged(data, file, identity);
  } catch (error) {
    await remove(join(dirname(data), SUM_NAME));
    const isReplaced = (await lstat(file).catch(() => undefined)) !== undefined;
    if (!isReplaced) await rename(data, file);
    throw error;
  }
}
