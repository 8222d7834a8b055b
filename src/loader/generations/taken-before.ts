import { readSlots, type SlotName, type SlotRecord } from '../slots/slots.ts';
import type { LoaderParts } from './loader-parts.ts';
import type { Offer } from './source.ts';

/** A generation that an offer need not be loaded for again. */
export interface TakenBefore {
  readonly slot: SlotName;
  readonly record: SlotRecord;
  /**
   * Whether it is of this very offer, which its source could not remove: to load it again, as at the
   * next start, would undo a rollback. Else it serves, and was made of the same MD5 by the options of
   * today: to load the same again would only push out the generation to go back to.
   */
  readonly isLeft: boolean;
}

/** The file of the serving generation counts as sound, unless a scrub has found damage. */
export async function findTaken(
  { base, files, generations: { serving } }: LoaderParts,
  offer: Offer,
): Promise<TakenBefore | undefined> {
  let same: TakenBefore | undefined;
  for (const { name: slot, md5, record } of await readSlots(base.path, () => {})) {
    if (record === undefined || md5 !== offer.md5) continue;
    const { left, generation, table } = record;
    if (left !== undefined && (await offer.isLeft(left))) return { slot, record, isLeft: true };
    const isServing = slot === serving?.slot && generation === serving.generation;
    const isSound = serving?.fileFault === undefined && table?.recipe === files.recipe;
    if (isServing && isSound && !offer.force) same = { slot, record, isLeft: false };
  }
  return same;
}
