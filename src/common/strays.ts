import { closeSync, fstatSync, readdirSync, type Stats } from 'node:fs';

/** Open files that a child process has too, whether it is to or not. */
export interface Stray {
  readonly fd: number;
  readonly dev: number;
  readonly ino: number;
}

/** More than the maps of two generations of 64 data sets. What is beyond stays open. */
const STRAYS_MAX = 1_024;

/**
 * The regular files that this process has open. LMDB opens those that it maps without `O_CLOEXEC`: a
 * child process keeps them open, and what they take on the disk, after all generations to come.
 *
 * @param least The lowest descriptor that is looked at.
 */
export function findStrays(least: number): readonly Stray[] {
  const strays: Stray[] = [];
  for (const name of listDescriptors()) {
    const fd = Number(name);
    const stats = fd < least ? undefined : statOf(fd);
    if (stats?.isFile()) strays.push({ fd, dev: stats.dev, ino: stats.ino });
  }
  return strays.slice(0, STRAYS_MAX);
}

/** Closes those that this process has as well. To be called before it opens files of its own. */
export function closeStrays(strays: readonly Stray[]): void {
  for (const { fd, dev, ino } of strays.slice(0, STRAYS_MAX)) {
    const stats = statOf(fd);
    if (stats?.isFile() && stats.dev === dev && stats.ino === ino) closeSync(fd);
  }
}

/** None where there is no proc(5). */
function listDescriptors(): readonly string[] {
  try {
    return readdirSync('/proc/self/fd');
  } catch {
    return [];
  }
}

function statOf(fd: number): Stats | undefined {
  try {
    return fstatSync(fd);
  } catch {
    return undefined;
  }
}
