import { GoromdbError, messageWithCode } from '../errors.ts';
import type { Logger } from '../log.ts';
import { type FilledSlot, readSlots } from './slots.ts';

/**
 * Loads a generation once more, because its memory is lost or damaged. If its slot is damaged too,
 * the other slot's generation takes its place.
 *
 * @param load Verifies and loads what a slot holds.
 * @throws GoromdbError FILE_UNREADABLE when neither can be loaded.
 */
export async function loadAgain<Loaded>(
  baseDir: string,
  generation: number,
  load: (slot: FilledSlot) => Promise<Loaded>,
  logger: Logger,
): Promise<{ readonly slot: FilledSlot; readonly loaded: Loaded }> {
  const refuse = (name: string, error: unknown): void =>
    logger.error(`slot ${name} cannot be loaded again: ${messageWithCode(error)}`);
  const isLost = ({ record }: FilledSlot): boolean => record?.generation === generation;
  const slots = await readSlots(baseDir, refuse);
  for (const slot of [...slots.filter(isLost), ...slots.filter((one) => !isLost(one))]) {
    try {
      return { slot, loaded: await load(slot) };
    } catch (error) {
      refuse(slot.name, error);
    }
  }
  const message = `generation ${generation} is lost: no slot in ${baseDir} holds a sound file`;
  throw new GoromdbError('FILE_UNREADABLE', message);
}
