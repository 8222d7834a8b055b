import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { LoadNews } from '../../src/common/status.ts';
import { LoadMonitor } from '../../src/loader/generations/load-monitor.ts';

beforeEach(() => void vi.useFakeTimers({ now: 1_000, toFake: ['Date'] }));
afterEach(() => void vi.useRealTimers());

function watched(): { monitor: LoadMonitor; told: LoadNews[]; counts: string[] } {
  const told: LoadNews[] = [];
  const counts: string[] = [];
  const onNews = (news: LoadNews): void => void told.push(news);
  const onCount = (name: string): void => void counts.push(name);
  return { monitor: new LoadMonitor({ onNews, onCount }), told, counts };
}

test('a drop waits since it was first seen to, through tries and for other reasons', () => {
  const { monitor, told } = watched();
  expect(told).toEqual([{ lastError: undefined, waiting: undefined }]);
  monitor.noteWait({ code: 'SUM_MISSING', text: 'a' });
  vi.setSystemTime(2_000);
  monitor.noteWait({ code: 'SUM_MISSING', text: 'a' });
  expect(told).toHaveLength(2);
  monitor.noteTry();
  expect(monitor.news.waiting).toBeUndefined();
  monitor.noteWait({ code: 'DISK_FULL', text: 'b' });
  expect(monitor.news.waiting).toEqual({ code: 'DISK_FULL', text: 'b', sinceMs: 1_000 });
  monitor.noteAbsence();
  monitor.noteAbsence();
  expect(told).toHaveLength(5);
  monitor.noteWait({ code: 'SUM_MISSING', text: 'c' });
  expect(monitor.news.waiting?.sinceMs).toBe(2_000);
});

test('the last error stays until a file serves, in one line; each failure counts', () => {
  const { monitor, counts } = watched();
  monitor.noteEvent({ kind: 'failed', text: 'no\nroom', code: 'DISK_FULL' });
  monitor.noteEvent({ kind: 'failed', text: 'no\nroom', code: 'DISK_FULL' });
  expect(monitor.news.lastError).toEqual({ code: 'DISK_FULL', text: 'no room', atMs: 1_000 });
  vi.setSystemTime(2_000);
  monitor.noteEvent({ kind: 'rejected', text: 'x'.repeat(1_000), code: 'DATA_CORRUPT' });
  monitor.noteEvent({ kind: 'started', text: 'y' });
  expect(monitor.news.lastError).toEqual({
    ...{ code: 'DATA_CORRUPT', text: 'x'.repeat(250), atMs: 2_000 },
  });
  monitor.noteEvent({ kind: 'serving', text: 'z' });
  expect(monitor.news.lastError).toBeUndefined();
  expect(counts).toEqual(['loads_failed', 'loads_failed', 'loads_rejected']);
});
