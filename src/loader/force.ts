import { lstat, readFile } from 'node:fs/promises';
import type { Drop } from '../watcher/watcher.ts';
import { remove } from './folder.ts';

/** A mark is empty, or a sum; what is longer is something else. */
const MARK_BYTES_MAX = 4_096;

/** Where the mark that overrides guards lies. */
function forceMarkOf(file: string): string {
  return `${file}.force`;
}

/**
 * Whether somebody wants a drop to be served in spite of the guards. A mark that holds an MD5 is
 * meant for the file with that sum; an empty one, for whichever is judged next.
 */
export async function isForced({ file, md5 }: Pick<Drop, 'file' | 'md5'>): Promise<boolean> {
  const path = forceMarkOf(file);
  try {
    const stats = await lstat(path);
    if (!stats.isFile() || stats.size > MARK_BYTES_MAX) return false;
    const text = (await readFile(path, { encoding: 'utf8' })).trim().toLowerCase();
    return text === '' || text.split(/\s+/)[0] === md5;
  } catch {
    return false;
  }
}

/** Takes away the mark of a drop that was judged, so that it does not force the next one. */
export async function removeForceMark(drop: Pick<Drop, 'file' | 'md5'>): Promise<void> {
  if (await isForced(drop)) await remove(forceMarkOf(drop.file));
}
