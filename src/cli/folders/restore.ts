import { closeSync, fstatSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { identityOf } from '../../common/file-identity.ts';
import { remove } from '../../common/files.ts';
import type { Logger } from '../../common/log.ts';
import { explained } from '../../common/system-fault.ts';
import { findServer } from '../../control/control-client.ts';
import { inUse, lockFolder } from '../../control/folder-lock.ts';
import { prepareBase, prepareSlots, unmakeBase } from '../../loader/slots/base-folder.ts';
import { INCOMING_NAME, install } from '../../loader/slots/install.ts';
import { type OpenSlot, openSlot, type SlotFile } from '../../loader/slots/open-slot.ts';
import { copySummed, sumsOf } from '../../loader/slots/slot-copy.ts';
import { DATA_NAME, TABLE_INCOMING_NAME, TABLE_NAME } from '../../loader/slots/slot-table.ts';
import {
  leastNeededSlot,
  newestGeneration,
  readSlots,
  type SlotName,
  type SlotRecord,
} from '../../loader/slots/slots.ts';
import { longestValue } from '../../loader/worker/value-limit.ts';
import { checkTable } from '../../storage/table/table-check.ts';
import { openToRead } from '../../storage/table/table-file.ts';
import { headOf } from '../../storage/table/table-layout.ts';
import { BACKUP_SLOT, readSums } from './backup-sums.ts';

/** What was restored. */
export interface Restored {
  readonly slot: SlotName;
  readonly record: SlotRecord;
}

/**
 * Makes the generation of a backup the newest one of a base folder that no server uses. All files are
 * verified before anything in the folder gives way; then a slot is filled as by a server, so that a
 * crash leaves what was there or what was restored. The newest generation that was there stays.
 *
 * @param baseDir Made, if it is not there.
 * @param logger Notified when it was made.
 * @throws GoromdbError; then the folder serves what it did.
 */
export async function restore(
  backup: string,
  baseDir: string,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<Restored> {
  const sums = await readSums(backup);
  const slot = await openSlot(join(backup, BACKUP_SLOT)).catch((cause: unknown) => {
    throw unusable(backup, messageOf(explained(cause, backup)), cause);
  });
  if (slot === undefined) throw unusable(backup, `files of ${BACKUP_SLOT} are missing`);
  try {
    const isNew = await prepareBase(baseDir, logger);
    const lock = await lockFolder(baseDir);
    try {
      const server = await findServer(baseDir);
      if (server !== undefined) throw inUse(baseDir, server);
      await prepareSlots(baseDir);
      return await fillSlot(baseDir, { slot, sums, signal });
    } catch (error) {
      if (isNew) await unmakeBase(baseDir);
      throw error;
    } finally {
      await lock.release();
    }
  } finally {
    await slot.close();
  }
}

/** A backup that is open, and the SHA-256 that its files must have. */
interface Source {
  readonly slot: OpenSlot;
  readonly sums: ReadonlyMap<SlotFile, string>;
  readonly signal: AbortSignal;
}

async function fillSlot(baseDir: string, source: Source): Promise<Restored> {
  const name = leastNeededSlot(await readSlots(baseDir, () => {}));
  const folder = join(baseDir, name);
  const { left, ...old } = source.slot.record;
  const generation = Math.max(old.generation, (await newestGeneration(baseDir)) + 1);
  const restores = generation === old.generation ? old.restores : (old.restores ?? old.generation);
  const record = { ...old, generation, ...(restores === undefined ? {} : { restores }) };
  try {
    const staged = await stage(source, folder);
    await install(baseDir, name, { ...staged, record });
    return { slot: name, record };
  } catch (error) {
    for (const left of [INCOMING_NAME, TABLE_INCOMING_NAME]) {
      await remove(join(folder, left)).catch(() => {});
    }
    if (error instanceof GoromdbError) throw error;
    const why = messageOf(explained(error, folder));
    const message = `cannot restore to ${baseDir}: ${why}; what it held is as it was, or in its other slot`;
    throw new GoromdbError('FOLDER_UNUSABLE', message, { cause: error });
  }
}

/** Copies what the slot is to hold beside what it holds, and verifies the copies. */
async function stage({ slot, sums, signal }: Source, folder: string) {
  const { files, record } = slot;
  const expect = (name: SlotFile, { sha256 }: { readonly sha256: string }): void => {
    if (sha256 === sums.get(name)) return;
    const { path } = files.get(name)!;
    const message = `${path}: expected the SHA-256 ${sums.get(name)}, found ${sha256}; nothing was changed`;
    throw new GoromdbError('DATA_CORRUPT', message);
  };
  const table = join(folder, TABLE_INCOMING_NAME);
  for (const name of ['generation.json', 'data.db.md5'] as const) {
    expect(name, await sumsOf(files.get(name)!, signal));
  }
  expect(TABLE_NAME, await copySummed(files.get(TABLE_NAME)!, table, signal));
  checkCopy(table, files.get(TABLE_NAME)!.path, record.table.headCrc32);
  const data = files.get(DATA_NAME)!;
  // A dropped table is the slot's file and its table: the one copy gets both names.
  const isCopy = sums.get(DATA_NAME) === sums.get(TABLE_NAME);
  const incoming = join(folder, INCOMING_NAME);
  const found = isCopy ? await sumsOf(data, signal) : await copySummed(data, incoming, signal);
  expect(DATA_NAME, found);
  if (found.md5 !== record.md5) {
    const message = `${data.path}: expected the MD5 ${record.md5}, found ${found.md5}; nothing was changed`;
    throw new GoromdbError('DATA_CORRUPT', message);
  }
  if (isCopy) return { file: data.path, identity: data.identity, isCopy };
  const fd = openToRead(incoming);
  try {
    return { file: incoming, identity: identityOf(fstatSync(fd, { bigint: true })), isCopy };
  } finally {
    closeSync(fd);
  }
}

/**
 * A backup may have been anywhere: each record of its table is looked at, as if it was dropped.
 *
 * @param shown The path for messages.
 */
function checkCopy(copy: string, shown: string, headCrc32: number): void {
  const fd = openToRead(copy);
  try {
    const { size } = fstatSync(fd);
    const options = { valueBytesMax: longestValue(), onProgress: () => {} };
    const layout = checkTable({ path: shown, fd, size }, options);
    if (crc32(headOf(layout)) === headCrc32) return;
    throw new GoromdbError('DATA_CORRUPT', `${shown} is not the table that its record names`);
  } catch (cause) {
    if (!(cause instanceof GoromdbError)) throw cause;
    throw new GoromdbError(cause.code, `${cause.message}; nothing was changed`, { cause });
  } finally {
    closeSync(fd);
  }
}

function unusable(backup: string, found: string, cause?: unknown): GoromdbError {
  const message = `${backup}: expected a whole backup, found that ${found}; nothing was changed`;
  return new GoromdbError('FILE_UNREADABLE', message, { cause });
}
