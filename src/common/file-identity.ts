import type { BigIntStats } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { GoromdbError, messageOf } from './errors.ts';

/**
 * What distinguishes one content of a path from another without reading it. `ctimeNs` is part of it
 * because `cp -p` and `rsync -t` set `mtimeNs` back, and no program can set `ctimeNs`. A rename
 * changes `ctimeNs`: compare a file that was moved with {@link sameContent}.
 */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  /** In bytes. */
  readonly size: bigint;
  /** Time of the last write, in nanoseconds since 1970. */
  readonly mtimeNs: bigint;
  /** Time of the last write, rename, link or change of mode, in nanoseconds since 1970. */
  readonly ctimeNs: bigint;
}

/** The identity of a file, from `stat` or `fstat` with bigints. */
export function identityOf(stats: BigIntStats): FileIdentity {
  const { dev, ino, size, mtimeNs, ctimeNs } = stats;
  return { dev, ino, size, mtimeNs, ctimeNs };
}

/** Whether nothing happened between two looks at one path. */
export function sameIdentity(one: FileIdentity, other: FileIdentity): boolean {
  return sameContent(one, other) && one.ctimeNs === other.ctimeNs;
}

/** Whether two looks saw the same bytes, as far as metadata shows, moved or not. */
export function sameContent(one: FileIdentity, other: FileIdentity): boolean {
  return (
    one.dev === other.dev &&
    one.ino === other.ino &&
    one.size === other.size &&
    one.mtimeNs === other.mtimeNs
  );
}

/** Whether a path still leads to the content that was seen there, as far as metadata shows. */
export async function isStill(path: string, identity: FileIdentity): Promise<boolean> {
  const stats = await stat(path, { bigint: true }).catch(() => undefined);
  return stats !== undefined && sameContent(identityOf(stats), identity);
}

/** @throws GoromdbError FILE_CHANGED when a path leads to other content than was seen there. */
export async function checkStill(path: string, identity: FileIdentity): Promise<void> {
  if (!(await isStill(path, identity))) throw hasChanged(path);
}

export function hasChanged(path: string): GoromdbError {
  return new GoromdbError(
    'FILE_CHANGED',
    `${path} changed while it was loaded: it is loaded again when it is quiet`,
  );
}

/** What is at a path; `unusable`: something that can never be read as a file. */
export type Sight =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'file';
      readonly identity: FileIdentity;
      /** By a symbolic or a hard link: whoever put it there may not be allowed to read it. */
      readonly isLinked: boolean;
    }
  | { readonly kind: 'unusable'; readonly what: string };

/** Looks at a path without opening it, so that a FIFO cannot block; follows symbolic links. */
export async function see(path: string): Promise<Sight> {
  let isLink = false;
  try {
    const found = await lstat(path, { bigint: true });
    isLink = found.isSymbolicLink();
    const stats = isLink ? await stat(path, { bigint: true }) : found;
    if (!stats.isFile()) return { kind: 'unusable', what: kindOf(stats) };
    return { kind: 'file', identity: identityOf(stats), isLinked: isLink || stats.nlink > 1n };
  } catch (error) {
    if (!isAbsence(error))
      return { kind: 'unusable', what: `an unreadable one (${messageOf(error)})` };
    return isLink ? { kind: 'unusable', what: 'a symbolic link to nothing' } : { kind: 'absent' };
  }
}

/** A string that is equal for two sights exactly when they are the same. */
export function keyOf(sight: Sight): string {
  if (sight.kind === 'absent') return 'absent';
  return sight.kind === 'unusable' ? sight.what : keyOfIdentity(sight.identity);
}

/** A string that is equal for two identities exactly when `sameIdentity` holds. */
export function keyOfIdentity({ dev, ino, size, mtimeNs, ctimeNs }: FileIdentity): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

/** Whether an error of the file system says that a path, or a folder on its way, is not there. */
export function isAbsence(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function kindOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}
