import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  answersOf,
  each,
  expectRightValues,
  ITEMS,
  PROTOCOL_VERSION,
  program,
  requirePackages,
  runThroughSwap,
  Served,
  SWAPPED,
  unpacked,
} from './harness.ts';

const STORES = ['set', 'add', 'replace', 'append', 'prepend'];

const RUBY = '/usr/bin/ruby';
const DALLI = program('use-dalli.rb');

test('dalli reads every kind of value, before and after a swap, and survives refused writes', async () => {
  requirePackages('ruby', 'ruby-dalli');
  const served = await Served.start();
  const results = await runThroughSwap(served, RUBY, [DALLI, `${served.port}`, 'binary']);
  expectRightValues(results);
  expect(results).toMatchObject({
    gets: 'value',
    gets_miss: null,
    gets_many: ['empty', 'plain'],
    gat: 'value',
    version: PROTOCOL_VERSION,
    items: `${ITEMS}`,
    reconnects: 0,
    swapped: SWAPPED,
    dalli: expect.stringMatching(/^3\.0\./),
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

test('dalli reads and survives refused writes in the meta protocol', async () => {
  requirePackages('ruby', 'ruby-connection-pool');
  const served = await Served.start();
  const gems = unpacked('share/rubygems-integration/all/gems');
  const dalli = readdirSync(gems).find((name) => name.startsWith('dalli-'));
  const args = ['-I', `${gems}/${dalli}/lib`, DALLI, `${served.port}`, 'meta'];
  const results = await runThroughSwap(served, RUBY, args);
  expectRightValues(results);
  expect(results).toMatchObject({
    gets: 'value',
    gets_miss: null,
    // 3.2.8 loses empty values of a multi-get, with memcached too.
    gets_many: ['plain'],
    gat: 'value',
    version: PROTOCOL_VERSION,
    items: `${ITEMS}`,
    // After the error line that a flush is answered.
    reconnects: 1,
    swapped: SWAPPED,
    dalli: expect.stringMatching(/^3\.2\./),
  });
  expect(answersOf(results)).toEqual({
    ...each([...STORES, 'long set', 'set with cas', 'replace with cas', 'cas'], false),
    ...each(['delete', 'delete with cas'], false),
    ...each(['incr', 'decr'], null),
    // It is a read here: the key is there.
    touch: true,
    ...each(
      [...STORES, 'delete', 'incr'].map((name) => `quiet ${name}`),
      null,
    ),
    flush: 'Dalli::DalliError: Response error: CLIENT_ERROR',
  });
  // One more after the flush, and one for each of three pipelined gets: see use-dalli.rb.
  expect(await served.connectionsMade()).toBe(5);
});
