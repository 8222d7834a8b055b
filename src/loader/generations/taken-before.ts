import { type FilledSlot, readSlots, type SlotName, type SlotRecord } from '../slots/slots.ts';
import type { LoaderParts } from './loader-parts.ts';
import type { Offer } from './source.ts';

/** A generation in its slot. */
export interface Kept {
  readonly slot: SlotName;
  readonly record: SlotRecord;
}

/** The generation that an offer was taken as, if its source could not remove it then. */
export async function takenAs(baseDir: string, offer: Offer): Promise<number | undefined> {
  for (const { md5, record } of await readSlots(baseDir, () => {})) {
    if (md5 !== offer.md5 || record?.left === undefined) continue;
    if (await offer.isLeft(record.left)) return record.generation;
  }
  return undefined;
}

/**
 * What serves, if it was made of this MD5 by the options of today, and its file is sound: to load the same
 * again would only push out the generation to go back to.
 */
export async function servedAlready(
  { base, files, generations: { serving } }: LoaderParts,
  { md5 }: Offer,
): Promise<Kept | undefined> {
  if (serving === undefined || serving.fileFault !== undefined) return undefined;
  const isServing = ({ name }: FilledSlot): boolean => name === serving.slot;
  const record = (await readSlots(base.path, () => {})).find(isServing)?.record;
  const isSame =
    record?.generation === serving.generation &&
    record.md5 === md5 &&
    record.table?.recipe === files.recipe;
  return isSame ? { slot: serving.slot, record } : undefined;
}
