import { describe, expect, test } from 'vitest';
import { Gathered } from '../../src/once/gathered.ts';
import { HeldBytes } from '../../src/once/held-bytes.ts';

describe('bytes that come in pieces', () => {
  test('are in one piece of memory, which is at most twice as large', () => {
    const gathered = new Gathered();
    for (let i = 0; i < 100_000; i++) gathered.append(Buffer.of(i % 251));
    expect(gathered.bytes.every((byte, i) => byte === i % 251)).toBe(true);
    expect(gathered.bytes.buffer.byteLength).toBeLessThanOrEqual(200_000);
  });

  test('are kept from where they were not done with', () => {
    const gathered = new Gathered();
    gathered.append(Buffer.from('one two'));
    gathered.dropFirst(4);
    gathered.append(Buffer.from('!'));
    expect(String(gathered.bytes)).toBe('two!');
    gathered.dropFirst(4);
    expect(gathered.length).toBe(0);
  });
});

test('beyond the limit of all, those are cut for whom the most is held', () => {
  const limit = new HeldBytes(100);
  const cut: string[] = [];
  const holders = ['a', 'b', 'c', 'd'].map((name) => ({ cut: () => void cut.push(name) }));
  limit.note(holders[0], 40);
  limit.note(holders[1], 50);
  limit.note(holders[2], 10);
  expect(cut).toEqual([]);
  limit.note(holders[3], 20);
  expect(cut).toEqual(['b']);
  limit.note(holders[0], 0);
  limit.note(holders[2], 80);
  expect(cut).toEqual(['b']);
  limit.note(holders[2], 90);
  expect(cut).toEqual(['b', 'c']);
});
