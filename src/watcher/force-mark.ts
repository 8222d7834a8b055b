import { basename } from 'node:path';
import { readAtMost } from '../common/read-at-most.ts';
import { isBlank, parseSumFile, SUM_FILE_BYTES_MAX } from '../common/sum-file.ts';

/** The mark beside a file that says: take it although a guard would refuse it. */
export function forceMarkOf(file: string): string {
  return `${file}.force`;
}

/**
 * Whether a drop is marked. An empty mark, as `touch` makes it, holds for whatever is dropped next; one
 * that names an MD5, as a sum file does, holds for the file of that sum only, so that it cannot outlive
 * it. A mark that is a symbolic link is none.
 */
export async function isForced(file: string, md5: string): Promise<boolean> {
  const bytes = await readAtMost(forceMarkOf(file), SUM_FILE_BYTES_MAX + 1).catch(() => undefined);
  if (bytes === undefined || bytes.length > SUM_FILE_BYTES_MAX) return false;
  return isBlank(bytes) || parseSumFile(bytes, basename(file)) === md5;
}
