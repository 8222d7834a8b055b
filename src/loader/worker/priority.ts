import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';

/**
 * A third of the processor time of a process with 0: enough to go on beside other busy programs. V8's
 * helper threads have it, too, which a thread of the server could not give them.
 */
const LOADER_NICE = 5;

/** Added to what the system goes by when memory is short, from 0 to {@link OOM_SCORE_MAX}. */
const OOM_SCORE = 500;
const OOM_SCORE_MAX = 1000;

/**
 * Has this process give way to others that want the processor, and be the first to end when the system
 * is out of memory: a load can be repeated. Where the system has no such thing, nothing happens.
 */
export function giveWay(): void {
  try {
    for (const thread of readdirSync('/proc/self/task'))
      os.setPriority(Number(thread), LOADER_NICE);
    const path = '/proc/self/oom_score_adj';
    const score = Math.min(OOM_SCORE_MAX, Number(readFileSync(path, 'utf8')) + OOM_SCORE);
    writeFileSync(path, String(score));
  } catch {
    // It is a kindness, not a need.
  }
}
