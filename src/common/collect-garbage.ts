import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** V8's collector, which a program can call only with a flag. */
function findCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('typeof gc === "function" ? gc : undefined');
  setFlagsFromString('--no-expose-gc');
  return typeof gc === 'function' ? (gc as () => void) : () => {};
}

/**
 * Collects this thread's garbage now, which stops the thread for some milliseconds. Call it where a
 * thread has freed much memory outside V8's heap and may then be idle: V8 collects only when it
 * allocates.
 */
export const collectGarbage: () => void = findCollector();
