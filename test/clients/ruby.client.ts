import { expect, test } from 'vitest';
import {
  answersOf,
  each,
  expectRightValues,
  ITEMS,
  PROTOCOL_VERSION,
  program,
  requirePackages,
  runProgram,
  Served,
} from './harness.ts';

const STORES = ['set', 'add', 'replace', 'append', 'prepend'];

test('dalli reads every kind of value and survives refused writes', async () => {
  requirePackages('ruby', 'ruby-dalli');
  const served = await Served.start();
  const results = await runProgram('/usr/bin/ruby', [program('use-dalli.rb'), `${served.port}`]);
  expectRightValues(results);
  expect(results).toMatchObject({
    gets: 'value',
    gets_miss: null,
    gets_many: ['empty', 'plain'],
    gat: 'value',
    version: PROTOCOL_VERSION,
    items: `${ITEMS}`,
    reconnects: 0,
  });
  expect(answersOf(results)).toEqual({
    ...each([...STORES, 'long set', 'set with cas', 'replace with cas', 'cas'], false),
    ...each(['delete', 'delete with cas', 'incr', 'decr', 'touch'], null),
    // There is no quiet form of these two in this client, nor of incr: they are answered.
    ...each(['quiet append', 'quiet prepend'], false),
    ...each(['quiet set', 'quiet add', 'quiet replace', 'quiet delete', 'quiet incr'], null),
    flush: [false],
  });
  expect(await served.connectionsMade()).toBe(1);
});
