import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { collectGarbage } from '../src/collect-garbage.ts';

const collected: number[] = [];
const registry = new FinalizationRegistry((round: number) => collected.push(round));

/** Makes shared memory that nobody has any more. */
function leaveMemory(round: number): void {
  registry.register(new SharedArrayBuffer(1024), round);
}

test('shared memory that was let go of is collected', async () => {
  for (let round = 1; round <= 3; round++) {
    leaveMemory(round);
    // The optimising compiler may keep a value to the end of the turn.
    await setImmediate();
    collectGarbage();
    while (!collected.includes(round)) await setImmediate();
  }
  expect(collected).toEqual([1, 2, 3]);
});
