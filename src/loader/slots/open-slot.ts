import { constants, type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { GoromdbError } from '../../common/errors.ts';
import { type FileIdentity, identityOf, isAbsence, isStill } from '../../common/file-identity.ts';
import { readFirst } from '../../common/files.ts';
import { parseSumFile, SUM_FILE_BYTES_MAX } from '../../common/sum-file.ts';
import { DATA_NAME, TABLE_NAME, type TableRecord } from './slot-table.ts';
import { parseRecord, RECORD_BYTES_MAX, RECORD_NAME, type SlotRecord, SUM_NAME } from './slots.ts';

/** The files that make a slot a generation which serves at once. */
export const SLOT_FILES = [SUM_NAME, RECORD_NAME, TABLE_NAME, DATA_NAME] as const;
export type SlotFile = (typeof SLOT_FILES)[number];

/** A file as it was opened. */
export interface OpenFile {
  readonly path: string;
  readonly handle: FileHandle;
  readonly identity: FileIdentity;
}

/** A generation whose files are open: they stay what they are, whatever becomes of the slot. */
export interface OpenSlot {
  readonly record: SlotRecord & { readonly table: TableRecord };
  readonly files: ReadonlyMap<SlotFile, OpenFile>;
  close(): Promise<void>;
}

/**
 * Opens the files of a slot. A server may replace the slot meanwhile: what was opened then lies in no
 * generation, and is closed again.
 *
 * @param folder The slot's folder.
 * @returns undefined when the slot is empty, or was replaced.
 * @throws GoromdbError FILE_UNREADABLE when it holds no generation with a table; what the file system
 *   throws.
 */
export async function openSlot(folder: string): Promise<OpenSlot | undefined> {
  const files = new Map<SlotFile, OpenFile>();
  const close = async (): Promise<void> => {
    for (const { handle } of files.values()) await handle.close();
  };
  let slot: OpenSlot | undefined;
  try {
    for (const name of SLOT_FILES) files.set(name, await openFile(join(folder, name)));
    const record = await readRecord(folder, files);
    // No file of a slot is written to, and none was moved: all were there together.
    const looks = [...files.values()].map(({ path, identity }) => isStill(path, identity));
    if ((await Promise.all(looks)).includes(false)) return undefined;
    if (record instanceof GoromdbError) throw record;
    slot = { record, files, close };
    return slot;
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  } finally {
    if (slot === undefined) await close();
  }
}

/** A link or a FIFO in the place of a file is refused. */
async function openFile(path: string): Promise<OpenFile> {
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
  const handle = await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code !== 'ELOOP') throw cause;
    throw unreadable(`${path}: expected a file, found a symbolic link`);
  });
  const stats = await handle.stat({ bigint: true });
  if (stats.isFile()) return { path, handle, identity: identityOf(stats) };
  await handle.close();
  throw unreadable(`${path}: expected a file, found something else`);
}

/** What the slot's record says; or why it does not belong to the slot's file. */
async function readRecord(
  folder: string,
  files: ReadonlyMap<SlotFile, OpenFile>,
): Promise<OpenSlot['record'] | GoromdbError> {
  const first = (name: SlotFile, bytes: number): Promise<Buffer> =>
    readFirst(files.get(name)!.handle, bytes);
  const md5 = parseSumFile(await first(SUM_NAME, SUM_FILE_BYTES_MAX + 1), DATA_NAME);
  const record = parseRecord(await first(RECORD_NAME, RECORD_BYTES_MAX));
  if (md5 === undefined) return unreadable(`${join(folder, SUM_NAME)} holds no MD5`);
  if (record?.md5 !== md5 || record.table === undefined) {
    const what = `a record of the file with MD5 ${md5} and its table`;
    const advice = 'start a server on it, which makes them, and try again';
    return unreadable(`${join(folder, RECORD_NAME)}: expected ${what}, found none: ${advice}`);
  }
  return { ...record, table: record.table };
}

function unreadable(message: string): GoromdbError {
  return new GoromdbError('FILE_UNREADABLE', message);
}
