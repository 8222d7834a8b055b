import { readSlots, type SlotName, type SlotRecord } from '../slots/slots.ts';
import { removeOffer } from './left-offer.ts';
import type { LoaderParts } from './loader-parts.ts';
import type { Offer, Verdict } from './source.ts';
import { followLoad } from './tell-progress.ts';

/** A generation that serves, in its slot. */
interface ServingSlot {
  readonly slot: SlotName;
  readonly record: SlotRecord;
}

/**
 * What serves, if it was made of a file of this sum, by the options of today, and that file is sound: to
 * load the same again would only push out the generation to go back to.
 */
export async function servedAlready(
  { base, files, generations }: LoaderParts,
  { md5 }: Offer,
): Promise<ServingSlot | undefined> {
  const { serving } = generations;
  if (serving === undefined || serving.fileFault !== undefined) return undefined;
  const slots = await readSlots(base.path, () => {});
  const record = slots.find(({ name }) => name === serving.slot)?.record;
  const isSame =
    record?.generation === serving.generation &&
    record.md5 === md5 &&
    record.table?.recipe === files.recipe;
  return isSame ? { slot: serving.slot, record } : undefined;
}

/** Removes an offer that has the MD5 of what serves, if it has it in truth. */
export async function takeSameAgain(
  parts: LoaderParts,
  offer: Offer,
  { slot, record }: ServingSlot,
  signal: AbortSignal,
): Promise<Verdict> {
  const { base, files, events, logger } = parts;
  const result = await files.verify({ ...followLoad(offer), isBeside: true, signal });
  if (result.kind !== 'verified') return result;
  // A scrub may have found damage meanwhile, which this offer can mend.
  if ((await servedAlready(parts, offer)) === undefined) return { kind: 'changed' };
  const text = `${offer.name} is what generation ${record.generation} serves already (md5 ${record.md5}), and is not loaded again`;
  logger.info(text);
  events.add('serving', text);
  await removeOffer(base.path, offer, slot, record);
  offer.tell({ state: 'serving', slot, record, seconds: result.seconds });
  return { kind: 'taken' };
}
