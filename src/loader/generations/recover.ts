import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { messageWithCode } from '../../common/errors.ts';
import { see } from '../../common/file-identity.ts';
import { explained } from '../../common/system-fault.ts';
import { correctReceipt, correctRejection, outcomeOf } from '../drops/receipt-correction.ts';
import { readSlots, removeSumOf, SLOT_NAMES, slotPath } from '../slots/slots.ts';
import type { LoaderParts } from './loader-parts.ts';

/** Where new files come. */
export interface DropPlace {
  readonly file: string;
  readonly sumFile: string;
}

/** What a start has found in the slots. */
export interface Recovery {
  readonly isServing: boolean;
  /** Why nothing serves although there was a generation. */
  readonly fault?: string;
}

/**
 * Puts the newest complete generation in the slots into service again, as at a start.
 *
 * @param drop A sum file that a crash left there is removed.
 */
export async function recover(parts: LoaderParts, drop: DropPlace): Promise<Recovery> {
  const { base, slots, generations, receipts, events, logger } = parts;
  let isRefused = false;
  const refuse = (name: string, error: unknown): void => {
    isRefused = true;
    const text = `slot ${name} is not used: ${messageWithCode(explained(error, base.path))}`;
    events.add('slot not used', text);
    logger.warn(text);
  };
  const filled = await readSlots(base.path, refuse);
  await generations.resume(filled);
  await correctRejection(receipts, drop.file);
  for (const slot of filled) {
    try {
      const loaded = await slots.load(slot);
      const { record, map } = loaded;
      const seconds = await generations
        .switch(slot.name, loaded, loaded.seconds)
        .finally(() => map.release());
      await removeLeftSum(drop, slot.md5);
      const outcome = outcomeOf(slot.name, record, seconds);
      await correctReceipt(receipts, drop.file, outcome, record);
      return { isServing: true };
    } catch (error) {
      const number = slot.record === undefined ? '' : ` (generation ${slot.record.generation})`;
      refuse(`${slot.name}${number}`, error);
    }
  }
  if (!isRefused && !hasHeldData(parts)) return { isServing: false };
  const fault =
    `no slot in ${base.path} holds a generation that can be served: every key is a miss until ` +
    `${drop.file} and its .md5 are dropped`;
  events.add('nothing to serve', fault);
  logger.error(fault);
  return { isServing: false, fault };
}

/** A crash in the first installation of all leaves the number 1, and no file. */
function hasHeldData({ base, generations }: LoaderParts): boolean {
  const hasFile = SLOT_NAMES.some((name) => existsSync(slotPath(base.path, name)));
  return hasFile || generations.nextNumber > 2;
}

/** Holds the generation before, if its table is sound as far as head and index tell. */
export async function lookBack({ base, files, generations }: LoaderParts): Promise<void> {
  const { serving } = generations;
  if (serving === undefined) return;
  const slots = await readSlots(base.path, () => {});
  const previous = slots.find(({ name }) => name !== serving.slot);
  if (previous === undefined) return;
  // What is wrong with it is told when it is asked for.
  const map = await files
    .open(dirname(previous.path), previous.record?.table)
    .catch(() => undefined);
  if (map === undefined) return;
  await generations.holdPrevious(previous, map).finally(() => map.release());
}

/** A crash may come after the file was moved and before its sum was removed. */
async function removeLeftSum({ file, sumFile }: DropPlace, md5: string): Promise<void> {
  // With a file beside it the sum belongs to a new drop, even if it is of the same content.
  if ((await see(file)).kind !== 'absent') return;
  await removeSumOf(sumFile, md5, basename(file)).catch(() => {});
}
