import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { remove, replaceFile, syncFolder } from '../common/files.ts';
import { md5Of } from '../common/md5.ts';
import type { Repeats } from '../storage/table/table-index.ts';
import { TableWriter } from '../storage/table/table-writer.ts';

/** A table that was written, before it has its name. */
export interface Finished {
  readonly keys: number;
  readonly bytes: number;
  /** undefined: every key came once. */
  readonly repeats: Repeats | undefined;
}

/**
 * Writes a table's file and its sum file, each by a temporary name and a rename, the sum last: whatever
 * happens there is the old file or the new one, never a part.
 *
 * @param fill Adds the records.
 * @param check Called with the finished table, before it takes its name. What it throws ends the build.
 * @returns The table, and its MD5.
 * @throws GoromdbError DISK_FULL, FOLDER_UNUSABLE, LIMIT_EXCEEDED, OUT_OF_MEMORY; what the file system,
 *   `fill` and `check` throw. No temporary file is left then.
 */
export async function writeOutput(
  path: string,
  fill: (writer: TableWriter) => Promise<void>,
  check: (finished: Finished) => void,
): Promise<Finished & { readonly md5: string }> {
  const sumPath = `${path}.md5`;
  const temporary = temporaryFor(path);
  const temporarySum = temporaryFor(sumPath);
  try {
    const finished = await writeTable(temporary, fill);
    check(finished);
    const md5 = sumOf(temporary);
    // Both are on the disk before one takes its name: it may be full.
    await replaceFile(temporarySum, `${md5}  ${basename(path)}\n`, { isFlushed: true });
    await rename(temporary, path);
    await rename(temporarySum, sumPath);
    await syncFolder(dirname(path));
    return { ...finished, md5 };
  } catch (error) {
    for (const one of [temporary, temporarySum]) await remove(one).catch(() => {});
    throw error;
  }
}

async function writeTable(
  path: string,
  fill: (writer: TableWriter) => Promise<void>,
): Promise<Finished> {
  const writer = new TableWriter({ path, mode: 0o666 });
  try {
    await fill(writer);
    const { keys, bytes } = await writer.finish();
    return { keys, bytes, repeats: writer.repeats };
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
