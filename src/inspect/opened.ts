import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { GoromdbError, isBadFile } from '../common/errors.ts';
import { type FileIdentity, identityOf, isAbsence, sameContent } from '../common/file-identity.ts';
import { TABLE_NAME } from '../loader/slots/slot-table.ts';
import { type FilledSlot, readSlots } from '../loader/slots/slots.ts';
import type { ScanInput } from '../storage/scanners/scanner.ts';
import { readTableHead } from '../storage/table/table-file.ts';
import { cannotRead, type Place, placeOf, slotOf } from './place.ts';

/** A server may put another generation into a slot just when it is opened. */
const TRIES_MAX = 3;

/** A file that is open to be read, and stays what it is when its name goes to another one. */
export interface Opened {
  readonly input: ScanInput;
  readonly identity: FileIdentity;
  /** The slot that it lies in; undefined: it is a file by itself. */
  readonly slot: FilledSlot | undefined;
  /** Whether it is the table that the slot's record names: its head was compared. */
  readonly isServed: boolean;
}

/**
 * Opens what a text of the command line names, and closes it when `use` is done. No lock is taken and
 * nothing is written: a server may run on the folder.
 *
 * @param onNotice Called when a slot was given to another generation meanwhile.
 * @throws GoromdbError FILE_UNREADABLE; FILE_CHANGED when the file was written to meanwhile; what `use`
 *   throws.
 */
export async function withOpened<T>(
  text: string,
  onNotice: (text: string) => void,
  use: (opened: Opened) => Promise<T>,
): Promise<T> {
  const opened = await openPlace(await placeOf(text));
  try {
    const result = await use(opened);
    checkUnchanged(opened);
    const notice = await replacedNotice(opened);
    if (notice !== undefined) onNotice(notice);
    return result;
  } catch (error) {
    // A file that is written to while it is read can look corrupt without being so.
    if (isBadFile(error)) checkUnchanged(opened);
    throw error;
  } finally {
    closeSync(opened.input.fd);
  }
}

async function openPlace(place: Place): Promise<Opened> {
  if (place.kind === 'file') return openFile(place.path, undefined, false);
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const slot = await slotOf(place.baseDir, place.which);
    const opened = openSlot(slot);
    const now = await slotOf(place.baseDir, place.which).catch(() => undefined);
    if (opened !== undefined && isSameGeneration(slot, now)) return opened;
    if (opened !== undefined) closeSync(opened.input.fd);
  }
  const message = `${place.baseDir}: the slots were given to other generations while they were read: try again`;
  throw new GoromdbError('FILE_CHANGED', message);
}

function isSameGeneration(one: FilledSlot, other: FilledSlot | undefined): boolean {
  return one.name === other?.name && one.md5 === other.md5 && one.timeMs === other.timeMs;
}

/** @returns undefined when nothing is there any more. */
function openSlot(slot: FilledSlot): Opened | undefined {
  try {
    return openServed(slot) ?? openFile(slot.path, slot, false);
  } catch (error) {
    if (error instanceof GoromdbError && isAbsence(error.cause)) return undefined;
    throw error;
  }
}

/** @returns undefined when the slot has no table, or another one than its record names. */
function openServed(slot: FilledSlot): Opened | undefined {
  const { table } = slot.record ?? {};
  if (table === undefined) return undefined;
  let opened: Opened | undefined;
  try {
    opened = openFile(join(dirname(slot.path), TABLE_NAME), slot, true);
    const { path, fd } = opened.input;
    if (crc32(readTableHead(path, fd).head) === table.headCrc32) return opened;
  } catch {
    // The file that it was made of is read.
  }
  if (opened !== undefined) closeSync(opened.input.fd);
  return undefined;
}

/** A FIFO in its place must not block. */
function openFile(path: string, slot: FilledSlot | undefined, isServed: boolean): Opened {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(fd, { bigint: true });
    if (!stats.isFile()) throw new Error('it is not a regular file');
    const identity = identityOf(stats);
    return { input: { path, fd, size: Number(identity.size) }, identity, slot, isServed };
  } catch (cause) {
    if (fd !== undefined) closeSync(fd);
    throw cannotRead(path, cause);
  }
}

function checkUnchanged({ input, identity }: Opened): void {
  if (sameContent(identityOf(fstatSync(input.fd, { bigint: true })), identity)) return;
  const message = `${input.path} changed while it was read: read it again when it is quiet`;
  throw new GoromdbError('FILE_CHANGED', message);
}

/** What is read is open: whoever takes its name away does not change it. */
async function replacedNotice({ slot, input }: Opened): Promise<string | undefined> {
  if (slot === undefined) return undefined;
  const now = await readSlots(dirname(dirname(slot.path)), () => {});
  // After a rollback the same file has another number.
  if (now.some(({ name, md5 }) => name === slot.name && md5 === slot.md5)) return undefined;
  const what = slot.record === undefined ? 'its file' : `generation ${slot.record.generation}`;
  return `${input.path}: the slot was given to another file meanwhile; ${what} was read to the end`;
}
