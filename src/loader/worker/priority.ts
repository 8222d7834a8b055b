import { readlinkSync } from 'node:fs';
import os from 'node:os';
import { basename } from 'node:path';

/**
 * A third of the processor time of a thread with 0. At 10 a load took four times as long beside
 * other busy programs.
 */
const LOADER_NICE = 5;

/**
 * Lets this thread, not the process, give way to others that want the processor, so that loading
 * does not slow the serving threads on a machine with few cores. Where the system has no such thing
 * (it is Linux that takes a thread's number for a process's), nothing happens.
 */
export function giveWay(): void {
  try {
    // "<pid>/task/<tid>"
    const thread = Number(basename(readlinkSync('/proc/thread-self')));
    os.setPriority(thread, LOADER_NICE);
  } catch {
    // It is a kindness, not a need.
  }
}
