import { messageOf } from '../errors.ts';
import { explained } from '../system-fault.ts';
import type { FileIdentity } from '../watcher/identity.ts';
import { isVolumeLink } from '../watcher/volume-link.ts';
import type { Drop } from '../watcher/watcher.ts';
import { noteLeft } from './left-drop.ts';
import type { LoaderParts } from './loader-parts.ts';
import { removeDrop, type SlotName, type SlotRecord } from './slots.ts';

/**
 * Removes a drop that serves. One that stays is noted in its slot's record, so that it is not loaded
 * again.
 *
 * @param record That of the slot which serves it.
 */
export async function takeAway(
  { base, logger }: Pick<LoaderParts, 'base' | 'logger'>,
  drop: Drop,
  identity: FileIdentity,
  slot: SlotName,
  record: SlotRecord,
): Promise<void> {
  const { file } = drop;
  const note = (): Promise<void> => noteLeft(base.path, slot, record, identity).catch(() => {});
  if (await isVolumeLink(file)) {
    logger.info(
      `${file} is taken, and stays: it is a link that leads to a volume's next version, too`,
    );
    await note();
    return;
  }
  await removeDrop(drop, identity).catch(async (error: unknown) => {
    logger.warn(
      `${file} is taken, but cannot be removed (${messageOf(explained(error, file))}): ` +
        'it stays there, and is not loaded again',
    );
    await note();
  });
}
