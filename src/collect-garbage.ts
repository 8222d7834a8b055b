import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** V8's collector, which a program is given only when it asks for it by a flag. */
function findCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('typeof gc === "function" ? gc : undefined');
  setFlagsFromString('--no-expose-gc');
  return typeof gc === 'function' ? (gc as () => void) : () => {};
}

/**
 * Collects this thread's garbage now. To be called in each thread that has let go of shared memory.
 *
 * V8 does not count shared memory as its own, and a thread that serves makes too little garbage to
 * be collected: without this, 8 swaps of a data set of 130 MB over two threads left 1,004 MB
 * resident, with it 265 MB. It stops the thread for some milliseconds. Memory that one thread has
 * to itself is counted, and V8 frees it by itself, mostly beside the running program.
 */
export const collectGarbage: () => void = findCollector();
