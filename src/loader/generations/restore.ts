import { GoromdbError, messageWithCode } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';
import type { DataSetInfo } from '../../storage/storage.ts';
import { type FilledSlot, readSlots } from '../slots/slots.ts';
import type { LoaderParts } from './loader-parts.ts';
import { loadSlot, rebuildSlot } from './slot-loads.ts';

/**
 * Puts a generation into service once more, because its table is damaged, if it still serves. If the
 * file in its slot is damaged too, the other slot's generation takes its place.
 *
 * @throws GoromdbError FILE_UNREADABLE when neither can be loaded.
 */
export async function repair(parts: LoaderParts, { generation }: DataSetInfo): Promise<void> {
  const { base, generations, logger } = parts;
  if (generations.serving?.generation !== generation) return;
  await base.check();
  const refuse = (name: string, error: unknown): void =>
    logger.error(
      `slot ${name} cannot be loaded again: ${messageWithCode(explained(error, base.path))}`,
    );
  const isDamaged = ({ record }: FilledSlot): boolean => record?.generation === generation;
  const filled = await readSlots(base.path, refuse);
  for (const slot of [...filled.filter(isDamaged), ...filled.filter((one) => !isDamaged(one))]) {
    try {
      const loaded = await (isDamaged(slot) ? rebuildSlot(parts, slot) : loadSlot(parts, slot));
      await generations.switchAgain(slot.name, loaded).finally(() => loaded.map.release());
      return;
    } catch (error) {
      refuse(slot.name, error);
    }
  }
  const message = `generation ${generation} is lost: no slot in ${base.path} holds a sound file`;
  throw new GoromdbError('FILE_UNREADABLE', message);
}
