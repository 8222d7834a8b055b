import { lstat, rename, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GoromdbError } from '../../common/errors.ts';
import {
  type FileIdentity,
  identityOf,
  isAbsence,
  sameContent,
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
import { areWarnings } from '../../common/notices.ts';
import { readAtMost } from '../../common/read-at-most.ts';
import type { GenerationStatus } from '../../common/status.ts';
import { forceMarkOf, isForced } from '../../watcher/force-mark.ts';
import { parseSumFile, readSumFile } from '../../watcher/sum-file.ts';
import {
  DATA_NAME,
  installTable,
  isTableRecord,
  removeTable,
  TABLE_INCOMING_NAME,
  TABLE_NAME,
  type TableRecord,
} from './slot-table.ts';

/** The two folders that generations take turns in. */
export const SLOT_NAMES = ['data00', 'data01'] as const;
export type SlotName = (typeof SLOT_NAMES)[number];

const SUM_NAME = 'data.db.md5';
const RECORD_NAME = 'generation.json';
/** A record of a longer path than this is found out anew. */
const RECORD_BYTES_MAX = 64 * 1024;
/** A copy from another file system grows under this name. */
export const INCOMING_NAME = 'data.db.incoming';

/** What a slot holds, as its record file says it. */
export interface SlotRecord extends Omit<GenerationStatus, 'slot'> {
  /** Tells the dropped file, which could not be removed, from the next one: see `noteLeft`. */
  readonly left?: string | undefined;
  /** What is served of the file; undefined: an older version filled the slot. */
  readonly table?: TableRecord | undefined;
}

/** What is told of the generation in a slot. */
export function generationOf(slot: SlotName, record: SlotRecord): GenerationStatus {
  const { left, table, ...told } = record;
  return { slot, ...told };
}

/** A slot whose file and sum are there. Whether they match is still to be verified. */
export interface FilledSlot {
  readonly name: SlotName;
  readonly path: string;
  readonly md5: string;
  /** Undefined when another program filled the slot. */
  readonly record: SlotRecord | undefined;
  /** When it was installed; without a record, when the file was last written. Since 1970. */
  readonly timeMs: number;
}

/** The slot that a generation does not live in. */
export function otherSlot(name: SlotName): SlotName {
  return name === 'data00' ? 'data01' : 'data00';
}

/**
 * The slot for the next file while neither serves: an empty one, or the one with the older file.
 * What could not be served with today's flags may be sound under others.
 *
 * @param filled What `readSlots` gave.
 */
export function leastNeededSlot(filled: readonly FilledSlot[]): SlotName {
  const [newest] = filled;
  return newest === undefined ? 'data00' : otherSlot(newest.name);
}

/** Path of a slot's data file. */
export function slotPath(baseDir: string, name: SlotName): string {
  return join(baseDir, name, DATA_NAME);
}

/**
 * The slots that hold a file with its sum, the newest first. Generation numbers tell; with a slot
 * that another program filled, time does.
 *
 * @param onFault Told of a slot that is there and cannot be read; it counts as empty.
 */
export async function readSlots(
  baseDir: string,
  onFault: (name: SlotName, error: unknown) => void,
): Promise<readonly FilledSlot[]> {
  const slots = await Promise.all(
    SLOT_NAMES.map((name) =>
      readSlot(baseDir, name).catch((error: unknown) => {
        onFault(name, error);
        return undefined;
      }),
    ),
  );
  return slots.filter((slot) => slot !== undefined).sort(newestFirst);
}

function newestFirst(a: FilledSlot, b: FilledSlot): number {
  if (a.record === undefined || b.record === undefined) return b.timeMs - a.timeMs;
  return b.record.generation - a.record.generation;
}

async function readSlot(baseDir: string, name: SlotName): Promise<FilledSlot | undefined> {
  const folder = join(baseDir, name);
  const path = join(folder, DATA_NAME);
  try {
    const md5 = parseSumFile(await readSumFile(join(folder, SUM_NAME)), DATA_NAME);
    const { mtimeMs } = await stat(path);
    if (md5 === undefined) return undefined;
    const found = await readRecord(baseDir, name);
    const record = found?.md5 === md5 ? found : undefined;
    const timeMs = record === undefined ? mtimeMs : Date.parse(record.installedAt);
    return { name, path, md5, record, timeMs };
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** The highest generation number that a slot's record has, whatever became of the slot's file. */
export async function newestGeneration(baseDir: string): Promise<number> {
  const records = await Promise.all(SLOT_NAMES.map((name) => readRecord(baseDir, name)));
  return Math.max(0, ...records.map((record) => record?.generation ?? 0));
}

/** @returns undefined also for a file that is no record: what it says is then found out anew. */
async function readRecord(baseDir: string, name: SlotName): Promise<SlotRecord | undefined> {
  try {
    const record: unknown = JSON.parse(
      (await readAtMost(join(baseDir, name, RECORD_NAME), RECORD_BYTES_MAX)).toString('utf8'),
    );
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is SlotRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { generation, md5, bytes, keys, format, source, installedAt, warnings, table } =
    value as SlotRecord;
  return (
    [generation, bytes, keys].every((count) => Number.isSafeInteger(count) && count >= 0) &&
    [md5, format, source, installedAt].every((text) => typeof text === 'string') &&
    !Number.isNaN(Date.parse(installedAt)) &&
    areWarnings(warnings) &&
    (table === undefined || isTableRecord(table))
  );
}

/** Writes a slot's record, which gives the slot's file its generation number. */
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
  readonly identity: FileIdentity;
  readonly record: SlotRecord;
  /** Whether the slot's new table is the file itself, copied. Default: no. */
  readonly isCopy?: boolean;
}

/**
 * Moves a verified file into a slot that does not serve; a file that cannot be moved is copied and
 * stays, and so does one whose copy is the slot's new table. The order is what makes a crash harmless: the old sum goes first, so that the slot counts
 * as empty; record and sum come before the file, so that the file's arrival, one rename, makes the
 * slot a complete generation. Nothing that needs room on the disk comes after it.
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
    await checkUnchanged(file, file, identity);
  };
  try {
    const isMovable = !isCopy && (await canRename(file, folder));
    if (isMovable) await checkUnchanged(file, file, identity);
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
 * Removes what is left of a drop that was installed, but nothing that a producer has put there
 * since. Its mark goes first: it must not hold for the next file.
 */
export async function removeDrop(
  { file, sumFile, md5 }: { readonly file: string; readonly sumFile: string; readonly md5: string },
  identity: FileIdentity,
): Promise<void> {
  await removeMark(file, md5);
  if (await isSame(file, identity)) await remove(file);
  await removeSumOf(sumFile, md5, basename(file));
  await syncFolder(dirname(file));
}

/** Removes a sum file if it says this sum: another one belongs to the next file. */
export async function removeSumOf(sumFile: string, md5: string, name: string): Promise<void> {
  if (await saysSum(sumFile, md5, name)) await remove(sumFile);
}

/** Where a bad file is put. */
export function rejectedPath(file: string): string {
  return `${file}.rejected`;
}

/**
 * Puts a bad file out of the way, and its sum beside it.
 *
 * @throws GoromdbError FILE_CHANGED when another file is in its place, which stays.
 */
export async function setAside(
  { file, sumFile, md5 }: { readonly file: string; readonly sumFile: string; readonly md5: string },
  identity: FileIdentity,
): Promise<void> {
  await checkUnchanged(file, file, identity);
  await removeMark(file, md5);
  const aside = rejectedPath(file);
  await rename(file, aside);
  const hasSum = await saysSum(sumFile, md5, basename(file));
  if (hasSum) await rename(sumFile, `${aside}.md5`);
}

/** Removes the mark of a drop that was served or rejected: it must not hold for the next one. */
export async function removeMark(file: string, md5: string): Promise<void> {
  if (await isForced(file, md5)) await remove(forceMarkOf(file));
}

async function saysSum(sumFile: string, md5: string, name: string): Promise<boolean> {
  const bytes = await readSumFile(sumFile).catch(() => undefined);
  return bytes !== undefined && parseSumFile(bytes, name) === md5;
}

async function isSame(path: string, identity: FileIdentity): Promise<boolean> {
  const stats = await stat(path, { bigint: true }).catch(() => undefined);
  return stats !== undefined && sameContent(identityOf(stats), identity);
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

async function checkUnchanged(at: string, file: string, identity: FileIdentity): Promise<void> {
  if (!(await isSame(at, identity))) throw hasChanged(file);
}

function hasChanged(file: string): GoromdbError {
  return new GoromdbError('FILE_CHANGED', `${file} has changed while it was loaded`);
}

/**
 * Makes a move last, and takes it back if that fails or if what was moved is not what was verified:
 * a producer may have put another file in place just before the rename took it.
 */
async function checkMoved(data: string, file: string, identity: FileIdentity): Promise<void> {
  try {
    // A link may lead to the file that was verified, which could change later.
    const isMovedFile = (await lstat(data)).isFile() && (await isSame(data, identity));
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
