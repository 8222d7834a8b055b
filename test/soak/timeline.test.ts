import { expect, test } from 'vitest';
import { Timeline } from './timeline.ts';

/** The time between two moments: what happens at one moment counts for both sides. */
async function moment(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 2));
  return performance.now();
}

test('the soak takes an answer from before a swap only for a request from before it', async () => {
  const timeline = new Timeline();
  timeline.offered(1);
  timeline.serves(1);
  const before = await moment();
  expect(timeline.mayAnswer(2, before)).toBe(false);
  timeline.offered(2);
  expect(timeline.mayAnswer(1, before)).toBe(true);
  expect(timeline.mayAnswer(2, before)).toBe(true);
  timeline.serves(2);
  const after = await moment();
  expect(timeline.mayAnswer(1, before)).toBe(true);
  expect(timeline.mayAnswer(1, after)).toBe(false);
  expect(timeline.mayAnswer(2, after)).toBe(true);
});

test('the soak takes no answer from a file that was refused', async () => {
  const timeline = new Timeline();
  timeline.offered(1);
  timeline.serves(1);
  timeline.offered('foreign');
  timeline.withdrawn('foreign');
  const after = await moment();
  expect(timeline.mayAnswer('foreign', after)).toBe(false);
  expect(timeline.mayAnswer(1, after)).toBe(true);
});

test('the soak takes nothing older after a kill than what a client had seen', async () => {
  const timeline = new Timeline();
  timeline.offered(1);
  timeline.serves(1);
  timeline.offered(2);
  timeline.killed();
  // Nobody has seen the new one: both may serve, the old one until the new one is told of.
  const then = await moment();
  expect(timeline.mayAnswer(1, then)).toBe(true);
  expect(timeline.mayAnswer(2, then)).toBe(true);
  timeline.killed();
  const later = await moment();
  expect(timeline.mayAnswer(1, later)).toBe(false);
  expect(timeline.mayAnswer(2, later)).toBe(true);
});
