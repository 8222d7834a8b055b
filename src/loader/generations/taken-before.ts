import { readSlots, type SlotName, type SlotRecord, writeRecord } from '../slots/slots.ts';
import type { LoaderParts } from './loader-parts.ts';
import type { Offer, Verdict } from './source.ts';
import { followLoad } from './tell-progress.ts';

/**
 * What there is to say of an offer that need not be loaded: it was taken and could not be removed, and to
 * load it again, as at the next start, would undo a rollback; or it is what serves, and to load the same
 * again would only push out the generation to go back to.
 *
 * @returns undefined: it is to be loaded.
 */
export async function takenBefore(
  parts: LoaderParts,
  offer: Offer,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  for (const { md5, record } of await readSlots(parts.base.path, () => {})) {
    if (md5 !== offer.md5 || record?.left === undefined) continue;
    if (!(await offer.isLeft(record.left))) continue;
    const taken = `${offer.name} was taken as generation ${record.generation}`;
    parts.logger.warn(`${taken}, and is not loaded again`);
    return { kind: 'taken' };
  }
  if (offer.force || (await servedAlready(parts, offer)) === undefined) return undefined;
  return takeSameAgain(parts, offer, signal);
}

/** Has an offer's source remove it, since a slot holds its content, or says in its record that it stays. */
export async function removeOffer(
  baseDir: string,
  offer: Offer,
  slot: SlotName,
  record: SlotRecord,
): Promise<void> {
  const left = await offer.remove();
  if (left !== undefined) await writeRecord(baseDir, slot, { ...record, left }).catch(() => {});
}

/** The record of what serves, if it was made of this MD5 by the options of today, and its file is sound. */
async function servedAlready(
  { base, files, generations: { serving } }: LoaderParts,
  { md5 }: Offer,
): Promise<{ readonly slot: SlotName; readonly record: SlotRecord } | undefined> {
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
async function takeSameAgain(
  parts: LoaderParts,
  offer: Offer,
  signal: AbortSignal,
): Promise<Verdict> {
  const { base, files, events, logger } = parts;
  const result = await files.verify({ ...followLoad(offer), isBeside: true, signal });
  if (result.kind !== 'verified') return result;
  // A scrub may have found damage meanwhile, which this offer can mend.
  const same = await servedAlready(parts, offer);
  if (same === undefined) return { kind: 'changed' };
  const { slot, record } = same;
  const what = `what generation ${record.generation} serves already (md5 ${record.md5})`;
  const text = `${offer.name} is ${what}, and is not loaded again`;
  logger.info(text);
  events.add('serving', text);
  await removeOffer(base.path, offer, slot, record);
  offer.tell({ state: 'serving', slot, record, seconds: result.seconds });
  return { kind: 'taken' };
}
