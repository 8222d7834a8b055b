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

/** What a file is. */
export interface OutputPlan {
  readonly path: string;
  readonly format: 'table' | 'lmdb' | 'jsonl';
  /** Which of several records with one key. */
  readonly keeps: 'first' | 'last';
  /** See `TableWriterOptions`. */
  readonly blockBytes?: number;
  readonly part?: string;
}

/** How files are made. */
export interface OutputWork {
  /** Adds the records. @param writers One for each plan. */
  readonly fill: (writers: readonly TableWriter[]) => Promise<void>;
  /**
   * Called with each finished table, before any file takes its name. What it throws ends the build.
   *
   * @param table Where it lies until then, with all records that were added.
   */
  readonly check: (finished: Finished, plan: number, table: string) => void | Promise<void>;
  /** Called when all files are whole, before the first one takes its name. */
  readonly beforeNames?: () => Promise<void>;
}

/** A file that was written. */
export type Written = Finished & { readonly md5: string };

/** Names that nothing had: of the table, of the file if that is another one, and of its sum file. */
type Temporaries = readonly [table: string, file: string, sum: string];

/**
 * Writes files, each with its sum file, by temporary names and renames, the sum last: whatever happens
 * there is the old file or the new one, never a part. Any format but a table is made of a table, which
 * finds the keys that come again.
 *
 * @returns For each plan the table, and the size and MD5 of the file.
 * @throws GoromdbError DISK_FULL, FOLDER_UNUSABLE, LIMIT_EXCEEDED, OUT_OF_MEMORY, FORMAT_UNSUPPORTED;
 *   what the file system, `fill` and `check` throw. No temporary file is left then.
 */
export async function writeOutputs(
  plans: readonly OutputPlan[],
  { fill, check, beforeNames }: OutputWork,
): Promise<readonly Written[]> {
  for (const { path } of plans) {
    checkPlace(path);
    await removeLeftBehind(path);
  }
  const temporaries = plans.map(({ path }): Temporaries => {
    return [temporaryFor(path), temporaryFor(path), temporaryFor(`${path}.md5`)];
  });
  const writers: TableWriter[] = [];
  try {
    for (const [i, plan] of plans.entries()) writers.push(writerOf(temporaries[i], plan));
    await fill(writers);
    const written: Written[] = [];
    for (const [i, plan] of plans.entries()) {
      const [table] = temporaries[i];
      const checkOne = (done: Finished) => check(done, i, table);
      written.push(await finish(temporaries[i], writers[i], plan, checkOne));
    }
    await beforeNames?.();
    for (const [i, { path }] of plans.entries()) {
      await rename(temporaries[i][1], path);
      await rename(temporaries[i][2], `${path}.md5`);
    }
    for (const folder of new Set(plans.map(({ path }) => dirname(path)))) await syncFolder(folder);
    return written;
  } catch (error) {
    for (const one of temporaries.flat()) await remove(one).catch(() => {});
    throw error;
  } finally {
    for (const writer of writers) writer.close();
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

function writerOf([path]: Temporaries, plan: OutputPlan): TableWriter {
  const { format, keeps, blockBytes, part } = plan;
  const isScratch = format !== 'table';
  return new TableWriter({
    path,
    mode: 0o666,
    notesFirsts: keeps === 'first',
    isScratch,
    ...{ blockBytes, part },
  });
}

/** Finishes the table, the file of it if that is another one, and the sum file. */
async function finish(
  [table, file, sumFile]: Temporaries,
  writer: TableWriter,
  { path, format, keeps, part }: OutputPlan,
  check: (finished: Finished) => void | Promise<void>,
): Promise<Written> {
  let md5 = '';
  // The disk takes what was written meanwhile.
  const { keys, bytes } = await writer.finish(() => {
    md5 = sumOf(table);
  });
  const { repeats } = writer;
  await check({ keys, bytes, repeats });
  if (format === 'table' && (keeps === 'last' || repeats === undefined)) {
    await rename(table, file);
  } else {
    const isKept = keeps === 'first' ? (record: number) => writer.isFirst(record) : () => true;
    const readBack: ReadBack = (sink) => readTable(table, isKept, sink);
    if (format === 'lmdb') await writeLmdb(file, readBack);
    else if (format === 'jsonl') await writeJsonLines(file, readBack);
    else await copyTable(file, readBack, part);
    await remove(table);
    md5 = sumOf(file);
  }
  // On the disk before the file takes its name: it may be full.
  await replaceFile(sumFile, `${md5}  ${basename(path)}\n`, { isFlushed: true });
  return { keys, bytes: statSync(file).size, repeats, md5 };
}

async function copyTable(path: string, readBack: ReadBack, part?: string): Promise<void> {
  const writer = new TableWriter({ path, mode: 0o666, part });
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
