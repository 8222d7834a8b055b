import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  RESTART_WINDOW_MS,
  RESTARTS_MAX,
  RestartLimit,
} from '../../src/server/threads/restart-limit.ts';
import { Watchdog } from '../../src/server/threads/watchdog.ts';

class Patient {
  pings = 0;
  hangs = 0;
  answers = true;

  ping(): Promise<void> {
    this.pings++;
    return this.answers ? Promise.resolve() : new Promise(() => {});
  }

  onHang(): void {
    this.hangs++;
  }
}

describe('the watchdog', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
  });

  test('asks each thread once a round and lets those alone that answer', async () => {
    const patient = new Patient();
    const watchdog = new Watchdog(() => [patient], { askMs: 1000, hangRounds: 3 });
    await vi.advanceTimersByTimeAsync(10_000);
    watchdog.close();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(patient).toMatchObject({ pings: 10, hangs: 0 });
  });

  test('reports once a thread that does not answer, after so many rounds', async () => {
    const patient = new Patient();
    patient.answers = false;
    const watchdog = new Watchdog(() => [patient], { askMs: 1000, hangRounds: 3 });
    onTestFinished(() => watchdog.close());
    await vi.advanceTimersByTimeAsync(3000);
    expect(patient.hangs).toBe(0);
    await vi.advanceTimersByTimeAsync(1000);
    expect(patient.hangs).toBe(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(patient).toMatchObject({ pings: 1, hangs: 1 });
  });
});

describe('the limit of restarts', () => {
  test('lets the first replacement start at once and later ones wait longer', () => {
    const limit = new RestartLimit();
    const pauses = Array.from({ length: 4 }, () => limit.pauseMs(0));
    expect(pauses).toEqual([0, 50, 100, 150]);
  });

  test('ends it when there were too many in the window, and forgets those before it', () => {
    const limit = new RestartLimit();
    for (let i = 0; i < RESTARTS_MAX; i++) expect(limit.pauseMs(i)).toBeDefined();
    expect(limit.pauseMs(RESTART_WINDOW_MS - 1)).toBeUndefined();
    expect(limit.pauseMs(3 * RESTART_WINDOW_MS)).toBe(0);
  });
});
