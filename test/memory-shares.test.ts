import { expect, test } from 'vitest';
import { shareMemory } from '../src/memory-shares.ts';

const { POSITIVE_INFINITY: MAX } = Number;

test.each([
  [100, [undefined], [100]],
  [100, [undefined, undefined, undefined], [33, 33, 33]],
  [100, [60, undefined, undefined], [60, 20, 20]],
  [100, [100, undefined], [100, 0]],
  [0, [undefined, undefined], [0, 0]],
  [MAX, [5, undefined], [5, MAX]],
  [MAX, [MAX, undefined], [MAX, MAX]],
  [undefined, [1e15, undefined], [1e15, 0]],
])('of %s bytes, data sets that ask for %j get %j', (total, own, shares) => {
  const sets = own.map((memoryBytes) => ({ memoryBytes }));
  expect(shareMemory(total, sets)).toEqual(shares);
});

test('what is a data set its own is not more than there is for all', () => {
  expect(() => shareMemory(100, [{ memoryBytes: 60 }, { memoryBytes: 41 }])).toThrow(
    'the data sets have 101 bytes of their own, which is more than the 100 of all of them',
  );
});
