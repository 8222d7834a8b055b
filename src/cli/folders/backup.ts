import { randomUUID } from 'node:crypto';
import { lstat, mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GoromdbError, messageOf, messageWithCode } from '../../common/errors.ts';
import { folderKey, syncFolder, writeAtomically } from '../../common/files.ts';
import { explained } from '../../common/system-fault.ts';
import { checkSlot } from '../../loader/slots/base-folder.ts';
import { type OpenSlot, openSlot } from '../../loader/slots/open-slot.ts';
import { copySlot } from '../../loader/slots/slot-copy.ts';
import { checkSums, DATA_NAME } from '../../loader/slots/slot-table.ts';
import { readSlots, type SlotName, type SlotRecord } from '../../loader/slots/slots.ts';
import { BACKUP_SLOT, BACKUP_SUMS_NAME, textOfSums } from './backup-sums.ts';

/** Looks at a slot that a server replaces at the same time: each takes less than a millisecond. */
const LOOKS_MAX = 25;
const LOOK_PAUSE_MS = 20;

/** What a backup came to. */
export interface BackedUp {
  readonly slot: SlotName;
  readonly record: SlotRecord;
  /** Why a newer generation was passed over. */
  readonly warnings: readonly string[];
}

/**
 * Copies the newest sound generation of a base folder, which a server may use meanwhile, and verifies
 * the copy. It grows under another name, and gets its own when it is whole and on the disk.
 *
 * @param target Must not be there; the folder that it lies in must.
 * @throws GoromdbError; then there is no target.
 */
export async function backUp(
  baseDir: string,
  target: string,
  signal: AbortSignal,
): Promise<BackedUp> {
  await refuseTarget(target);
  const warnings: string[] = [];
  const passedOver = new Set<number>();
  for (;;) {
    const { name, slot } = await openNewest(baseDir, passedOver);
    try {
      await copyTo(target, slot, signal);
      return { slot: name, record: slot.record, warnings };
    } catch (error) {
      if (!(error instanceof GoromdbError) || error.code !== 'DATA_CORRUPT') {
        throw cannotBackUp(target, error);
      }
      const { generation } = slot.record;
      passedOver.add(generation);
      warnings.push(`generation ${generation} in slot ${name} is not sound: ${error.message}`);
    } finally {
      await slot.close();
    }
  }
}

async function refuseTarget(target: string): Promise<void> {
  const there = await lstat(target).catch(() => undefined);
  if (there !== undefined) {
    const message = `${target} is there already: expected a new name for the backup; nothing was changed`;
    throw new GoromdbError('FOLDER_UNUSABLE', message);
  }
  if ((await folderKey(dirname(target))) !== undefined) return;
  const message = `cannot make ${target}: expected the folder ${dirname(target)} to be there, and it is not`;
  throw new GoromdbError('FOLDER_UNUSABLE', message);
}

/** @param passedOver Generations that are not sound. */
async function openNewest(
  baseDir: string,
  passedOver: ReadonlySet<number>,
): Promise<{ readonly name: SlotName; readonly slot: OpenSlot }> {
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    let fault: unknown;
    const filled = await readSlots(baseDir, (_, error) => {
      fault = error;
    });
    const wanted = filled.find(({ record }) => !passedOver.has(record?.generation ?? 0));
    if (wanted === undefined) {
      const why = fault === undefined ? '' : ` (${messageWithCode(explained(fault, baseDir))})`;
      const what = passedOver.size === 0 ? 'a generation' : 'a sound generation';
      const message = `no slot in ${baseDir} holds ${what}${why}: there is nothing to back up`;
      throw new GoromdbError('FILE_UNREADABLE', message);
    }
    const { name } = wanted;
    await checkSlot(baseDir, name);
    const slot = await openSlot(join(baseDir, name));
    if (slot !== undefined) return { name, slot };
    await delay(LOOK_PAUSE_MS);
  }
  const message =
    `the slots in ${baseDir} hold no generation with a table, or change all the time: start a ` +
    'server on it, which makes the table, or try again';
  throw new GoromdbError('FILE_UNREADABLE', message);
}

/** @throws GoromdbError DATA_CORRUPT when the slot is not sound. */
async function copyTo(target: string, slot: OpenSlot, signal: AbortSignal): Promise<void> {
  // Nobody can have put something in the way of a name that was never seen.
  const partial = join(dirname(target), `.${basename(target)}.${randomUUID()}.partial`);
  await mkdir(partial, { mode: 0o700 });
  try {
    const folder = join(partial, BACKUP_SLOT);
    await mkdir(folder, { mode: 0o700 });
    const sums = await copySlot(slot, folder, signal);
    await verify(slot, folder, sums.get(DATA_NAME)!.md5);
    await syncFolder(folder);
    await writeAtomically(join(partial, BACKUP_SUMS_NAME), textOfSums(sums));
    await rename(partial, target);
    await syncFolder(dirname(target));
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {});
    throw error;
  }
}

/** The file by its MD5, the table, as it was copied, by its sums. */
async function verify({ record, files }: OpenSlot, folder: string, md5: string): Promise<void> {
  if (md5 !== record.md5) {
    const { path } = files.get(DATA_NAME)!;
    const message = `${path}: expected the MD5 ${record.md5}, found ${md5}`;
    throw new GoromdbError('DATA_CORRUPT', message);
  }
  await checkSums(folder, record.table);
}

function cannotBackUp(target: string, cause: unknown): GoromdbError {
  const message = `cannot make ${target}: ${messageOf(explained(cause, target))}; nothing is left of it`;
  const code = cause instanceof GoromdbError ? cause.code : 'FOLDER_UNUSABLE';
  return new GoromdbError(code, message, { cause });
}
