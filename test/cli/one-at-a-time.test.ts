import { expect, test } from 'vitest';
import { oneAtATime } from '../../src/cli/config/reread.ts';

test('what is asked for meanwhile is done once more, after what runs', async () => {
  const ends: (() => void)[] = [];
  let running = 0;
  const ask = oneAtATime(async () => {
    expect(++running).toBe(1);
    await new Promise<void>((resolve) => ends.push(resolve));
    running--;
  });
  const first = ask();
  void ask();
  void ask();
  expect(ends).toHaveLength(1);
  ends[0]();
  await expect.poll(() => ends.length).toBe(2);
  ends[1]();
  await first;
  expect(ends).toHaveLength(2);
  void ask();
  expect(ends).toHaveLength(3);
  ends[2]();
});
