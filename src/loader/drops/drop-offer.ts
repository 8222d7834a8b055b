import { rename } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { isChange, messageOf } from '../../common/errors.ts';
import { checkStill, isStill, keyOfIdentity } from '../../common/file-identity.ts';
import { remove, syncFolder } from '../../common/files.ts';
import type { Logger } from '../../common/log.ts';
import { parseSumFile, readSumFile } from '../../common/sum-file.ts';
import { explained } from '../../common/system-fault.ts';
import type { Drop } from '../../watcher/drop.ts';
import { forceMarkOf, isForced, isVolumeLink } from '../../watcher/drop-marks.ts';
import type { Offer } from '../generations/source.ts';
import { outcomeOf, type Receipts } from './receipt.ts';

/** What identifies a drop's files. */
type DropFiles = Pick<Drop, 'file' | 'sumFile' | 'md5' | 'identity'>;

/** What a drop is, for the loader. What becomes of it is written in its receipt. */
export function dropOffer(drop: Drop, receipts: Receipts, logger: Logger): Offer {
  const { file, md5, identity, force, isLinked } = drop;
  const subject = { file, md5, bytes: Number(identity.size), isLinked };
  return {
    ...{ name: file, path: file, identity, md5, force, isLinked },
    notify: (news) => receipts.say(subject, outcomeOf(news)),
    remove: async () => ((await removeTaken(drop, logger)) ? undefined : keyOfIdentity(identity)),
    // A volume's files are others each time it is mounted: the MD5 identifies them.
    isLeft: async (text) => text === keyOfIdentity(identity) || (await isVolumeLink(file)),
    reject: async (why) => {
      const place = await reject(drop);
      if (place === undefined) return undefined;
      receipts.say(subject, { state: 'rejected', ...why, quarantined: place.path });
      return place.text;
    },
  };
}

/** @returns Whether it is gone. */
async function removeTaken(drop: Drop, logger: Logger): Promise<boolean> {
  const { file } = drop;
  if (await isVolumeLink(file)) {
    logger.info(
      `${file} is taken, and stays: it is a link that leads to a volume's next version, too`,
      { event: 'drop-stays', path: file },
    );
    const fault = await removeMarkOnly(drop);
    if (fault !== undefined) logger.warn(fault, { event: 'drop-stays', path: file });
    return false;
  }
  try {
    await removeDrop(drop);
    return true;
  } catch (error) {
    logger.warn(
      `${file} is taken, but cannot be removed (${messageOf(explained(error, file))}): ` +
        'it stays there, and is not loaded again',
      { event: 'drop-stays', path: file },
    );
    return false;
  }
}

/**
 * Quarantines a rejected file, unless it is a volume's.
 *
 * @returns Where it is now, if it could be moved, and what the log says of that; undefined when another
 *   file is in its place already.
 */
async function reject(
  drop: Drop,
): Promise<{ readonly path: string | undefined; readonly text: string } | undefined> {
  const path = rejectedPath(drop.file);
  if (await isVolumeLink(drop.file)) {
    const fault = await removeMarkOnly(drop);
    const mark = fault === undefined ? '' : `; ${fault}`;
    const text = `it stays, since its link leads to a volume's next version, too${mark}`;
    return { path: undefined, text };
  }
  try {
    await quarantine(drop);
    return { path, text: `quarantined as ${path}` };
  } catch (cause) {
    if (isChange(cause)) return undefined;
    const why = messageOf(explained(cause, path));
    return { path: undefined, text: `it could not be quarantined (${why})` };
  }
}

/** Removes the mark of a drop that stays itself. @returns Why it is still there, or undefined. */
async function removeMarkOnly({ file, md5 }: Drop): Promise<string | undefined> {
  try {
    await removeMark(file, md5);
    return undefined;
  } catch (error) {
    const mark = forceMarkOf(file);
    const why = messageOf(explained(error, mark));
    return `${mark} cannot be removed (${why}): it counts for the next file as well`;
  }
}

/**
 * Removes what is left of a drop that a slot holds, but nothing that a producer has put there since.
 * Its mark goes first: it must not count for the next file.
 */
export async function removeDrop({ file, sumFile, md5, identity }: DropFiles): Promise<void> {
  await removeMark(file, md5);
  if (await isStill(file, identity)) await remove(file);
  await removeSumOf(sumFile, md5, basename(file));
  await syncFolder(dirname(file));
}

/** Removes a sum file if it says this MD5: another one belongs to the next file. */
export async function removeSumOf(sumFile: string, md5: string, name: string): Promise<void> {
  if (await saysSum(sumFile, md5, name)) await remove(sumFile);
}

/** The name of a file in quarantine. */
export function rejectedPath(file: string): string {
  return `${file}.rejected`;
}

/**
 * Renames a rejected file, and its sum file with it.
 *
 * @throws GoromdbError FILE_CHANGED when another file is in its place, which stays.
 */
export async function quarantine({ file, sumFile, md5, identity }: DropFiles): Promise<void> {
  await checkStill(file, identity);
  await removeMark(file, md5);
  const path = rejectedPath(file);
  await rename(file, path);
  const hasSum = await saysSum(sumFile, md5, basename(file));
  if (hasSum) await rename(sumFile, `${path}.md5`);
}

/** Removes the mark of a drop that was served or rejected: it must not count for the next one. */
async function removeMark(file: string, md5: string): Promise<void> {
  if (await isForced(file, md5)) await remove(forceMarkOf(file));
}

/** Whether a sum file says this MD5. @param name That of the file which it is for. */
export async function saysSum(sumFile: string, md5: string, name: string): Promise<boolean> {
  const bytes = await readSumFile(sumFile).catch(() => undefined);
  return bytes !== undefined && parseSumFile(bytes, name) === md5;
}
