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

const STORES = ['set', 'add', 'replace', 'append', 'prepend', 'long set', 'setMulti'];

/** PHP's name for "not found", which `deleteMulti` gives for each key. */
const RES_NOTFOUND = 16;

test.each(['text', 'binary'])(
  'php-memcached reads and survives refused writes (%s)',
  async (protocol) => {
    requirePackages('php-cli', 'php-memcached');
    const served = await Served.start();
    const args = [program('use-php-memcached.php'), `${served.port}`, protocol];
    const results = await runProgram('php', args);
    expectRightValues(results);
    expect(results).toMatchObject({
      gets: ['value', expect.any(Number)],
      delayed: ['empty', 'plain'],
      version: PROTOCOL_VERSION,
      items: ITEMS,
      reconnects: 0,
    });
    expect(answersOf(results)).toEqual({
      ...each(STORES, [false, 'NOT STORED']),
      cas: [false, protocol === 'binary' ? 'NOT STORED' : 'NOT FOUND'],
      ...each(['increment', 'decrement', 'delete', 'touch'], [false, 'NOT FOUND']),
      deleteMulti: [[RES_NOTFOUND, RES_NOTFOUND], 'NOT FOUND'],
      // In the binary protocol the library takes any answer to a flush for success.
      flush: protocol === 'binary' ? [true, 'SUCCESS'] : [false, 'SOME ERRORS WERE REPORTED'],
      ...each(
        [...STORES, 'delete', 'flush'].map((name) => `noreply ${name}`),
        [true, 'SUCCESS'],
      ),
    });
    // The client that waits for replies, and the one that does not.
    expect(await served.connectionsMade()).toBe(2);
  },
);
