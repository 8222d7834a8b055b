import process from 'node:process';
import { collectGarbage } from '../../src/common/collect-garbage.ts';

/**
 * Bytes of buffers that this thread holds. Where they are more than `limit`, what only waits for a
 * collection is collected first: how much that is depends on how busy the machine is.
 */
export function heldBuffers(limit: number): number {
  const { arrayBuffers } = process.memoryUsage();
  if (arrayBuffers <= limit) return arrayBuffers;
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}
