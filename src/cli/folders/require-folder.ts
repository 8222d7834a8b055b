import { stat } from 'node:fs/promises';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';

/** @throws GoromdbError FOLDER_UNUSABLE when there is no such folder. */
export async function requireFolder(path: string): Promise<void> {
  const stats = await stat(path).catch((cause: unknown) => {
    const why = messageOf(explained(cause, path));
    const message = `there is no base folder ${path} (${why}): check -basedir`;
    throw new GoromdbError('FOLDER_UNUSABLE', message, { cause });
  });
  if (stats.isDirectory()) return;
  throw new GoromdbError(
    'FOLDER_UNUSABLE',
    `${path}: expected a folder, found something else: check -basedir`,
  );
}
