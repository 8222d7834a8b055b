import { GoromdbError, messageWithCode } from '../errors.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import type { ServedTable } from '../storage/table.ts';
import { explained } from '../system-fault.ts';
import type { LoaderParts } from './loader-parts.ts';
import { type FilledSlot, readSlots } from './slots.ts';

/**
 * Loads a generation once more, because its memory is lost or damaged. If its slot is damaged too,
 * the other slot's generation takes its place.
 *
 * @returns What is to be swapped in.
 * @throws GoromdbError FILE_UNREADABLE when neither can be loaded.
 */
export async function loadAgain(
  { base, slots, generations, logger }: LoaderParts,
  { generation }: DataSetInfo,
): Promise<ServedTable> {
  const refuse = (name: string, error: unknown): void =>
    logger.error(
      `slot ${name} cannot be loaded again: ${messageWithCode(explained(error, base.path))}`,
    );
  const isLost = ({ record }: FilledSlot): boolean => record?.generation === generation;
  const filled = await readSlots(base.path, refuse);
  for (const slot of [...filled.filter(isLost), ...filled.filter((one) => !isLost(one))]) {
    try {
      return await generations.takeAgain(slot.name, await slots.load(slot));
    } catch (error) {
      refuse(slot.name, error);
    }
  }
  const message = `generation ${generation} is lost: no slot in ${base.path} holds a sound file`;
  throw new GoromdbError('FILE_UNREADABLE', message);
}

/** Puts a generation whose memory is damaged into service once more, if it serves still. */
export async function heal(parts: LoaderParts, damaged: DataSetInfo): Promise<void> {
  const { base, generations } = parts;
  if (generations.serving?.generation !== damaged.generation) return;
  await base.check();
  await generations.swapAgain(await loadAgain(parts, damaged));
}
