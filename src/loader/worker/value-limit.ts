import os from 'node:os';
import process from 'node:process';
import { VALUE_BYTES_MAX } from '../../storage/scanners/scanner.ts';

/** Longest value in bytes that is loaded on any machine. */
const VALUE_BYTES_MIN = 64 * 1024 * 1024;

/** A value is held up to four times while it is read and written; the rest is for all else. */
const MEMORY_SHARE = 1 / 8;

/** Longest value in bytes that a load may hold on this machine, or in this container. */
export function longestValue(bytes: number = memoryBytes()): number {
  const share = Math.floor(bytes * MEMORY_SHARE);
  return Math.min(VALUE_BYTES_MAX, Math.max(VALUE_BYTES_MIN, share));
}

/** Memory of this machine, or of this container. */
export function memoryBytes(): number {
  // 0, or a number beyond any machine, where nothing constrains the process.
  return Math.min(os.totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
}
