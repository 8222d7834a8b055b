import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { readAtMost } from '../../common/files.ts';
import { explained } from '../../common/system-fault.ts';
import { SLOT_FILES, type SlotFile } from '../../loader/slots/open-slot.ts';
import type { Sums } from '../../loader/slots/slot-copy.ts';

/** A backup is a base folder with one slot. */
export const BACKUP_SLOT = 'data00';
/** Written last, in the form that `sha256sum -c` reads. */
export const BACKUP_SUMS_NAME = 'SHA256SUMS';
/** More than its four lines take. */
const SUMS_BYTES_MAX = 4096;

const LINE = /^([\da-f]{64}) {2}data00\/([\w.]+)$/;

/** The text of a backup's sums. */
export function textOfSums(sums: ReadonlyMap<SlotFile, Sums>): string {
  return [...sums].map(([name, { sha256 }]) => `${sha256}  ${BACKUP_SLOT}/${name}\n`).join('');
}

/**
 * The SHA-256 of each file of a backup.
 *
 * @throws GoromdbError FILE_UNREADABLE when the folder is none, or not a whole one.
 */
export async function readSums(backup: string): Promise<ReadonlyMap<SlotFile, string>> {
  const path = join(backup, BACKUP_SUMS_NAME);
  let text: string;
  try {
    const slot = await lstat(join(backup, BACKUP_SLOT));
    if (!slot.isDirectory()) throw new Error(`${BACKUP_SLOT} is not a folder`);
    text = (await readAtMost(path, SUMS_BYTES_MAX)).toString('latin1');
  } catch (cause) {
    const { code, path: absent } = cause as NodeJS.ErrnoException;
    // The folder itself may be there, such as a server's base folder.
    const found = code === 'ENOENT' ? `there is no ${absent}` : messageOf(explained(cause, backup));
    throw noBackup(backup, found, cause);
  }
  const sums = new Map<SlotFile, string>();
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [, sha256, file] = LINE.exec(line) ?? [];
    const name = SLOT_FILES.find((known) => known === file);
    if (name === undefined || sums.has(name)) {
      throw noBackup(backup, `${BACKUP_SUMS_NAME} has lines that a backup does not write`);
    }
    sums.set(name, sha256);
  }
  const missing = SLOT_FILES.filter((name) => !sums.has(name));
  if (missing.length === 0) return sums;
  throw noBackup(backup, `${BACKUP_SUMS_NAME} lacks ${missing.join(', ')}`);
}

function noBackup(backup: string, found: string, cause?: unknown): GoromdbError {
  const message = `${backup}: expected a folder that goromdb backup has made: ${found}; nothing was changed`;
  return new GoromdbError('FILE_UNREADABLE', message, { cause });
}
