import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { explained } from '../common/system-fault.ts';
import { withSource } from '../loader/worker/scan-file.ts';
import { longestValue } from '../loader/worker/value-limit.ts';
import { AUTO } from '../storage/formats/formats.ts';
import type { RecordSink, ScanInput, ScanOptions } from '../storage/scanners/scanner.ts';

/** The name of standard input. */
export const STANDARD_INPUT = '-';

/** How inputs are read. */
export interface Reading {
  /** Where a compressed file is unpacked to, if it must be. */
  readonly scratchDir: string;
  readonly onProgress: (bytes: number) => void;
}

/**
 * Reads the records of a file of any format that the server reads.
 *
 * @throws GoromdbError as `Scanner.scan`, FILE_UNREADABLE.
 */
export async function scanRecords(
  path: string,
  { scratchDir, onProgress }: Reading,
  sink: RecordSink,
  told: Pick<ScanOptions, 'onNotice' | 'onLocator' | 'onRecord'>,
): Promise<void> {
  const hooks = { ...told, onProgress, valueBytesMax: longestValue() };
  await withFile(path, (input) =>
    withSource({ scanner: AUTO, gzipped: false, scratchDir }, input, onProgress, (source) =>
      source.scan(sink, hooks),
    ),
  );
}

/** Opens a file while it is used. @throws GoromdbError FILE_UNREADABLE; what `use` throws. */
export async function withFile(
  path: string,
  use: (input: ScanInput) => Promise<void>,
): Promise<void> {
  const fd = openInput(path);
  try {
    await use({ path, fd, size: fstatSync(fd).size });
  } finally {
    closeSync(fd);
  }
}

/** Opens a file. A FIFO in its place must not block. @throws GoromdbError FILE_UNREADABLE. */
export function openInput(path: string): number {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!fstatSync(fd).isFile()) throw new Error('it is not a regular file');
    return fd;
  } catch (cause) {
    if (fd !== undefined) closeSync(fd);
    const message = `cannot read ${path}: ${messageOf(explained(cause, dirname(path)))}`;
    throw new GoromdbError('FILE_UNREADABLE', message, { cause });
  }
}
