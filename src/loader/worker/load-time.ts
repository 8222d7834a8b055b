import { stat } from 'node:fs/promises';

/**
 * How long the work on a file may take: some time for any, and more for each byte, at a rate a hundred
 * times slower than what is slow. A scanner that does not come to an end must not keep up all others.
 */
const LOAD_MS_MIN = 10 * 60 * 1000;
const LOAD_BYTES_PER_MS = 1_000;

/** Node's timers cannot wait longer. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** How many milliseconds the work on a file may take. */
export async function loadMsMax(path: string, msMin: number = LOAD_MS_MIN): Promise<number> {
  const stats = await stat(path).catch(() => undefined);
  return Math.min(TIMER_MS_MAX, msMin + (stats?.size ?? 0) / LOAD_BYTES_PER_MS);
}
