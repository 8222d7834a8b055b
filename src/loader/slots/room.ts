import { stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GoromdbError } from '../../common/errors.ts';
import { lackOf } from '../../common/quantities.ts';
import { TABLE_NAME } from './slot-table.ts';

/** What the slot's small files need, with what a file system needs for their names. */
const SLOT_BYTES = 64 * 1024;

/** What a load is going to need. */
export interface Need {
  /** Bytes of the file. */
  readonly fileBytes: number;
  /** Whether it will be copied, not renamed. */
  readonly isCopied: boolean;
  /** The file of the slot that it goes to, which gives way. */
  readonly slotFile: string;
  /** What serves now: it gives an estimate for the next table. */
  readonly serving: { readonly fileBytes: number; readonly tableBytes: number } | undefined;
}

/** Bytes of a table for a byte of its file: below are free pages in the file, above compressed ones. */
const RATIO_MIN = 1 / 8;
const RATIO_MAX = 8;

/**
 * Refuses to begin a load that cannot end well: it would cost minutes. What the table needs is an
 * estimate, and nothing where there is none before it: then the disk says so when it is full.
 *
 * @throws GoromdbError DISK_FULL.
 */
export async function checkRoom(need: Need, free = freeDisk): Promise<void> {
  const { fileBytes, isCopied, slotFile, serving } = need;
  const ratio = serving === undefined ? 0 : serving.tableBytes / Math.max(1, serving.fileBytes);
  const perByte = serving === undefined ? 0 : Math.min(RATIO_MAX, Math.max(RATIO_MIN, ratio));
  const diskBytes = Math.ceil(SLOT_BYTES + (isCopied ? fileBytes : 0) + fileBytes * perByte);
  const diskFree = await free(slotFile);
  if (diskFree >= diskBytes) return;
  const what = `free space for the slot in ${dirname(slotFile)}`;
  const message = `${lackOf(what, diskBytes, diskFree)}: make room on that disk`;
  throw new GoromdbError('DISK_FULL', message, { numbers: { diskBytes, diskFree } });
}

/**
 * Free space where a slot's files are to lie, with what those files give free. Where that cannot be
 * told, the installation will say what is wrong.
 */
async function freeDisk(slotFile: string): Promise<number> {
  const folder = dirname(slotFile);
  const space = await statfs(folder).catch(() => undefined);
  if (space === undefined) return Number.POSITIVE_INFINITY;
  const old = await Promise.all([bytesAt(slotFile), bytesAt(join(folder, TABLE_NAME))]);
  return space.bavail * space.bsize + old[0] + old[1];
}

async function bytesAt(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
