import { GoromdbError, messageOf } from '../../common/errors.ts';
import {
  type FilledSlot,
  otherSlot,
  readSlots,
  type SlotName,
  type SlotRecord,
  writeRecord,
} from './slots.ts';

/**
 * What becomes of the generation before, when a newer one serves. `disk`, the default: it stays in its
 * slot, and a rollback swaps to it. `no`: it is deleted.
 */
export type KeepPrevious = 'disk' | 'no';

/** What a rollback came to. */
export interface RolledBack {
  readonly slot: SlotName;
  readonly record: SlotRecord;
  readonly seconds: number;
}

/** Why there is no rollback; the serving generation keeps serving. */
export function refused(why: string, cause?: unknown): GoromdbError {
  return new GoromdbError('ROLLBACK_REFUSED', `there is no rollback: ${why}`, { cause });
}

/**
 * The slot that a rollback goes back to.
 *
 * @param serving The slot that serves, or would serve at a start.
 * @throws GoromdbError ROLLBACK_REFUSED when there is nothing in the other slot.
 */
export async function findPrevious(
  baseDir: string,
  serving: SlotName,
): Promise<{ readonly previous: FilledSlot; readonly current: FilledSlot | undefined }> {
  let fault = '';
  const slots = await readSlots(baseDir, (_, error) => {
    fault = ` (${String(error)})`;
  });
  const previous = slots.find(({ name }) => name === otherSlot(serving));
  const current = slots.find(({ name }) => name === serving);
  if (previous !== undefined) return { previous, current };
  throw refused(`slot ${otherSlot(serving)} holds no generation to go back to${fault}`);
}

/** The record of a generation that is gone back to, under a new number. */
export function restored(record: SlotRecord, generation: number): SlotRecord {
  const restores = record.restores ?? record.generation;
  return { ...record, generation, installedAt: new Date().toISOString(), restores };
}

/**
 * Makes the generation in a slot the newest one.
 *
 * @throws GoromdbError ROLLBACK_REFUSED when the slot cannot be written; it is as it was then.
 */
export async function writeRestored(
  baseDir: string,
  slot: SlotName,
  record: SlotRecord,
): Promise<void> {
  try {
    await writeRecord(baseDir, slot, record);
  } catch (cause) {
    const what = `the record of slot ${slot} cannot be written (${messageOf(cause)})`;
    throw refused(`${what}: make room, or give write permission there, and ask again`, cause);
  }
}
