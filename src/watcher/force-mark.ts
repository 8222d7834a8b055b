import { readSumFile } from './sum-file.ts';

/** The mark beside a file that says: take it although a guard would refuse it. */
export function forceMarkOf(file: string): string {
  return `${file}.force`;
}

/**
 * Whether a drop is marked. An empty mark, as `touch` makes it, holds for whatever is dropped next; one
 * that begins with an MD5 holds for the file of that sum only, so that it cannot outlive it.
 */
export async function isForced(file: string, md5: string): Promise<boolean> {
  const bytes = await readSumFile(forceMarkOf(file)).catch(() => undefined);
  if (bytes === undefined) return false;
  const text = bytes.toString('latin1').trim().toLowerCase();
  return text === '' || text.startsWith(md5);
}
