import { expect, test } from 'vitest';
import { md5 } from '../support/drop.ts';
import {
  answersOf,
  each,
  expectRightValues,
  ITEMS,
  MANY,
  PROTOCOL_VERSION,
  program,
  requirePackages,
  runProgram,
  runThroughSwap,
  Served,
  SWAPPED,
  unpacked,
} from './harness.ts';

const STORES = ['set', 'add', 'replace', 'append', 'prepend', 'long set'];
const PYTHON = '/usr/bin/python3';

function quiet(names: readonly string[]): string[] {
  return names.map((name) => `noreply ${name}`);
}

test('pymemcache reads every kind of value and survives refused writes', async () => {
  requirePackages('python3', 'python3-pymemcache');
  const served = await Served.start();
  const results = await runProgram(PYTHON, ['-B', program('use-pymemcache.py'), `${served.port}`]);
  expectRightValues(results);
  expect(results).toMatchObject({
    gets: ['value', expect.stringMatching(/^\d+$/)],
    gets_miss: [null, null],
    gets_many: ['empty', 'plain'],
    version: PROTOCOL_VERSION,
    items: ITEMS,
    reconnects: 0,
  });
  expect(answersOf(results)).toEqual({
    ...each([...STORES, 'delete', 'touch'], false),
    ...each(['incr', 'decr', ...quiet(['incr', 'decr'])], null),
    set_many: ['plain', 'new'],
    'noreply set_many': [],
    delete_many: true,
    ...each(quiet([...STORES, 'cas', 'delete', 'touch', 'delete_many', 'flush_all']), true),
    // Its word for "there is no such key".
    cas: null,
    flush_all: "MemcacheClientError: b'flush_all not allowed'",
  });
  expect(await served.connectionsMade()).toBe(2);
});

test.each(['text', 'binary'])(
  'pylibmc reads and survives refused writes (%s)',
  async (protocol) => {
    requirePackages('python3', 'python3-pylibmc');
    const served = await Served.start();
    const args = ['-B', program('use-pylibmc.py'), `${served.port}`, protocol];
    const results = await runProgram(PYTHON, args);
    expectRightValues(results);
    expect(results).toMatchObject({
      gets: ['value', expect.any(Number)],
      gets_miss: [null, null],
      version: PROTOCOL_VERSION,
      items: ITEMS,
      reconnects: 0,
    });
    const notAllowed = expect.stringMatching(/^SomeErrors: .* flush_all not allowed/);
    expect(answersOf(results)).toEqual({
      ...each([...STORES, 'delete', 'touch', 'delete_multi'], false),
      ...each(quiet([...STORES, 'delete']), true),
      ...each(['set_multi', 'add_multi'], ['plain', 'new']),
      'noreply set_multi': [],
      // 14: not stored; 16: not found.
      cas:
        protocol === 'binary'
          ? 'Error: error 14 from memcached_cas(plain)'
          : 'NotFound: error 16 from memcached_cas(plain)',
      ...each(['incr', 'decr'], 'NotFound: 1 keys not found'),
      incr_multi: 'NotFound: 2 keys not found',
      // Without an answer there is no number; the library leaves what it had.
      'noreply incr': expect.any(Number),
      // In the binary protocol the library takes any answer to a flush for success.
      flush_all: protocol === 'binary' ? true : notAllowed,
    });
    expect(await served.connectionsMade()).toBe(1);
  },
);

test('pylibmc learns of loud refusals in the binary protocol, and reads on', async () => {
  requirePackages('python3', 'python3-pylibmc');
  const served = await Served.start({ loudRefusals: true });
  const args = ['-B', program('use-pylibmc.py'), `${served.port}`, 'binary'];
  const results = await runProgram(PYTHON, args);
  expectRightValues(results);
  // It connects anew each time.
  expect(results.reconnects).toBeGreaterThan(0);
  const failure = expect.stringMatching(/^UnknownReadFailure: /);
  expect(answersOf(results)).toMatchObject(each([...STORES, 'delete', 'touch', 'incr'], failure));
});

test('python-memcache reads every kind of value and survives refused writes', async () => {
  requirePackages('python3', 'python3-memcache');
  const served = await Served.start();
  const results = await runProgram(PYTHON, [
    '-B',
    program('use-python-memcache.py'),
    `${served.port}`,
  ]);
  expectRightValues(results);
  expect(results).toMatchObject({
    gets: 'value',
    gets_miss: null,
    version: PROTOCOL_VERSION,
    items: ITEMS,
    reconnects: 0,
  });
  expect(answersOf(results)).toEqual({
    ...each([...STORES, 'cas'], false),
    ...each(quiet([...STORES, 'cas']), true),
    ...each(['incr', 'decr', ...quiet(['incr', 'decr'])], null),
    set_multi: ['plain', 'new'],
    'noreply set_multi': [],
    touch: 0,
    // To this client a key that was not there is as good as deleted.
    ...each(['delete', 'delete_multi', ...quiet(['touch', 'delete', 'delete_multi'])], 1),
    flush_all: null,
  });
  expect(await served.connectionsMade()).toBe(1);
});

test.each([
  ['redis-py', 'plain'],
  ['redis-py with a cache of its own', 'cache'],
])('%s reads every kind of value, before and after a swap', async (_, mode) => {
  requirePackages('python3', 'python3-async-timeout');
  const served = await Served.start();
  const env = { PYTHONPATH: unpacked('lib/python3/dist-packages') };
  const args = ['-B', program('use-redis.py'), `${served.port}`, mode];
  const results = await runThroughSwap(served, PYTHON, args, env);
  expectRightValues(results);
  const isCached = mode === 'cache';
  expect(results).toMatchObject({
    // The cache has the value already, and the server is not asked again.
    asked: isCached ? 0 : 10,
    again: ['value'],
    swapped: SWAPPED,
    items: ITEMS,
    pipeline: [md5(MANY.k1), null],
    info: isCached ? '3' : '2',
  });
  expect(answersOf(results)).toEqual(
    each(
      ['set', 'long set', 'delete', 'incr', 'flushall'],
      "ReadOnlyError: You can't write against a read only replica.",
    ),
  );
});
