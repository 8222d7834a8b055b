import { lstatSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { remove } from '../common/files.ts';

/** What `temporaryFor` puts into a name. */
const UUID = '[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12}';
/** Another build may be at work on the same file: none writes nothing for so long. */
const AGE_MS_MIN = 24 * 60 * 60 * 1000;

/**
 * Removes temporary files of earlier builds of a file that were killed: of this user only, and only what
 * nobody has written to for a day. A folder that cannot be read, or a file that cannot be removed, is
 * nothing to fail for.
 */
export async function removeLeftBehind(path: string): Promise<void> {
  const folder = dirname(path);
  const name = basename(path).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(`^\\.${name}(?:\\.md5|\\.rejected\\.jsonl)?\\.${UUID}\\.tmp$`);
  let names: readonly string[] = [];
  try {
    names = readdirSync(folder).filter((one) => pattern.test(one));
  } catch {
    return;
  }
  for (const one of names.map((found) => join(folder, found))) {
    if (isLeftBehind(one)) await remove(one).catch(() => {});
  }
}

function isLeftBehind(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || !found.isFile() || found.nlink !== 1) return false;
  return found.uid === process.geteuid?.() && Date.now() - found.mtimeMs > AGE_MS_MIN;
}
