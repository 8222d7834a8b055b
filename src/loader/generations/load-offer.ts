import { dirname } from 'node:path';
import { GoromdbError } from '../../common/errors.ts';
import { bounded } from '../../common/notices.ts';
import { clearSlot, isFilled } from '../slots/install.ts';
import { type SlotName, slotPath } from '../slots/slots.ts';
import type { FileLoads } from '../worker/file-loads.ts';
import { admitOffer, admitTable } from './admission.ts';
import { takenAs } from './left-offer.ts';
import { infoOf, recordOf } from './loaded.ts';
import type { LoaderParts } from './loader-parts.ts';
import { servedAlready, takeSameAgain } from './same-again.ts';
import { settled } from './settled.ts';
import type { Offer, Verdict } from './source.ts';
import { type OfferRules, removeIncoming, Staged } from './staged.ts';
import { followLoad } from './tell-progress.ts';

/**
 * Makes the table of an offer in the idle slot: verify, scan, index, guards. Whatever is wrong with it,
 * the serving generation keeps serving.
 *
 * @param signal Aborts it.
 * @param number The generation that it is to be, above all before; undefined: the next one, and none for
 *   what serves already.
 * @returns The table, held, or what the offer came to.
 * @throws What says nothing about the file, such as a full disk: the offer stays.
 */
export async function stageOffer(
  parts: LoaderParts,
  rules: OfferRules,
  offer: Offer,
  signal: AbortSignal,
  number?: number,
): Promise<Staged | Verdict> {
  const { base, generations, logger } = parts;
  const taken = await takenAs(base.path, offer);
  if (taken !== undefined) {
    logger.warn(`${offer.name} was taken as generation ${taken}, and is not loaded again`);
    return { kind: 'taken' };
  }
  const slot = generations.nextSlot;
  let isHeld = false;
  try {
    const result = await settled(parts, offer, signal, async () => {
      const isNew = offer.force || number !== undefined;
      const same = isNew ? undefined : await servedAlready(parts, offer);
      if (same !== undefined) return takeSameAgain(parts, offer, same, signal);
      return makeCandidate(parts, rules, offer, { slot, number, signal });
    });
    isHeld = result.kind === 'staged';
    return result;
  } finally {
    if (!isHeld) await removeIncoming(base.path, slot);
  }
}

/** How a candidate is made. */
interface Making {
  readonly slot: SlotName;
  readonly number: number | undefined;
  readonly signal: AbortSignal;
}

async function makeCandidate(
  parts: LoaderParts,
  rules: OfferRules,
  offer: Offer,
  { slot, number, signal }: Making,
): Promise<Staged | Verdict> {
  const { base, generations } = parts;
  const generation = generations.numberFor(number);
  // The table is written in the slot: no other folder may be in its place.
  await base.openSlot(slot);
  await admitOffer(offer, slotPath(base.path, slot), generations.standing);
  const made = await makeTable(parts, offer, slot, signal);
  if (made.kind !== 'table') return made;
  try {
    const info = infoOf(recordOf(generation, offer, made), made.map);
    const more = await admitTable(offer, { ...made, info }, generations.standing, rules);
    const notices = [...made.notices, ...more.map(bounded)];
    return new Staged(parts, rules, offer, { slot, generation, made: { ...made, notices } });
  } catch (error) {
    made.map.release();
    throw error;
  }
}

/** On a full disk, the generation that the slot holds gives way. */
async function makeTable(
  { base, files, generations }: LoaderParts,
  offer: Offer,
  slot: SlotName,
  signal: AbortSignal,
): ReturnType<FileLoads['run']> {
  const folder = dirname(slotPath(base.path, slot));
  const isBeside = generations.serving !== undefined;
  const load = { ...followLoad(offer), folder, isBeside, signal };
  try {
    return await files.run(load);
  } catch (error) {
    const isFull = error instanceof GoromdbError && error.code === 'DISK_FULL';
    if (!isFull || !(await isFilled(folder))) throw error;
    generations.releasePrevious();
    await clearSlot(folder);
    return await files.run(load);
  }
}
