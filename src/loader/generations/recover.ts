import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageWithCode } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';
import { type FilledSlot, readSlots, SLOT_NAMES, slotPath } from '../slots/slots.ts';
import type { LoaderParts } from './loader-parts.ts';
import { loadSlot } from './slot-loads.ts';
import type { InService } from './source.ts';

/** What a start has found in the slots. */
export interface Recovery {
  readonly isServing: boolean;
  /** Why nothing serves although there was a generation. */
  readonly fault?: string;
}

/** Puts the newest complete generation in the slots into service again, as at a start. */
export async function recover(parts: LoaderParts): Promise<Recovery> {
  const { base, generations, source, events, logger } = parts;
  let isRefused = false;
  const refuse = (name: string, error: unknown): undefined => {
    isRefused = true;
    const text = `slot ${name} is not used: ${messageWithCode(explained(error, base.path))}`;
    events.add('slot not used', text);
    logger.warn(text);
  };
  const filled = await readSlots(base.path, refuse);
  await generations.resume(filled);
  for (const slot of filled) {
    const number = slot.record === undefined ? '' : ` (generation ${slot.record.generation})`;
    const now = await serve(parts, slot).catch((error: unknown) =>
      refuse(`${slot.name}${number}`, error),
    );
    if (now === undefined) continue;
    await source.resume(now);
    return { isServing: true };
  }
  await source.resume(undefined);
  if (!isRefused && !hasHeldData(parts)) return { isServing: false };
  const fault =
    `no slot in ${base.path} holds a generation that can be served: every key is a miss until ` +
    source.wanted;
  events.add('nothing to serve', fault);
  logger.error(fault);
  return { isServing: false, fault };
}

async function serve(parts: LoaderParts, slot: FilledSlot): Promise<InService> {
  const loaded = await loadSlot(parts, slot);
  return parts.generations.switch(slot.name, loaded).finally(() => loaded.map.release());
}

/** A crash in the first installation of all leaves the number 1, and no file. */
function hasHeldData({ base, generations }: LoaderParts): boolean {
  const hasFile = SLOT_NAMES.some((name) => existsSync(slotPath(base.path, name)));
  return hasFile || generations.nextNumber > 2;
}

/** Holds the generation before, if its table is sound as far as head and index show. */
export async function lookBack({ base, files, generations }: LoaderParts): Promise<void> {
  const { serving } = generations;
  if (serving === undefined) return;
  const slots = await readSlots(base.path, () => {});
  const previous = slots.find(({ name }) => name !== serving.slot);
  if (previous === undefined) return;
  // What is wrong with it is reported by a rollback.
  const map = await files
    .open(dirname(previous.path), previous.record?.table)
    .catch(() => undefined);
  if (map === undefined) return;
  await generations.holdPrevious(previous, map).finally(() => map.release());
}
