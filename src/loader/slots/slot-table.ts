import { closeSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { GoromdbError } from '../../common/errors.ts';
import { isAbsence } from '../../common/file-identity.ts';
import { remove } from '../../common/files.ts';
import { isSoundRegion, openToRead, readTableHead } from '../../storage/table/table-file.ts';
import type { TableLayout } from '../../storage/table/table-layout.ts';
import { openTableMap, type TableMap } from '../../storage/table/table-map.ts';

/** The dropped file, in its slot. */
export const DATA_NAME = 'data.db';
/** The table that was made of it, which is served. */
export const TABLE_NAME = 'table.mdb';
/** A table grows under this name. */
export const TABLE_INCOMING_NAME = 'table.mdb.incoming';
/** What versions before 0.2 served of a file that was larger than memory. */
const OLD_MAP_NAME = 'map.mdb';

/** Which table belongs to a slot's file, as the slot's record says it. */
export interface TableRecord {
  /** The options that the records were read with. */
  readonly recipe: string;
  /** The CRC-32 of the table's head, which has those of all the rest. */
  readonly headCrc32: number;
}

/** Whether what a record file says of a table makes sense. */
export function isTableRecord({ recipe, headCrc32 }: TableRecord): boolean {
  return typeof recipe === 'string' && Number.isSafeInteger(headCrc32);
}

/** Whether a crash, or an older version, left a file of this name in a slot. */
export function isTableLeftover(name: string): boolean {
  return [TABLE_INCOMING_NAME, 'mapping-', 'serving-', `${OLD_MAP_NAME}.`].some((start) =>
    name.startsWith(start),
  );
}

/** Gives a new table its name in the slot. The record is still to be written. */
export async function installTable(folder: string): Promise<void> {
  await rename(join(folder, TABLE_INCOMING_NAME), join(folder, TABLE_NAME));
  await remove(join(folder, OLD_MAP_NAME));
}

/** Removes what a slot serves, but for the file that was dropped. */
export async function removeTable(folder: string): Promise<void> {
  await remove(join(folder, TABLE_NAME));
  await remove(join(folder, OLD_MAP_NAME));
}

/**
 * Maps the table of a slot, if it is the recorded one and was made with the options that are asked for.
 * Head and index are checked; the checksums of the records are not.
 *
 * @returns undefined when there is no such table: it must be made of the slot's file.
 * @throws GoromdbError DATA_CORRUPT when it is damaged.
 */
export async function openSlotTable(
  folder: string,
  record: TableRecord | undefined,
  recipe: string,
): Promise<TableMap | undefined> {
  if (record?.recipe !== recipe) return undefined;
  const path = join(folder, TABLE_NAME);
  try {
    await checkIndex(path, record);
    return await openTableMap(path);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** Whether a slot has the recorded table, as far as head and index show. */
export async function isSoundTable(
  folder: string,
  record: TableRecord | undefined,
): Promise<boolean> {
  if (record === undefined) return false;
  return checkIndex(join(folder, TABLE_NAME), record).then(
    () => true,
    () => false,
  );
}

/** Checks all sums of a slot's table. @throws GoromdbError DATA_CORRUPT; what the file system throws. */
export async function checkSums(folder: string, record: TableRecord): Promise<void> {
  const path = join(folder, TABLE_NAME);
  const { segments } = await checkIndex(path, record);
  const fd = openToRead(path);
  try {
    for (const segment of segments) {
      if (await isSoundRegion(fd, segment)) continue;
      const message = `${path} is damaged: the CRC-32 of the records from byte ${segment.at} on is wrong`;
      throw new GoromdbError('DATA_CORRUPT', message);
    }
  } finally {
    closeSync(fd);
  }
}

async function checkIndex(path: string, record: TableRecord): Promise<TableLayout> {
  const fd = openToRead(path);
  try {
    const { layout, head } = readTableHead(path, fd);
    if (crc32(head) !== record.headCrc32) {
      const message = `${path}: expected the table that the slot's record names, found another one`;
      throw new GoromdbError('DATA_CORRUPT', message);
    }
    if (await isSoundRegion(fd, layout.index)) return layout;
    const message = `${path} is damaged: expected another CRC-32 of its index`;
    throw new GoromdbError('DATA_CORRUPT', message);
  } finally {
    closeSync(fd);
  }
}
