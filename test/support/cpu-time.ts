import process from 'node:process';

/** Processor time of this process so far, in milliseconds: what others do with the machine is not in it. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
