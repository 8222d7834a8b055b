import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';

/**
 * Makes a folder that only this user may enter, in the folder that TMPDIR names. It goes when the
 * process exits. What a kill leaves behind is in nobody's way: each has a new name; see `removeKilledServers`.
 *
 * @param purpose A part of its name.
 * @param inner Folders to make in it.
 * @throws GoromdbError FOLDER_UNUSABLE.
 */
export function makePrivateFolder(purpose: string, inner: readonly string[] = []): string {
  try {
    const folder = mkdtempSync(join(tmpdir(), `goromdb-${purpose}-`));
    // The loader's process may write until it notices that this one has ended.
    process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
    for (const name of inner) mkdirSync(join(folder, name));
    return folder;
  } catch (cause) {
    const why = messageOf(explained(cause, tmpdir()));
    const message = `cannot make a temporary folder in ${tmpdir()}, which TMPDIR chooses: ${why}`;
    throw new GoromdbError('FOLDER_UNUSABLE', message, { cause });
  }
}
