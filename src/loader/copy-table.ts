import { closeSync, fsync, readSync, rmSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { GoromdbError, messageOf, provesFileBad } from '../errors.ts';
import type { ScanInput } from '../storage/scanners/scanner.ts';
import { checkTable } from '../storage/table-check.ts';
import { headOf } from '../storage/table-layout.ts';
import { cannotWrite, createTable } from '../storage/table-writer.ts';
import { md5Beside } from './md5-thread.ts';
import type { ProgressMemory } from './progress.ts';
import { longestValue } from './value-limit.ts';
import { md5Of } from './verify.ts';

/** Bytes that are copied at once: 0.1 ms of work. */
const COPY_BYTES = 256 * 1024;

const sync = promisify(fsync);

export interface TableCopying {
  /** Where to make the copy. What is there gives way. */
  readonly path: string;
  /** Permission bits of the copy. */
  readonly mode: number;
  readonly progress: ProgressMemory;
  /** Called between small pieces of work. */
  readonly rest: (() => void) | undefined;
  /** Whether the MD5 of the copy is asked for. */
  readonly isSummed: boolean;
}

/** A table as it was copied: whoever wrote it has no way to the copy. */
export interface CopiedTable {
  /** Undefined: it was not asked for. */
  readonly md5: string | undefined;
  /** The CRC-32 of the table's head; or why it is no sound table. The copy is gone then. */
  readonly headCrc32: number | GoromdbError;
}

/**
 * Copies a dropped table, and checks the copy: the dropped file may be written to and cut short while
 * it is read, and for as long as its producer likes. When it resolves the copy survives a power loss.
 *
 * @returns undefined when the file is shorter than it was.
 * @throws GoromdbError DISK_FULL, FOLDER_UNUSABLE, FILE_UNREADABLE, OUT_OF_MEMORY.
 */
export async function copyTable(
  input: ScanInput,
  copying: TableCopying,
): Promise<CopiedTable | undefined> {
  const { path, mode, progress, rest, isSummed } = copying;
  rmSync(path, { force: true });
  const fd = createTable(path, mode);
  let isSound = false;
  try {
    if (!fill(input, fd, copying)) return undefined;
    const copy = { ...input, fd };
    const synced = sync(fd);
    // Awaited below, as is the sum: a fault of the check must leave no rejection behind.
    synced.catch(() => {});
    const summed = isSummed ? sumOf(fd, progress, rest) : undefined;
    summed?.catch(() => {});
    const headCrc32 = check(copy, rest);
    const md5 = await summed;
    await synced.catch((cause: unknown) => {
      throw cannotWrite(path, cause);
    });
    isSound = typeof headCrc32 === 'number';
    return { md5, headCrc32 };
  } finally {
    closeSync(fd);
    if (!isSound) rmSync(path, { force: true });
  }
}

/** In a thread of its own, or, where threads that serve are to find a free processor, in this one. */
function sumOf(
  fd: number,
  progress: ProgressMemory,
  rest: (() => void) | undefined,
): Promise<string> {
  if (rest === undefined) return md5Beside(fd, progress);
  const sum = md5Of(fd, (bytes) => {
    progress.write('verify', bytes);
    rest();
  });
  return Promise.resolve(sum);
}

function check(copy: ScanInput, rest: (() => void) | undefined): number | GoromdbError {
  try {
    const layout = checkTable(copy, { valueBytesMax: longestValue(), rest });
    return crc32(headOf(layout));
  } catch (error) {
    if (provesFileBad(error)) return error;
    throw error;
  }
}

/** @returns false when the file ends too early. */
function fill({ path, fd, size }: ScanInput, copyFd: number, copying: TableCopying): boolean {
  const buffer = Buffer.allocUnsafeSlow(Math.min(size, COPY_BYTES));
  for (let done = 0; done < size; copying.rest?.()) {
    const length = read(path, fd, buffer, Math.min(buffer.length, size - done), done);
    if (length === 0) return false;
    try {
      for (let at = 0; at < length; ) at += writeSync(copyFd, buffer, at, length - at, done + at);
    } catch (cause) {
      throw cannotWrite(copying.path, cause);
    }
    done += length;
  }
  return true;
}

function read(path: string, fd: number, target: Buffer, bytes: number, position: number): number {
  try {
    return readSync(fd, target, 0, bytes, position);
  } catch (cause) {
    const message = `${path}: cannot read ${bytes} bytes at byte ${position}: ${messageOf(cause)}`;
    throw new GoromdbError('FILE_UNREADABLE', message, { cause });
  }
}
