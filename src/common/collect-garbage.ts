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
 * Collects this thread's garbage now, which stops the thread for some milliseconds. To be called where
 * much memory outside V8's heap was let go of by a thread that may have nothing to do from then on:
 * V8 collects as it allocates, and not before.
 */
export const collectGarbage: () => void = findCollector();
