import type { Drop, Verdict } from '../../watcher/watcher.ts';
import type { Subject } from '../drops/receipt.ts';
import { outcomeOf } from '../drops/receipt-correction.ts';
import { takeAway } from '../drops/take-away.ts';
import { readSlots, type SlotName, type SlotRecord } from '../slots/slots.ts';
import type { LoaderParts } from './loader-parts.ts';

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
  { md5 }: Drop,
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

/** Removes a drop whose sum is that of what serves, if that is its sum in truth. */
export async function takeSameAgain(
  parts: LoaderParts,
  drop: Drop,
  subject: Subject,
  { slot, record }: ServingSlot,
  signal: AbortSignal,
): Promise<Verdict> {
  const { files, receipts, events, logger } = parts;
  const { file: path, md5, identity: expected, isLinked } = drop;
  const follow = receipts.follow.bind(receipts, subject);
  const load = { path, md5, expected, isLinked, signal, follow };
  const result = await files.verify(load);
  if (result.kind !== 'verified') return result;
  // A scrub may have found damage meanwhile, which this drop can mend.
  if ((await servedAlready(parts, drop)) === undefined) return { kind: 'changed' };
  const text = `${path} is what generation ${record.generation} serves already (md5 ${md5}), and is not loaded again`;
  logger.info(text);
  events.add('serving', text);
  await takeAway(parts, drop, expected, slot, record);
  receipts.say(subject, outcomeOf(slot, record, result.seconds));
  return { kind: 'taken' };
}
