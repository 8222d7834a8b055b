import os from 'node:os';
import process from 'node:process';

/**
 * Share of the machine's memory that one data set may take when nobody says otherwise: two live
 * during a swap, and the rest is for the connections, the page cache and everybody else.
 */
const DEFAULT_SHARE = 0.4;

/** Bytes that a data set may take in memory by default: a share of the machine's or the cgroup's. */
export function defaultTableBytesMax(): number {
  const machine = os.totalmem();
  // 0, or a number beyond any machine, where nothing constrains the process.
  const constrained = process.constrainedMemory() || machine;
  return Math.floor(Math.min(machine, constrained) * DEFAULT_SHARE);
}
