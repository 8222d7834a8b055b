import { readFileSync } from 'node:fs';
import { GoromdbError } from '../common/errors.ts';

/** Clock ticks a second of /proc: `USER_HZ` is 100 on every machine that Linux runs Node on. */
const TICKS_PER_SECOND = 100;

/** The processor time and memory of a process so far. */
export interface ProcessUsage {
  /** Processor time in user and kernel mode, of all threads. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

/**
 * What the system has counted for some processes, together.
 *
 * @throws GoromdbError LOAD_FAILED when there is no such process, or no Linux.
 */
export function sumUsage(pids: readonly number[]): ProcessUsage {
  const all = pids.map(readUsage);
  return {
    cpuSeconds: all.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    residentBytes: all.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
  };
}

/** See proc(5). */
function readUsage(pid: number): ProcessUsage {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses, which may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      residentBytes: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024,
    };
  } catch (cause) {
    const message = `process ${pid}: expected its numbers in /proc, as Linux has them; found none`;
    throw new GoromdbError('LOAD_FAILED', message, { cause });
  }
}
