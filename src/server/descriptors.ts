import { readFileSync } from 'node:fs';

/**
 * Descriptors of the program itself, and of each serving thread: 28 and 7 were measured (2026-11-21).
 */
const OWN_DESCRIPTORS = 64;
const DESCRIPTORS_PER_THREAD = 16;

const LIMITS_FILE = '/proc/self/limits';

/**
 * How many descriptors this process may have open. Node has raised the soft limit to the hard one
 * at its start, where the system lets it.
 *
 * @returns undefined where the system does not report it: only Linux does.
 */
export function descriptorsMax(limitsFile: string = LIMITS_FILE): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync(limitsFile, 'utf8'))?.[1];
    if (soft === undefined) return undefined;
    return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return undefined;
  }
}

/**
 * The warning for an owner whose limit on connections cannot be reached: without a descriptor left,
 * libuv closes who connects.
 */
export function descriptorWarning(
  connectionsMax: number,
  threads: number,
  available: number | undefined = descriptorsMax(),
): string | undefined {
  const own = OWN_DESCRIPTORS + threads * DESCRIPTORS_PER_THREAD;
  const needed = connectionsMax + own;
  if (available === undefined || available >= needed) return undefined;
  const room = Math.max(1, available - own);
  return (
    `-conn-limit ${connectionsMax} needs ${needed} descriptors, and this process may open ${available}: ` +
    `allow it more ("ulimit -n ${needed}" in its shell, LimitNOFILE=${needed} in its systemd unit), ` +
    `or use -conn-limit ${room}; as it is, connections beyond about ${room} are closed without a word, and drops may not be loaded meanwhile`
  );
}
