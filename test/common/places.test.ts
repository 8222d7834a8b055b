import { expect, test } from 'vitest';
import { Places } from '../../src/common/turns.ts';

test('places are taken in the order of asking, and never more than there are', async () => {
  const places = new Places(2);
  const entered: number[] = [];
  const enter = (number: number): Promise<void> =>
    places.take().then(() => void entered.push(number));
  await Promise.all([enter(1), enter(2)]);
  const third = enter(3);
  const fourth = enter(4);
  await new Promise(setImmediate);
  expect(entered).toEqual([1, 2]);
  places.giveBack();
  await third;
  expect(entered).toEqual([1, 2, 3]);
  places.giveBack();
  await fourth;
  expect(entered).toEqual([1, 2, 3, 4]);
});

test('an abort ends the wait, and the place goes to the next', async () => {
  const places = new Places(1);
  expect(await places.take()).toBe(true);
  const { signal, abort } = controller();
  const aborted = places.take(signal);
  const next = places.take();
  abort();
  expect(await aborted).toBe(false);
  places.giveBack();
  expect(await next).toBe(true);
  expect(await places.take(signal)).toBe(false);
});

test('an abort after a place was taken takes nothing away', async () => {
  const places = new Places(1);
  await places.take();
  const { signal, abort } = controller();
  const second = places.take(signal);
  places.giveBack();
  expect(await second).toBe(true);
  abort();
  places.giveBack();
  expect(await places.take()).toBe(true);
});

function controller(): { readonly signal: AbortSignal; readonly abort: () => void } {
  const aborting = new AbortController();
  return { signal: aborting.signal, abort: () => aborting.abort() };
}
