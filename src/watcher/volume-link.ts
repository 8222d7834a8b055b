import { readlink } from 'node:fs/promises';

/**
 * The link that a volume of Kubernetes leads all its files by: `data.json` is a link to
 * `..data/data.json`, and `..data` one to the folder of a version, which is replaced in one step.
 */
export const VOLUME_LINK = '..data';

/** Whether a path is such a file: its link stays, or no later version would be found. */
export async function isVolumeLink(path: string): Promise<boolean> {
  const target = await readlink(path).catch(() => '');
  return target.startsWith(`${VOLUME_LINK}/`);
}
