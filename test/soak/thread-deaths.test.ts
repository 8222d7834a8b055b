import { expect, test } from 'vitest';
import { ThreadDeaths } from './thread-deaths.ts';

test('the soak takes a connection for lost only if its thread has died', () => {
  const deaths = new ThreadDeaths();
  const lost = { sinceMs: performance.now() - 1, port: 40_001 };
  const other = { ...lost, port: 40_002 };
  const unanswered = { ...lost, port: undefined };
  expect(deaths.isLost(unanswered)).toBe(false);
  deaths.begin();
  deaths.hear('thread 1 dies by throw with 40001,40003;');
  expect(deaths.hear('2026-01-31T03:00:00.000Z error serving thread 1 has died: x')).toBe(true);
  expect([lost, other, unanswered].map((one) => deaths.isLost(one))).toEqual([true, false, true]);
  deaths.hear('2026-01-31T03:00:00.000Z info serving thread 1 serves again');
  expect(deaths.isUnderWay).toBe(false);
  // A thread that died for another reason is a fault, and so is a connection that was lost later.
  expect(deaths.hear('2026-01-31T03:00:00.000Z error serving thread 1 has died: x')).toBe(false);
  const sinceMs = performance.now() + 1;
  expect(deaths.isLost({ sinceMs, port: 40_001 })).toBe(false);
  expect(deaths.isLost({ sinceMs, port: undefined })).toBe(false);
});
