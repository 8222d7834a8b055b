import { dirname } from 'node:path';
import { GoromdbError, messageOf, messageWithCode } from '../../common/errors.ts';
import { shareTable } from '../slots/install.ts';
import { installTable } from '../slots/slot-table.ts';
import { type FilledSlot, type SlotRecord, writeRecord } from '../slots/slots.ts';
import type { MadeTable } from '../worker/file-loads.ts';
import { type LoadedSlot, recordOf } from './loaded.ts';
import type { LoaderParts } from './loader-parts.ts';

/**
 * Maps the table of a slot, if there is a sound one; else makes it anew of the slot's file.
 *
 * @throws GoromdbError SUM_MISMATCH when the file is damaged, or as `FileLoads.run`.
 */
export async function loadSlot(parts: LoaderParts, slot: FilledSlot): Promise<LoadedSlot> {
  const { path, record } = slot;
  const startMs = performance.now();
  try {
    const map = await parts.files.open(dirname(path), record?.table);
    const seconds = { verify: (performance.now() - startMs) / 1000 };
    if (map !== undefined) return { record: record!, map, seconds };
  } catch (error) {
    parts.logger.error(`${messageWithCode(error)}; it is made anew of ${path}`);
  }
  return rebuildSlot(parts, slot);
}

/** Makes a slot's table anew of its file. @throws GoromdbError as `loadSlot`. */
export async function rebuildSlot(parts: LoaderParts, slot: FilledSlot): Promise<LoadedSlot> {
  const { path, md5 } = slot;
  const result = await parts.files.run({ path, md5, folder: dirname(path), mayBeNameless: true });
  if (result.kind === 'mismatch') {
    const sums = `the slot's MD5 file says ${md5}, the file has ${result.found}`;
    throw new GoromdbError('SUM_MISMATCH', `${path} is damaged: ${sums}`);
  }
  if (result.kind === 'changed') {
    throw new GoromdbError('FILE_CHANGED', `${path} is being written by another program`);
  }
  const { map, seconds } = result;
  return { record: await recordAgain(parts, slot, result), map, seconds };
}

/** Has a slot's record name its new table. */
async function recordAgain(
  { base, generations, logger }: LoaderParts,
  { name, path, md5, record }: FilledSlot,
  table: MadeTable,
): Promise<SlotRecord> {
  const made = recordOf(generations.nextNumber, { name: path, md5 }, table);
  const { keys, warnings, table: tableRecord } = made;
  const next = record === undefined ? made : { ...record, keys, warnings, table: tableRecord };
  try {
    await installTable(dirname(path));
    await writeRecord(base.path, name, next);
    if (table.isCopy) await shareTable(dirname(path));
  } catch (error) {
    const why = messageOf(error);
    logger.warn(`slot ${name} keeps no table (${why}): each start makes it anew`);
  }
  return next;
}
