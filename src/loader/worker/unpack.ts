import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  createReadStream,
  fstatSync,
  openSync,
  statfsSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';
import type { Packing } from '../../storage/formats/recognise.ts';
import { readBytes } from '../../storage/scanners/byte-source.ts';
import type { ScanInput } from '../../storage/scanners/scanner.ts';

/** Most bytes a compressed file may decompress to (64 GiB). */
const UNPACKED_BYTES_MAX = 64 * 1024 * 1024 * 1024;

/** Share of the free disk space that decompressing may take: the serving generation needs room, too. */
const FREE_SPACE_SHARE = 0.5;

/** Newer than the types of the oldest Node that is supported: 22.15, 23.8. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };

/**
 * Decompresses a file for scanners that read by page. What it decompresses to has no name, so that it
 * goes with the process, however that ends.
 *
 * @param folder Where there is room for it.
 * @returns The decompressed file, open; the caller closes it.
 * @throws GoromdbError DATA_CORRUPT, FORMAT_UNSUPPORTED, LIMIT_EXCEEDED, FOLDER_UNUSABLE.
 */
export async function unpack(
  input: ScanInput,
  packing: Packing,
  folder: string,
  onProgress: (bytes: number) => void,
): Promise<ScanInput> {
  const fd = openNameless(folder);
  try {
    const { bavail, bsize } = statfsSync(folder);
    const bytesMax = Math.min(UNPACKED_BYTES_MAX, Math.floor(bavail * bsize * FREE_SPACE_SHARE));
    let bytes = 0;
    const write = (chunk: Uint8Array): void => {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        const message = `${input.path} decompresses to more than ${bytesMax} bytes, which is half of the free space in ${folder}`;
        throw new GoromdbError('LIMIT_EXCEEDED', message);
      }
      writeAll(fd, chunk, folder);
    };
    if (packing === 'zstd') await unpackZstd(input, write, onProgress);
    else for await (const chunk of readBytes(input, { gzipped: true, onProgress })) write(chunk);
    return { path: `${input.path} (decompressed)`, fd, size: fstatSync(fd).size };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** @param path For the message. */
export function noZstd(path: string): GoromdbError {
  const message = `${path}: expected a file that this Node can decompress, found zstd: use Node 22.15 or newer, or compress the file with gzip`;
  return new GoromdbError('FORMAT_UNSUPPORTED', message);
}

async function unpackZstd(
  input: ScanInput,
  write: (chunk: Uint8Array) => void,
  onProgress: (bytes: number) => void,
): Promise<void> {
  if (createZstdDecompress === undefined) {
    throw noZstd(input.path);
  }
  const source = createReadStream(input.path, { fd: input.fd, start: 0, autoClose: false });
  let bytes = 0;
  try {
    await pipeline(source, createZstdDecompress(), async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        write(chunk);
        onProgress(Math.min(source.bytesRead, input.size));
      }
    });
    onProgress(input.size);
  } catch (cause) {
    if (cause instanceof GoromdbError) throw cause;
    const message = `${input.path}: the zstd data is damaged after ${bytes} decompressed bytes: ${messageOf(cause)}`;
    throw new GoromdbError('DATA_CORRUPT', message, { cause });
  }
}

/**
 * Opens a file that has no name, so that it goes when it is closed, or with the process. Others may
 * write to the folder: the name that it has for a moment is one that nobody can have put anything
 * at.
 *
 * @throws GoromdbError FOLDER_UNUSABLE.
 */
function openNameless(folder: string): number {
  const path = join(folder, `.unpacked-${randomUUID()}`);
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  try {
    const fd = openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    unlinkSync(path);
    return fd;
  } catch (cause) {
    throw noRoom(path, cause);
  }
}

function writeAll(fd: number, chunk: Uint8Array, folder: string): void {
  try {
    for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
  } catch (cause) {
    throw noRoom(folder, cause);
  }
}

function noRoom(path: string, cause: unknown): GoromdbError {
  const message = `cannot write to ${path}: ${messageOf(explained(cause, path))}`;
  return new GoromdbError('FOLDER_UNUSABLE', message, { cause });
}
