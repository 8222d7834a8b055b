import { basename } from 'node:path';
import { readAtMost } from '../common/read-at-most.ts';
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
