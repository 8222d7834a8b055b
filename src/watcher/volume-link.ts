import { readlink } from 'node:fs/promises';

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
