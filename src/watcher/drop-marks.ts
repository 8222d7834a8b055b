import { readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { readAtMost } from '../common/files.ts';
import { isBlank, parseSumFile, SUM_FILE_BYTES_MAX } from '../common/sum-file.ts';

/** The mark beside a file that overrides the guards. */
export function forceMarkOf(file: string): string {
  return `${file}.force`;
}

/**
 * Whether a drop is marked. An empty mark, as `touch` makes it, counts for the next file. A mark that
 * holds an MD5, as a sum file does, counts for the file with that MD5 only. A symbolic link does not
 * count.
 */
export async function isForced(file: string, md5: string): Promise<boolean> {
  const bytes = await readAtMost(forceMarkOf(file), SUM_FILE_BYTES_MAX + 1).catch(() => undefined);
  if (bytes === undefined || bytes.length > SUM_FILE_BYTES_MAX) return false;
  return isBlank(bytes) || parseSumFile(bytes, basename(file)) === md5;
}

/**
 * The link in a Kubernetes volume: `data.json` links to `..data/data.json`, and `..data` links to the
 * folder of a version. Kubernetes replaces `..data` in one step.
 */
export const VOLUME_LINK = '..data';

/** Whether a path is a file of such a volume. Its link must stay, so that later versions are found. */
export async function isVolumeLink(path: string): Promise<boolean> {
  const target = await readlink(path).catch(() => '');
  return target.startsWith(`${VOLUME_LINK}/`);
}
