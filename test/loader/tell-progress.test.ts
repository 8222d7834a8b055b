import { expect, onTestFinished, test, vi } from 'vitest';
import type { OfferNews } from '../../src/loader/generations/source.ts';
import { followLoad } from '../../src/loader/generations/tell-progress.ts';
import { ProgressMemory } from '../../src/loader/worker/progress.ts';
import { someOffer } from './some-source.ts';

test('an offer is told the progress of its load in percent, until that ends', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const told: OfferNews[] = [];
  const offer = { ...someOffer('x'.repeat(100)), tell: (news: OfferNews) => void told.push(news) };
  const progress = new ProgressMemory();
  progress.write('verify', 25);
  const stop = followLoad(offer).follow!(progress);
  progress.write('scan', 250);
  vi.advanceTimersByTime(500);
  stop();
  vi.advanceTimersByTime(5_000);
  expect(told).toEqual([
    { state: 'verifying', percent: 25 },
    { state: 'loading', stage: 'scan', percent: 100 },
  ]);
});
