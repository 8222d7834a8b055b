import process from 'node:process';
import { collectGarbage } from '../../src/common/collect-garbage.ts';

/**
 * Bytes of buffers that this thread holds. If they are more than `limit`, garbage is collected
 * first: a busy machine leaves more of it.
 */
export function heldBuffers(limit: number): number {
  const { arrayBuffers } = process.memoryUsage();
  if (arrayBuffers <= limit) return arrayBuffers;
  collectGarbage();
  return process.memoryUsage().arrayBuffers;
}
