import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** What a process holds of the machine. */
export interface Vitals {
  readonly residentBytes: number;
  /** The most that it ever held, or since `forgetPeak`. */
  readonly peakBytes: number;
  readonly descriptors: number;
}

function kibibytesOf(status: string, field: string): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status);
  if (match === null) throw new Error(`no ${field} in ${status}`);
  return Number(match[1]);
}

/** @returns undefined on other systems than Linux. */
export function vitalsOf(pid: number): Vitals | undefined {
  if (process.platform !== 'linux') return undefined;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    residentBytes: kibibytesOf(status, 'VmRSS') * 1024,
    peakBytes: kibibytesOf(status, 'VmHWM') * 1024,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  };
}

/** Ticks of proc(5) a second. */
const TICKS_A_SECOND = 100;

/** Processor time of a process so far, in milliseconds; the time of day on other systems than Linux. */
export function processorMsOf(pid: number): number {
  if (process.platform !== 'linux') return performance.now();
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // Fields 14 and 15, in user mode and in the kernel.
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_A_SECOND;
}

/** Has `peakBytes` begin anew (proc(5), clear_refs): what a load took is no matter of an attack's. */
export function forgetPeak(pid: number): void {
  if (process.platform === 'linux') writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** How many descriptors this process may have open, and so may one that it starts. */
export function descriptorsMax(): number {
  if (process.platform !== 'linux') return 1024;
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(limits)!;
  return soft === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(soft);
}
