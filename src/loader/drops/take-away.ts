import { messageOf } from '../../common/errors.ts';
import type { FileIdentity } from '../../common/file-identity.ts';
import type { Logger } from '../../common/log.ts';
import { explained } from '../../common/system-fault.ts';
import { forceMarkOf } from '../../watcher/force-mark.ts';
import { isVolumeLink } from '../../watcher/volume-link.ts';
import type { Drop } from '../../watcher/watcher.ts';
import type { BaseFolder } from '../slots/base-folder.ts';
import { removeDrop, removeMark, type SlotName, type SlotRecord } from '../slots/slots.ts';
import { noteLeft } from './left-drop.ts';

/** Removes the mark of a drop that stays itself. @returns Why it is still there, or undefined. */
export async function takeMark({ file, md5 }: Drop): Promise<string | undefined> {
  try {
    await removeMark(file, md5);
    return undefined;
  } catch (error) {
    const mark = forceMarkOf(file);
    const why = messageOf(explained(error, mark));
    return `${mark} cannot be removed, and holds for the next file as well (${why})`;
  }
}

/**
 * Removes a drop that serves. One that stays is noted in its slot's record, so that it is not loaded
 * again.
 *
 * @param record That of the slot which serves it.
 */
export async function takeAway(
  { base, logger }: { readonly base: Pick<BaseFolder, 'path'>; readonly logger: Logger },
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
    const left = await takeMark(drop);
    if (left !== undefined) logger.warn(left);
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
