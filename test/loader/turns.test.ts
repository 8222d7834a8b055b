import { expect, test } from 'vitest';
import { Turns } from '../../src/common/turns.ts';

test('works are done one at a time, in the order in which they were asked for', async () => {
  const turns = new Turns<'a' | 'b' | 'c'>();
  const seen: string[] = [];
  const work = (name: 'a' | 'b' | 'c') => async (): Promise<string> => {
    seen.push(`${name} begins, ${turns.current} has the turn`);
    await new Promise(setImmediate);
    seen.push(`${name} ends`);
    return name;
  };

  const all = [turns.take('a', work('a')), turns.take('b', work('b')), turns.take('c', work('c'))];
  expect(turns.current).toBe('a');
  expect(await Promise.all(all)).toEqual(['a', 'b', 'c']);

  expect(seen).toEqual([
    'a begins, a has the turn',
    'a ends',
    'b begins, b has the turn',
    'b ends',
    'c begins, c has the turn',
    'c ends',
  ]);
  expect(turns.current).toBeUndefined();
});

test('a job that fails rejects for whoever asked for it, and gives its turn to the next one', async () => {
  const turns = new Turns<'bad' | 'good'>();

  const bad = turns.take('bad', () => Promise.reject(new Error('full disk')));
  const good = turns.take('good', () => Promise.resolve('served'));

  await expect(bad).rejects.toThrow('full disk');
  await expect(good).resolves.toBe('served');
});

test('idle waits for all works, and fails with none of them', async () => {
  const turns = new Turns<'bad'>();
  turns.take('bad', () => Promise.reject(new Error('full disk'))).catch(() => {});

  await turns.idle();

  expect(turns.current).toBeUndefined();
});
