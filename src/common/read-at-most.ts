import { constants, type FileHandle, open } from 'node:fs/promises';
import { GoromdbError } from './errors.ts';

/** How {@link readAtMost} opens a file. */
export interface ReadOptions {
  /** Whether a symbolic link is followed. Default: no. */
  readonly followsLinks?: boolean;
  /** Called with the open file before anything is read of it; what it throws is thrown. */
  readonly check?: (handle: FileHandle) => Promise<void>;
}

/**
 * Reads the first bytes of a file whose name others may write to. A FIFO there must not block nor
 * count as an empty file, a device must not fill the memory, and a link must not lead to what those
 * others may not read.
 *
 * @throws GoromdbError FILE_UNREADABLE when it is no regular file; what the file system throws, and
 *   what `check` throws.
 */
export async function readAtMost(
  path: string,
  bytesMax: number,
  { followsLinks = false, check }: ReadOptions = {},
): Promise<Buffer> {
  const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants;
  const flags = O_RDONLY | O_NONBLOCK | (followsLinks ? 0 : O_NOFOLLOW);
  const handle = await open(path, flags);
  try {
    const stats = await handle.stat();
    // A folder fails when it is read, and that error names it.
    if (!stats.isFile() && !stats.isDirectory()) {
      throw new GoromdbError('FILE_UNREADABLE', `${path} is a device or a FIFO, not a file`);
    }
    await check?.(handle);
    return await readFirst(handle, bytesMax);
  } finally {
    await handle.close();
  }
}

/** Reads the first bytes of an open file. Where the next read without a place begins stays as it is. */
export async function readFirst(handle: FileHandle, bytesMax: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytesMax);
  let length = 0;
  while (length < bytesMax) {
    const { bytesRead } = await handle.read(buffer, length, bytesMax - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}
