import { vi } from 'vitest';

/**
 * How long a test waits for an event: long enough for a machine that is far too busy, since only a
 * failing test takes so long.
 */
export const PATIENCE_MS = 600_000;

/** Waits until a check passes. @returns What it returns. */
export function waitFor<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: PATIENCE_MS, interval: 5 });
}
