import { type FileIdentity, keyOfIdentity } from '../../common/file-identity.ts';
import { isVolumeLink } from '../../watcher/volume-link.ts';
import type { Drop } from '../../watcher/watcher.ts';
import { readSlots, type SlotName, type SlotRecord, writeRecord } from '../slots/slots.ts';

/**
 * Has a slot's record say which drop was taken and could not be removed, so that it is not loaded again:
 * at the next start it would undo a rollback.
 */
export async function noteLeft(
  baseDir: string,
  slot: SlotName,
  record: SlotRecord,
  identity: FileIdentity,
): Promise<void> {
  await writeRecord(baseDir, slot, { ...record, left: keyOfIdentity(identity) });
}

/**
 * The generation that a drop was taken as, if it could not be removed then, and is untouched since. A
 * volume's files are others each time it is mounted: of them the sum tells.
 */
export async function generationLeft(
  baseDir: string,
  { file, md5, identity }: Drop,
): Promise<number | undefined> {
  const key = keyOfIdentity(identity);
  const isOfVolume = await isVolumeLink(file);
  const slots = await readSlots(baseDir, () => {});
  const found = slots.find(({ md5: held, record }) => {
    const left = record?.left;
    return held === md5 && left !== undefined && (left === key || isOfVolume);
  });
  return found?.record?.generation;
}
