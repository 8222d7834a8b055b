import { rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Built, buildTable } from '../../build/build.ts';
import { describeRow } from '../../build/rejected.ts';
import { GoromdbError } from '../../common/errors.ts';
import { oneLine } from '../../common/log.ts';
import { dropFile } from '../folders/drop-file.ts';
import type { RowRequest } from '../options/rows.ts';
import { contentKeyOf } from './file-watch.ts';
import { type LocalData, titleOf } from './local-data.ts';
import { makePrivateFolder } from './private-folder.ts';

/** What a table is called that was built. */
const TABLE_NAME = 'data.db';

/** The folders of a server of local data, which go when the process exits. */
export interface LocalFolders {
  /** Where the server waits for the data. */
  readonly file: string;
  readonly basedir: string;
  /** Where tables are built. */
  readonly workshop: string;
}

/** @throws GoromdbError FOLDER_UNUSABLE. */
export function makeLocalFolders({ inputs, rows }: LocalData): LocalFolders {
  const folder = makePrivateFolder('serve', ['drop', 'slots', 'build']);
  // Of a file that the server reads, the ending of the name may say what it is.
  const name = rows === undefined ? basename(inputs[0]) : TABLE_NAME;
  return {
    file: join(folder, 'drop', name),
    basedir: join(folder, 'slots'),
    workshop: join(folder, 'build'),
  };
}

/**
 * Drops local data for the server of its folders: as a table that is built of it, or as a copy.
 *
 * @returns What was built, if it was, and the key of the content that was read.
 * @throws GoromdbError as `buildTable` and `dropFile`; FILE_CHANGED when the data has changed meanwhile.
 *   Nothing is dropped then.
 */
export async function prepare(
  data: LocalData,
  folders: LocalFolders,
): Promise<{ readonly built: Built | undefined; readonly key: string | undefined }> {
  const paths = data.inputs.filter((input) => input !== '-');
  const key = await contentKeyOf(paths);
  const { file } = folders;
  if (data.rows === undefined) {
    const [source] = data.inputs;
    await dropFile({ source, file, force: false, checksSum: false, onProgress: () => {} });
    return { built: undefined, key };
  }
  const { built, path } = await buildIn(folders.workshop, data.inputs, data.rows);
  if ((await contentKeyOf(paths)) !== key) {
    const message = `${titleOf(data)} changed while it was read: it is read again when it is quiet`;
    throw new GoromdbError('FILE_CHANGED', message);
  }
  // The sum last, as every producer does.
  await rename(path, file);
  await rename(`${path}.md5`, `${file}.md5`);
  return { built, key };
}

/**
 * Builds a table in a folder of its own.
 *
 * @returns What was built, and where it is; its sum is beside it.
 * @throws GoromdbError as `buildTable`.
 */
export async function buildIn(
  folder: string,
  inputs: readonly string[],
  rows: RowRequest,
): Promise<{ readonly built: Built; readonly path: string }> {
  const path = join(folder, TABLE_NAME);
  return { built: await buildTable({ ...rows, inputs, out: path }), path };
}

/** What the person should know of a build that went well, a line each. */
export function remarksOf({ notices, rejected, firstRejected }: Built): readonly string[] {
  const left = firstRejected.map((row) => `left out: ${describeRow(row)}`);
  const more = rejected - left.length;
  const lines = [...notices, ...left, ...(more > 0 ? [`left out: ${more} other rows`] : [])];
  return lines.map(oneLine);
}
