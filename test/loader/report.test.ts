import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ProgressMemory } from '../../src/loader/progress.ts';
import { logMapping } from '../../src/loader/report.ts';
import { collectingLogger } from '../support/collecting-logger.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('while a map is written, the log', () => {
  test('says every 10 seconds how far it is, until it is done', () => {
    const { lines, ...logger } = collectingLogger();
    const progress = new ProgressMemory();
    const stop = logMapping('/drop/data.json', progress, logger);
    progress.write('map', 0);
    vi.advanceTimersByTime(9_999);
    expect(lines).toEqual([]);
    vi.advanceTimersByTime(1);
    progress.write('map', 2_500_000_000);
    vi.advanceTimersByTime(10_000);
    expect(lines).toEqual([
      'info /drop/data.json is larger than memory; mapping it, 0 B are done',
      'info /drop/data.json is larger than memory; mapping it, 2.5 GB are done',
    ]);
    stop();
    vi.advanceTimersByTime(60_000);
    expect(lines).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('says nothing in the other stages, or of what is in memory', () => {
    const { lines, ...logger } = collectingLogger();
    const progress = new ProgressMemory();
    logMapping('/drop/data.json', progress, logger);
    for (const stage of ['verify', 'scan', 'index', 'move', 'switch'] as const) {
      progress.write(stage, 1);
      vi.advanceTimersByTime(10_000);
    }
    expect(lines).toEqual([]);
  });
});
