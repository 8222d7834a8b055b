import process from 'node:process';
import { expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { Reply } from '../../../src/protocol/reply.ts';
import { respProtocol } from '../../../src/protocol/resp/resp.ts';
import { Random } from '../../support/random-bytes.ts';
import { contextOf } from '../../support/session.ts';
import { tableOf } from '../../support/storages.ts';
import { ask, req } from './harness.ts';

/** The longest common subsequence that Redis finds, by a table of its own. */
function lcsOf(a: string, b: string): string {
  const table = Array.from({ length: a.length + 1 }, () => Array<number>(b.length + 1).fill(0));
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const longest = Math.max(table[i - 1][j], table[i][j - 1]);
      table[i][j] = a[i - 1] === b[j - 1] ? table[i - 1][j - 1] + 1 : longest;
    }
  }
  let found = '';
  for (let i = a.length, j = b.length; i > 0 && j > 0; ) {
    if (a[i - 1] === b[j - 1]) {
      found = a[i - 1] + found;
      i--;
      j--;
    } else if (table[i - 1][j] > table[i][j - 1]) i--;
    else j--;
  }
  return found;
}

it('LCS finds the same whatever was compared before', () => {
  const random = new Random(19);
  const word = (): string =>
    Array.from({ length: 1 + random.below(200) }, () => 'abcd'[random.below(4)]).join('');
  const words = Array.from({ length: 60 }, word);
  const records = words.map((value, i) => [`${i}`, value] as const);
  const storage = tableOf([...records, ['full', 'z'.repeat(512)]]);
  for (let i = 0; i + 1 < words.length; i++) {
    // Leaves every place of the table it takes as large as it can be.
    expect(ask(storage, 'LCS full full LEN')).toBe(512);
    expect(ask(storage, `LCS ${i} ${i + 1}`), `${words[i]} ${words[i + 1]}`).toBe(
      lcsOf(words[i], words[i + 1]),
    );
  }
});

it('LCS takes one byte or two, and as many as its limit allows', () => {
  const long = `${'x'.repeat(256 * 1024 - 1)}a`;
  const storage = tableOf([
    ['a', 'a'],
    ['long', long],
    ['ab', 'ab'],
    ['half', long.slice(long.length / 2)],
  ]);
  expect(ask(storage, 'LCS a long')).toBe('a');
  expect(ask(storage, 'LCS ab half')).toBe('a');
  expect(ask(storage, 'LCS long a IDX')).toEqual([
    'matches',
    [
      [
        [long.length - 1, long.length - 1],
        [0, 0],
      ],
    ],
    'len',
    1,
  ]);
});

it('LCS takes no memory for each call', () => {
  const values = ['k', 'l'].map((name) => [name, Buffer.alloc(512, name)] as const);
  const handler = createSimpleHandler(tableOf(values));
  const session = respProtocol.createSession(contextOf(handler));
  const reply = new Reply();
  const input = req('LCS', 'k', 'l', 'LEN');
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 20; i++) {
    session.receive(input, 0, input.length, reply);
    expect(Buffer.concat(reply.take()).toString()).toBe(':0\r\n');
    reply.reset();
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(512 * 1024);
});
