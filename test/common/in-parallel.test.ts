import { expect, test } from 'vitest';
import { inParallel } from '../../src/common/in-parallel.ts';

test('works are done side by side, so many at a time', async () => {
  let running = 0;
  let most = 0;
  const done: number[] = [];
  await inParallel([5, 1, 4, 2, 3], 2, async (turns) => {
    most = Math.max(most, ++running);
    for (let i = 0; i < turns; i++) await Promise.resolve();
    running--;
    done.push(turns);
  });
  expect(most).toBe(2);
  expect(done.toSorted()).toEqual([1, 2, 3, 4, 5]);
  expect(done[0]).toBe(1);
});

test('all jobs are waited for when one fails, and the first failure is reported', async () => {
  const done: number[] = [];
  const work = async (number: number): Promise<void> => {
    await Promise.resolve();
    if (number > 1) throw new Error(`number ${number}`);
    done.push(number);
  };
  await expect(inParallel([0, 3, 2, 1], 2, work)).rejects.toThrow('number 3');
  expect(done).toEqual([0, 1]);
});
