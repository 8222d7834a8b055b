import { readFileSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import os from 'node:os';
import { dirname } from 'node:path';
import process from 'node:process';
import { GoromdbError } from '../errors.ts';
import { lackOf } from './report.ts';

/** What the slot's small files need, with what a file system needs for their names. */
const SLOT_BYTES = 64 * 1024;

/** What a load is going to need. */
export interface Need {
  /** Bytes of the file. */
  readonly fileBytes: number;
  /** Whether it will be copied, not renamed. */
  readonly isCopied: boolean;
  /** The file of the slot that it goes to, which gives way. */
  readonly slotFile: string;
  /** What serves now, which tells how much memory a byte of the file takes. */
  readonly serving: { readonly fileBytes: number; readonly tableBytes: number } | undefined;
  /** Bytes that a table may take. */
  readonly tableBytesMax: number;
}

/** Memory of a table for a byte of its file: below are free pages in the file, above packed ones. */
const RATIO_MIN = 1 / 8;
const RATIO_MAX = 8;

/**
 * Refuses to begin a load that cannot end well: it would cost minutes, and at the end perhaps the
 * process. What it needs is an estimate; `-memory` bounds what it gets.
 *
 * @returns Whether to map it at once: it will not fit into a table, and there is no room to try.
 * @throws GoromdbError DISK_FULL, OUT_OF_MEMORY.
 */
export async function checkRoom(
  need: Need,
  free: { readonly disk: typeof freeDisk; readonly memory: typeof freeMemory } = {
    disk: freeDisk,
    memory: freeMemory,
  },
): Promise<boolean> {
  const { fileBytes, isCopied, slotFile, serving, tableBytesMax } = need;
  const diskBytes = SLOT_BYTES + (isCopied ? fileBytes : 0);
  const diskFree = await free.disk(slotFile);
  if (diskFree < diskBytes) {
    const what = `free space for the slot in ${dirname(slotFile)}`;
    const message = `${lackOf(what, diskBytes, diskFree)}: make room on that disk`;
    throw new GoromdbError('DISK_FULL', message, { numbers: { diskBytes, diskFree } });
  }
  const ratio = serving === undefined ? 1 : serving.tableBytes / Math.max(1, serving.fileBytes);
  const perByte = Math.min(RATIO_MAX, Math.max(RATIO_MIN, ratio));
  const memoryBytes = fileBytes * perByte;
  const memoryFree = free.memory();
  if (memoryBytes > tableBytesMax) return memoryFree < tableBytesMax;
  if (memoryFree < memoryBytes) {
    const message = lackOf('free memory beside what serves', memoryBytes, memoryFree);
    throw new GoromdbError('OUT_OF_MEMORY', message, { numbers: { memoryBytes, memoryFree } });
  }
  return false;
}

/**
 * Free space where a slot's file is to lie, with what that file gives free. Where that cannot be
 * told, the installation will say what is wrong.
 */
async function freeDisk(slotFile: string): Promise<number> {
  const space = await statfs(dirname(slotFile)).catch(() => undefined);
  if (space === undefined) return Number.POSITIVE_INFINITY;
  const old = await stat(slotFile).catch(() => undefined);
  return space.bavail * space.bsize + (old?.size ?? 0);
}

/**
 * Memory that this process may still take. Of a cgroup only this process's own part is known to be
 * in use: its page cache counts as used too, and would be given up.
 */
function freeMemory(): number {
  const machine = os.freemem();
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.min(machine, constrained - ownBytes());
}

/**
 * Memory that this process has to itself. The pages of its maps are the page cache's: they are resident
 * as well, and of a large map that is well used they would look like all memory that there is.
 */
export function ownBytes(): number {
  try {
    const status = readFileSync('/proc/self/status', 'latin1');
    const kinds = [...status.matchAll(/^Rss(?:Anon|Shmem):\s*(\d+) kB$/gm)];
    if (kinds.length > 0) return kinds.reduce((sum, [, kib]) => sum + Number(kib) * 1024, 0);
  } catch {
    // There is no such file but on Linux.
  }
  return process.memoryUsage.rss();
}
