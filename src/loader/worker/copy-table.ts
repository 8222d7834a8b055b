import { closeSync, fsync, rmSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { GoromdbError, isBadFile, messageOf } from '../../common/errors.ts';
import { md5Of, READ_BYTES } from '../../common/md5.ts';
import { KeyCheck } from '../../storage/scanners/key-check.ts';
import type { ScanInput } from '../../storage/scanners/scanner.ts';
import { checkTable } from '../../storage/table/table-check.ts';
import { readAt, readTableHead } from '../../storage/table/table-file.ts';
import { headOf } from '../../storage/table/table-layout.ts';
import { cannotWrite, createTable } from '../../storage/table/table-writer.ts';
import { Md5Thread, WrittenBlocks } from './md5-thread.ts';
import type { OnProgress } from './progress.ts';
import type { ShardRule } from './shard-rule.ts';
import { longestValue } from './value-limit.ts';

const sync = promisify(fsync);

export interface TableCopying {
  /** Where to make the copy. What is there gives way. */
  readonly path: string;
  /** Permission bits of the copy. */
  readonly mode: number;
  readonly onProgress: OnProgress;
  /** Whether the MD5 of the copy is asked for. */
  readonly isSummed: boolean;
  /** Which tables and keys may be served; undefined: any. */
  readonly rule?: ShardRule | undefined;
}

/** A table as it was copied: whoever wrote it has no way to the copy. */
export interface CopiedTable {
  /** Undefined: it was not asked for. */
  readonly md5: string | undefined;
  /** The CRC-32 of the table's head; or why it is no sound table. The copy is gone then. */
  readonly headCrc32: number | GoromdbError;
  /** What its owner should know. */
  readonly notices: readonly string[];
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
  const { path, mode, onProgress, isSummed, rule } = copying;
  // A sparse file of any size can have a table's first page: it is not copied, but its MD5 comes first.
  const head = unlessBad(() => {
    const { layout } = readTableHead(input.path, input.fd);
    rule?.part(layout.part);
  });
  if (head instanceof GoromdbError) {
    const md5 = isSummed ? sumOf(input.fd, onProgress) : undefined;
    return { md5, headCrc32: head, notices: [] };
  }
  rmSync(path, { force: true });
  const fd = createTable(path, mode);
  const written = new WrittenBlocks();
  const md5 = isSummed ? new Md5Thread(fd, input.size, written) : undefined;
  let isSound = false;
  try {
    if (!fill(input, fd, copying, written)) return undefined;
    const synced = sync(fd);
    // Awaited below: what the check throws comes first.
    synced.catch(() => {});
    const options = {
      valueBytesMax: longestValue(),
      onProgress: (bytes: number) => onProgress('verify', bytes),
    };
    const keys = new KeyCheck(rule?.key);
    const headCrc32 = unlessBad(() => crc32(headOf(checkTable({ ...input, fd }, options, keys))));
    const sum = await md5?.sum;
    await synced.catch((cause: unknown) => {
      throw cannotWrite(path, cause);
    });
    isSound = typeof headCrc32 === 'number';
    return { md5: sum, headCrc32, notices: keys.notices() };
  } finally {
    await md5?.close();
    closeSync(fd);
    if (!isSound) rmSync(path, { force: true });
  }
}

function sumOf(fd: number, onProgress: OnProgress): string {
  return md5Of(fd, (bytes) => onProgress('verify', bytes));
}

/** @returns What `read` does; or the error that shows the table to be bad. */
function unlessBad<T>(read: () => T): T | GoromdbError {
  try {
    return read();
  } catch (error) {
    if (isBadFile(error)) return error;
    throw error;
  }
}

/** @returns false when the file ends too early. */
function fill(
  { path, fd, size }: ScanInput,
  copyFd: number,
  copying: TableCopying,
  written: WrittenBlocks,
): boolean {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  for (let done = 0; done < size; done += READ_BYTES) {
    const length = Math.min(READ_BYTES, size - done);
    if (readBlock(path, fd, buffer, length, done) < length) return false;
    try {
      for (let at = 0; at < length; ) at += writeSync(copyFd, buffer, at, length - at, done + at);
    } catch (cause) {
      throw cannotWrite(copying.path, cause);
    }
    written.add();
  }
  return true;
}

function readBlock(path: string, fd: number, target: Buffer, bytes: number, at: number): number {
  try {
    return readAt(fd, target, bytes, at);
  } catch (cause) {
    const message = `${path}: cannot read ${bytes} bytes at byte ${at}: ${messageOf(cause)}`;
    throw new GoromdbError('FILE_UNREADABLE', message, { cause });
  }
}
