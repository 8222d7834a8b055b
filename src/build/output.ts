import { randomUUID } from 'node:crypto';
import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GoromdbError } from '../common/errors.ts';
import { remove, replaceFile, syncFolder } from '../common/files.ts';
import { md5Of } from '../common/md5.ts';
import type { Repeats } from '../storage/table/table-index.ts';
import { TableWriter } from '../storage/table/table-writer.ts';
import { OUTPUTS } from './expand.ts';
import { writeJsonLines } from './jsonl-output.ts';
import { removeLeftBehind } from './left-behind.ts';
import { writeLmdb } from './lmdb-output.ts';
import { type ReadBack, readTable } from './read-back.ts';

/** A table that was written, before it has its name. */
export interface Finished {
  readonly keys: number;
  readonly bytes: number;
  /** undefined: every key came once. */
  readonly repeats: Repeats | undefined;
}

/** What the file is, and how it is made. */
export interface OutputPlan {
  readonly path: string;
  readonly format: 'table' | 'lmdb' | 'jsonl';
  /** Which of several records with one key. */
  readonly keeps: 'first' | 'last';
  /** Adds the records. */
  readonly fill: (writer: TableWriter) => Promise<void>;
  /** Called with the finished table, before the file takes its name. What it throws ends the build. */
  readonly check: (finished: Finished) => void;
}

/**
 * Writes a file and its sum file, each by a temporary name and a rename, the sum last: whatever happens
 * there is the old file or the new one, never a part. Any format but a table is made of a table, which
 * finds the keys that come again.
 *
 * @returns The table, and the size and MD5 of the file.
 * @throws GoromdbError DISK_FULL, FOLDER_UNUSABLE, LIMIT_EXCEEDED, OUT_OF_MEMORY, FORMAT_UNSUPPORTED;
 *   what the file system, `fill` and `check` throw. No temporary file is left then.
 */
export async function writeOutput(plan: OutputPlan): Promise<Finished & { readonly md5: string }> {
  const { path } = plan;
  checkPlace(path);
  await removeLeftBehind(path);
  const sumPath = `${path}.md5`;
  const [table, temporary, temporarySum] = [path, path, sumPath].map(temporaryFor);
  try {
    const { md5, ...finished } = await writeTable(table, temporary, plan);
    // Both are on the disk before one takes its name: it may be full.
    await replaceFile(temporarySum, `${md5}  ${basename(path)}\n`, { isFlushed: true });
    const bytes = statSync(temporary).size;
    await rename(temporary, path);
    await rename(temporarySum, sumPath);
    await syncFolder(dirname(path));
    return { ...finished, bytes, md5 };
  } catch (error) {
    for (const one of [table, temporary, temporarySum]) await remove(one).catch(() => {});
    throw error;
  }
}

/** Before all is read. A rename would put a file in the place of a device such as /dev/null. */
function checkPlace(path: string): void {
  if (!existsSync(dirname(path))) {
    const message = `cannot write ${path}: expected a folder ${dirname(path)}, found none`;
    throw new GoromdbError('FOLDER_UNUSABLE', message);
  }
  for (const place of OUTPUTS.map((ending) => `${path}${ending}`)) {
    const found = statSync(place, { throwIfNoEntry: false });
    if (found === undefined || found.isFile()) continue;
    const kind = found.isDirectory() ? 'a folder' : 'a device, a pipe or a socket';
    const message = `cannot write ${place}: expected a file or nothing there, found ${kind}`;
    throw new GoromdbError('FOLDER_UNUSABLE', message);
  }
}

/** Makes the table, and the file of it if that is another one. */
async function writeTable(
  table: string,
  target: string,
  { format, keeps, fill, check }: OutputPlan,
): Promise<Finished & { readonly md5: string }> {
  const isScratch = format !== 'table';
  const notesFirsts = keeps === 'first';
  const writer = new TableWriter({ path: table, mode: 0o666, notesFirsts, isScratch });
  try {
    await fill(writer);
    let md5 = '';
    // The disk takes what was written meanwhile.
    const { keys, bytes } = await writer.finish(() => {
      md5 = sumOf(table);
    });
    const { repeats } = writer;
    const finished = { keys, bytes, repeats };
    check(finished);
    if (format === 'table' && (keeps === 'last' || repeats === undefined)) {
      await rename(table, target);
      return { ...finished, md5 };
    }
    const isKept = keeps === 'first' ? (record: number) => writer.isFirst(record) : () => true;
    const readBack: ReadBack = (sink) => readTable(table, isKept, sink);
    if (format === 'lmdb') await writeLmdb(target, readBack);
    else if (format === 'jsonl') await writeJsonLines(target, readBack);
    else await copyTable(target, readBack);
    await remove(table);
    return { ...finished, md5: sumOf(target) };
  } finally {
    writer.close();
  }
}

async function copyTable(path: string, readBack: ReadBack): Promise<void> {
  const writer = new TableWriter({ path, mode: 0o666 });
  try {
    await readBack(writer);
    await writer.finish();
  } finally {
    writer.close();
  }
}

function sumOf(path: string): string {
  const fd = openSync(path, 'r');
  try {
    return md5Of(fd, () => {});
  } finally {
    closeSync(fd);
  }
}

/** Of its own each time: what a kill left behind must not be in the way. */
export function temporaryFor(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
}
