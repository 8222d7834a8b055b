import { rename } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { checkStill, isStill } from '../../common/file-identity.ts';
import { remove, syncFolder } from '../../common/files.ts';
import { parseSumFile, readSumFile } from '../../common/sum-file.ts';
import { forceMarkOf, isForced } from '../../watcher/force-mark.ts';
import type { Drop } from '../../watcher/watcher.ts';

/** What identifies a drop's files. */
type DropFiles = Pick<Drop, 'file' | 'sumFile' | 'md5' | 'identity'>;

/**
 * Removes what is left of a drop that a slot holds, but nothing that a producer has put there since.
 * Its mark goes first: it must not hold for the next file.
 */
export async function removeDrop({ file, sumFile, md5, identity }: DropFiles): Promise<void> {
  await removeMark(file, md5);
  if (await isStill(file, identity)) await remove(file);
  await removeSumOf(sumFile, md5, basename(file));
  await syncFolder(dirname(file));
}

/** Removes a sum file if it says this sum: another one belongs to the next file. */
export async function removeSumOf(sumFile: string, md5: string, name: string): Promise<void> {
  if (await saysSum(sumFile, md5, name)) await remove(sumFile);
}

/** Where a rejected file is put. */
export function rejectedPath(file: string): string {
  return `${file}.rejected`;
}

/**
 * Puts a rejected file out of the way, and its sum beside it.
 *
 * @throws GoromdbError FILE_CHANGED when another file is in its place, which stays.
 */
export async function setAside({ file, sumFile, md5, identity }: DropFiles): Promise<void> {
  await checkStill(file, identity);
  await removeMark(file, md5);
  const aside = rejectedPath(file);
  await rename(file, aside);
  const hasSum = await saysSum(sumFile, md5, basename(file));
  if (hasSum) await rename(sumFile, `${aside}.md5`);
}

/** Removes the mark of a drop that was served or rejected: it must not hold for the next one. */
export async function removeMark(file: string, md5: string): Promise<void> {
  if (await isForced(file, md5)) await remove(forceMarkOf(file));
}

/** Whether a sum file says this sum. @param name That of the file which it is for. */
export async function saysSum(sumFile: string, md5: string, name: string): Promise<boolean> {
  const bytes = await readSumFile(sumFile).catch(() => undefined);
  return bytes !== undefined && parseSumFile(bytes, name) === md5;
}
