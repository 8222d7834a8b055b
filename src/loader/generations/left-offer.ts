import { readSlots, type SlotName, type SlotRecord, writeRecord } from '../slots/slots.ts';
import type { Offer } from './source.ts';

/**
 * Has an offer's source remove it, since a slot holds its content. If it stays, the slot's record says so:
 * to load it again, as at the next start, would undo a rollback.
 */
export async function removeOffer(
  baseDir: string,
  offer: Offer,
  slot: SlotName,
  record: SlotRecord,
): Promise<void> {
  const left = await offer.remove();
  if (left !== undefined) await writeRecord(baseDir, slot, { ...record, left }).catch(() => {});
}

/** The generation that an offer was taken as, if its source could not remove it then. */
export async function takenAs(baseDir: string, offer: Offer): Promise<number | undefined> {
  for (const { md5, record } of await readSlots(baseDir, () => {})) {
    if (md5 !== offer.md5 || record?.left === undefined) continue;
    if (await offer.isLeft(record.left)) return record.generation;
  }
  return undefined;
}
