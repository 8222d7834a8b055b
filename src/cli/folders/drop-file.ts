/** What belongs in this folder: what commands do in drop folders and base folders themselves. */
import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import {
  type FileIdentity,
  identityOf,
  isAbsence,
  sameContent,
} from '../../common/file-identity.ts';
import { piecesOf, replaceFile, syncFolder } from '../../common/files.ts';
import { excerptOf, parseSumFile, readSumFile } from '../../common/sum-file.ts';
import { explained } from '../../common/system-fault.ts';
import { forceMarkOf } from '../../watcher/drop-marks.ts';

/** Bytes that one step of the copy reads. */
const COPY_BYTES = 1024 * 1024;

/** A file that was dropped. */
export interface Dropped {
  readonly md5: string;
  /**
   * Differs for another file that takes its place. The inode alone may not: the next file gets it
   * as soon as this one is replaced.
   */
  readonly identity: FileIdentity;
}

/** What to drop, and where. */
interface Drop {
  readonly source: string;
  /** Where the server waits for it. */
  readonly file: string;
  readonly force: boolean;
  /** Whether the MD5 of the source must be what a sum file beside it says, if there is one. */
  readonly checksSum: boolean;
  /** Called with the copied share of the source, in percent. */
  readonly onProgress: (percent: number) => void;
}

/**
 * Drops a file as a producer should: under a temporary name in the drop folder, flushed, renamed,
 * and its sum file last. The MD5 is that of the source as it was read, so it verifies the copy, too.
 *
 * @throws GoromdbError FILE_UNREADABLE, FILE_CHANGED, SUM_INVALID, SUM_MISMATCH, FOLDER_UNUSABLE; then the drop
 *   folder holds nothing new that a server would take.
 */
export async function dropFile(drop: Drop): Promise<Dropped> {
  const { source, file, force, onProgress } = drop;
  const expected = drop.checksSum ? await md5Beside(source) : undefined;
  const from = await openSource(source, file);
  const temporary = temporaryFor(file);
  try {
    const to = await open(temporary, 'wx');
    let md5: string;
    let identity: FileIdentity;
    try {
      md5 = await copy(from, to, source, onProgress);
      checkMd5(source, md5, expected);
      await to.sync();
      identity = identityOf(await to.stat({ bigint: true }));
    } finally {
      await to.close();
    }
    // The mark holds the MD5, so that it cannot count for another file.
    if (force) await writeBeside(forceMarkOf(file), `${md5}\n`);
    await rename(temporary, file);
    await writeSum(file, md5);
    return { md5, identity };
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    if (force) await rm(forceMarkOf(file), { force: true }).catch(() => {});
    if (cause instanceof GoromdbError) throw cause;
    const message = `cannot drop ${file}: ${messageOf(explained(cause, dirname(file)))}`;
    throw new GoromdbError('FOLDER_UNUSABLE', message, { cause });
  } finally {
    await from.close();
  }
}

/**
 * The MD5 that a producer has written beside a file.
 *
 * @returns undefined when there is none.
 * @throws GoromdbError SUM_INVALID; what the file system throws.
 */
async function md5Beside(path: string): Promise<string | undefined> {
  const sumPath = `${path}.md5`;
  let bytes: Buffer;
  try {
    bytes = await readSumFile(sumPath);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
  const md5 = parseSumFile(bytes, basename(path));
  if (md5 !== undefined) return md5;
  const message = `${sumPath}: expected the MD5 of ${basename(path)}, found ${excerptOf(bytes, 64)}; nothing was dropped`;
  throw new GoromdbError('SUM_INVALID', message);
}

function checkMd5(source: string, found: string, expected: string | undefined): void {
  if (expected === undefined || expected === found) return;
  const message = `${source}.md5 says ${expected}, and the MD5 of the file is ${found}: nothing was dropped`;
  throw new GoromdbError('SUM_MISMATCH', message);
}

/** A FIFO must not block, and a file that is dropped onto itself would be lost. */
async function openSource(source: string, file: string): Promise<FileHandle> {
  let from: FileHandle | undefined;
  try {
    from = await open(source, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await from.stat();
    if (!stats.isFile()) throw new Error('it is not a regular file');
    const there = await stat(file).catch(() => undefined);
    if (there?.ino === stats.ino && there.dev === stats.dev) {
      throw new Error('it lies where it is to be dropped: make it in another folder');
    }
    return from;
  } catch (cause) {
    await from?.close();
    const message = `cannot publish ${source}: ${messageOf(explained(cause, source))}`;
    throw new GoromdbError('FILE_UNREADABLE', message, { cause });
  }
}

/**
 * Two publishers at once may leave the file of one with the sum file of the other, which no server
 * takes: the one whose file is there writes its sum file again.
 */
export async function keepSum(file: string, { md5, identity }: Dropped): Promise<void> {
  const there = await stat(file, { bigint: true }).catch(() => undefined);
  if (there === undefined || !sameContent(identityOf(there), identity)) return;
  const bytes = await readSumFile(`${file}.md5`).catch(() => undefined);
  if (bytes !== undefined && parseSumFile(bytes, basename(file)) === md5) return;
  await writeSum(file, md5);
}

async function writeSum(file: string, md5: string): Promise<void> {
  await writeBeside(`${file}.md5`, `${md5}  ${basename(file)}\n`);
  await syncFolder(dirname(file));
}

function writeBeside(path: string, text: string): Promise<void> {
  return replaceFile(path, text, { temporary: temporaryFor(path), isFlushed: true });
}

/** A new name each time: a file that a kill left must not be in the way, and pids are reused. */
function temporaryFor(path: string): string {
  return join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
}

async function copy(
  from: FileHandle,
  to: FileHandle,
  source: string,
  onProgress: (percent: number) => void,
): Promise<string> {
  const before = await from.stat({ bigint: true });
  const hash = createHash('md5');
  let done = 0;
  for await (const piece of piecesOf(from, COPY_BYTES)) {
    hash.update(piece);
    await to.writeFile(piece);
    done += piece.length;
    onProgress(Math.min(100, Math.floor((done * 100) / Number(before.size))));
  }
  const after = await from.stat({ bigint: true });
  if (after.size === before.size && after.mtimeNs === before.mtimeNs) return hash.digest('hex');
  throw new GoromdbError(
    'FILE_CHANGED',
    `${source} changed while it was copied: nothing was dropped`,
  );
}
