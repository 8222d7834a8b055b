import { GoromdbError, messageOf } from '../../common/errors.ts';
import { keyOfIdentity } from '../../common/file-identity.ts';
import type { Logger } from '../../common/log.ts';
import { explained } from '../../common/system-fault.ts';
import { forceMarkOf } from '../../watcher/force-mark.ts';
import { isVolumeLink } from '../../watcher/volume-link.ts';
import type { Drop } from '../../watcher/watcher.ts';
import type { Offer } from '../generations/source.ts';
import { rejectedPath, removeDrop, removeMark, setAside } from './drop-files.ts';
import { outcomeOf, type Receipts } from './receipt.ts';

/** What a drop is, for the loader. What becomes of it is written in its receipt. */
export function dropOffer(drop: Drop, receipts: Receipts, logger: Logger): Offer {
  const { file, md5, identity, force, isLinked } = drop;
  const subject = { file, md5, bytes: Number(identity.size), isLinked };
  return {
    ...{ name: file, path: file, identity, md5, force, isLinked },
    tell: (news) => receipts.say(subject, outcomeOf(news)),
    remove: async () => ((await takeAway(drop, logger)) ? undefined : keyOfIdentity(identity)),
    // A volume's files are others each time it is mounted: the MD5 identifies them.
    isLeft: async (text) => text === keyOfIdentity(identity) || (await isVolumeLink(file)),
    reject: async (why) => {
      const place = await quarantine(drop);
      if (place === undefined) return undefined;
      receipts.say(subject, { state: 'rejected', ...why, setAside: place.path });
      return place.text;
    },
  };
}

/** @returns Whether it is gone. */
async function takeAway(drop: Drop, logger: Logger): Promise<boolean> {
  const { file } = drop;
  if (await isVolumeLink(file)) {
    logger.info(
      `${file} is taken, and stays: it is a link that leads to a volume's next version, too`,
    );
    const left = await takeMark(drop);
    if (left !== undefined) logger.warn(left);
    return false;
  }
  try {
    await removeDrop(drop);
    return true;
  } catch (error) {
    logger.warn(
      `${file} is taken, but cannot be removed (${messageOf(explained(error, file))}): ` +
        'it stays there, and is not loaded again',
    );
    return false;
  }
}

/**
 * Puts a rejected file out of the way.
 *
 * @returns Where it is now, if it could be moved, and what the log says of that; undefined when another
 *   file is in its place already.
 */
async function quarantine(
  drop: Drop,
): Promise<{ readonly path: string | undefined; readonly text: string } | undefined> {
  const path = rejectedPath(drop.file);
  if (await isVolumeLink(drop.file)) {
    const left = await takeMark(drop);
    const mark = left === undefined ? '' : `; ${left}`;
    const text = `it stays, since its link leads to a volume's next version, too${mark}`;
    return { path: undefined, text };
  }
  try {
    await setAside(drop);
    return { path, text: `quarantined as ${path}` };
  } catch (cause) {
    if (cause instanceof GoromdbError && cause.code === 'FILE_CHANGED') return undefined;
    const why = messageOf(explained(cause, path));
    return { path: undefined, text: `it could not be quarantined (${why})` };
  }
}

/** Removes the mark of a drop that stays itself. @returns Why it is still there, or undefined. */
async function takeMark({ file, md5 }: Drop): Promise<string | undefined> {
  try {
    await removeMark(file, md5);
    return undefined;
  } catch (error) {
    const mark = forceMarkOf(file);
    const why = messageOf(explained(error, mark));
    return `${mark} cannot be removed, and holds for the next file as well (${why})`;
  }
}
