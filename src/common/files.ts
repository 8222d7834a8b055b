import {
  constants,
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  rename,
  rm,
  stat,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import { GoromdbError } from './errors.ts';
import { type FileIdentity, hasChanged, identityOf, sameContent } from './file-identity.ts';

/** Bytes that one step of a copy reads. */
const COPY_BYTES = 4 * 1024 * 1024;

/** Makes a folder, whose parent must be there. @returns Whether it was not there before. */
export async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return false;
    throw error;
  }
}

/** What distinguishes a folder from another one at its path; undefined when there is none. */
export async function folderKey(path: string): Promise<string | undefined> {
  const stats = await stat(path, { bigint: true }).catch(() => undefined);
  return stats?.isDirectory() ? `${stats.dev}:${stats.ino}` : undefined;
}

/** Flushes a folder: names made, moved or removed in it survive a power loss. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Flushes a file: its content survives a power loss. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, constants.O_RDONLY);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Writes a small file so that after a crash there is the old one or the new one, never a part. */
export async function writeAtomically(path: string, text: string): Promise<void> {
  await replaceFile(path, text, { isFlushed: true });
  await syncFolder(dirname(path));
}

/** How `replaceFile` writes. */
export interface Replacement {
  /** Where the text is until it is renamed. Default: the path with `.tmp` behind it. */
  readonly temporary?: string;
  /** Whether the text is flushed first. Else a power loss may leave the old file or none. */
  readonly isFlushed?: boolean;
}

/**
 * Replaces a small file in one step. Others may write to its folder: a link that they put in the
 * way is replaced, not followed.
 */
export async function replaceFile(
  path: string,
  text: string,
  { temporary = `${path}.tmp`, isFlushed = false }: Replacement = {},
): Promise<void> {
  try {
    const file = await openNew(temporary);
    try {
      await file.writeFile(text);
      if (isFlushed) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await remove(temporary).catch(() => {});
    throw error;
  }
}

/** Makes a new file. It removes, and does not open, what a crash or others left at its name. */
export async function openNew(path: string, mode = 0o666): Promise<FileHandle> {
  try {
    return await open(path, 'wx', mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    await remove(path);
    return open(path, 'wx', mode);
  }
}

/** Removes a file, if it is there. */
export async function remove(path: string): Promise<void> {
  await rm(path, { force: true });
}

/**
 * Whether a file can be moved to a folder by renaming it: it lies on the same file system, and
 * has no other name through which its content could change later.
 */
export async function canRename(path: string, folder: string): Promise<boolean> {
  const [source, target] = await Promise.all([lstat(path), stat(folder)]);
  return source.dev === target.dev && source.isFile() && source.nlink === 1;
}

/**
 * The system's codes when it cannot move a file within one file system: the folders are different
 * mounts of it, as two volumes of a container are; this user may only read the file's folder; or
 * the file is a mount itself.
 */
const CANNOT_RENAME: ReadonlySet<unknown> = new Set(['EXDEV', 'EACCES', 'EPERM', 'EROFS', 'EBUSY']);

/** Moves a file. @returns false when only copying it is possible. */
export async function tryRename(source: string, target: string): Promise<boolean> {
  try {
    await rename(source, target);
    return true;
  } catch (error) {
    if (CANNOT_RENAME.has((error as NodeJS.ErrnoException).code)) return false;
    throw error;
  }
}

/** Gives a file a second name. @returns false where the file system has no such thing. */
export async function tryLink(path: string, name: string): Promise<boolean> {
  await remove(name);
  return link(path, name).then(
    () => true,
    () => false,
  );
}

/**
 * Copies a file and makes the copy survive a power loss. It has no more permissions.
 *
 * @param expected The file as it was seen; another one, which a link may lead to now, is refused.
 * @throws GoromdbError FILE_CHANGED; LOADER_FAILED when the signal aborts it, which leaves a part.
 */
export async function copyDurably(
  source: string,
  target: string,
  expected: FileIdentity | undefined,
  signal?: AbortSignal,
): Promise<void> {
  const from = await open(source, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await from.stat({ bigint: true });
    if (expected !== undefined && !sameContent(identityOf(stats), expected)) {
      throw hasChanged(source);
    }
    const to = await openNew(target, Number(stats.mode & 0o666n) | 0o600);
    try {
      await copyAll(from, to, signal);
      await to.sync();
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

async function copyAll(
  from: FileHandle,
  to: FileHandle,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const piece of piecesOf(from, COPY_BYTES)) {
    await to.writeFile(piece);
    if (signal?.aborted) throw new GoromdbError('LOADER_FAILED', 'the copy was aborted');
  }
}

/** Reads an open file to its end. A piece is valid until the next one is asked for. */
export async function* piecesOf(file: FileHandle, bytes: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(bytes);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, bytes);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

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
