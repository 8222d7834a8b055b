import { expect, test } from 'vitest';
import { Timeline } from './timeline.ts';

/** The time between two moments: what happens at one moment counts for both sides. */
async function moment(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 2));
  return performance.now();
}

test('the soak takes an answer from before a swap only for a request from before it', async () => {
  const timeline = new Timeline();
  timeline.offered('a', 1);
  timeline.serves('a');
  const before = await moment();
  expect(timeline.mayAnswer(2, before)).toBe(false);
  timeline.offered('b', 2);
  expect(timeline.mayAnswer(1, before)).toBe(true);
  expect(timeline.mayAnswer(2, before)).toBe(true);
  timeline.serves('b');
  const after = await moment();
  expect(timeline.mayAnswer(1, before)).toBe(true);
  expect(timeline.mayAnswer(1, after)).toBe(false);
  expect(timeline.mayAnswer(2, after)).toBe(true);
});

test('the soak takes no answer from a file that was refused', async () => {
  const timeline = new Timeline();
  timeline.offered('a', 1);
  timeline.serves('a');
  timeline.offered('f', 'foreign');
  timeline.withdrawn('f');
  const after = await moment();
  expect(timeline.mayAnswer('foreign', after)).toBe(false);
  expect(timeline.mayAnswer(1, after)).toBe(true);
});

test('the soak takes nothing older after a kill than what a client had seen', async () => {
  const timeline = new Timeline();
  timeline.offered('a', 1);
  timeline.serves('a');
  timeline.offered('b', 2);
  timeline.killed();
  // No client has seen the new one: both may serve, the old one until the log names the new one.
  const then = await moment();
  expect(timeline.mayAnswer(1, then)).toBe(true);
  expect(timeline.mayAnswer(2, then)).toBe(true);
  timeline.killed();
  const later = await moment();
  expect(timeline.mayAnswer(1, later)).toBe(false);
  expect(timeline.mayAnswer(2, later)).toBe(true);
});

test('the soak keeps two files without its records apart', async () => {
  const timeline = new Timeline();
  timeline.offered('f', 'foreign');
  timeline.serves('f');
  timeline.offered('g', 'foreign');
  timeline.withdrawn('g');
  expect(timeline.mayAnswer('foreign', await moment())).toBe(true);
  timeline.offered('a', 1);
  timeline.serves('a');
  expect(timeline.mayAnswer('foreign', await moment())).toBe(false);
});
