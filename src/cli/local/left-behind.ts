import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { lockFolder } from '../../control/folder-lock.ts';

/** A folder of a server of local data, as `makePrivateFolder` names it. */
const NAME = /^goromdb-serve-[A-Za-z0-9]{6}$/;
/** One that is being made has no lock yet. */
const AGE_MS_MIN = 24 * 60 * 60 * 1000;
/** Folders that are removed at one start: each may hold much. */
const FOLDERS_MAX = 16;

/**
 * Removes folders of servers of local data that were killed: of this user only, a day old, and with slots
 * that no server holds. What cannot be removed is nothing to fail for.
 */
export async function removeKilledServers(): Promise<void> {
  // Elsewhere there is no lock that says whether a server runs.
  if (process.platform !== 'linux') return;
  try {
    const names = readdirSync(tmpdir()).filter((name) => NAME.test(name));
    const old = names.map((name) => join(tmpdir(), name)).filter(isOld);
    for (const folder of old.slice(0, FOLDERS_MAX)) await removeIfFree(folder);
  } catch {
    // The folder cannot be read, or belongs to others.
  }
}

function isOld(folder: string): boolean {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (found === undefined || !found.isDirectory()) return false;
  return found.uid === process.geteuid?.() && Date.now() - found.mtimeMs > AGE_MS_MIN;
}

/** Holds the slots meanwhile: whoever else removes it, or serves from it, has them. */
async function removeIfFree(folder: string): Promise<void> {
  const lock = await lockFolder(join(folder, 'slots')).catch(() => undefined);
  if (lock === undefined) return;
  try {
    rmSync(folder, { recursive: true, force: true });
  } finally {
    await lock.release();
  }
}
