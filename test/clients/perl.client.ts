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

const PERL = '/usr/bin/perl';
const STORES = ['set', 'add', 'replace', 'append', 'prepend'];
const COUNTS = ['incr', 'decr', 'delete', 'touch'];

test('Cache::Memcached reads every kind of value and survives refused writes', async () => {
  requirePackages('libcache-memcached-perl');
  const served = await Served.start();
  const results = await runProgram(PERL, [program('use-cache-memcached.pl'), `${served.port}`]);
  expectRightValues(results);
  expect(results).toMatchObject({
    version: PROTOCOL_VERSION,
    items: ITEMS,
    reconnects: 0,
    // It asks for `stats malloc` too, which memcached does not know any more either.
    other_stats: ['hosts', 'self', 'total'],
  });
  expect(answersOf(results)).toEqual({
    ...each([...STORES, 'long set', 'delete'], ''),
    ...each(['incr', 'decr'], null),
    flush_all: 0,
  });
  expect(await served.connectionsMade()).toBe(2);
});

test('Cache::Memcached::Fast reads every kind of value and survives refused writes', async () => {
  requirePackages('libcache-memcached-fast-perl');
  const served = await Served.start();
  const file = program('use-cache-memcached-fast.pl');
  const results = await runProgram(PERL, [file, `${served.port}`]);
  expectRightValues(results);
  expect(results).toMatchObject({
    gets: ['value', expect.anything()],
    gets_miss: null,
    gets_many: ['empty', 'plain'],
    gat: 'value',
    gat_many: ['empty', 'plain'],
    version: PROTOCOL_VERSION,
  });
  const verbs = [...STORES, ...COUNTS];
  const multi = [...verbs, 'cas'].map((verb) => `${verb}_multi`);
  const unanswered = [...verbs, 'long set', 'cas', 'flush_all', ...multi].filter(
    (name) => name !== 'cas_multi',
  );
  expect(answersOf(results)).toEqual({
    // Refused; undefined would be an error.
    ...each([...verbs, 'long set', 'cas'], ''),
    ...each(multi, ['', '']),
    ...each(
      unanswered.map((name) => `noreply ${name}`),
      1,
    ),
    flush_all: null,
  });
  // The client that gives up a server after one error; the one that flushed, and its new one.
  expect(await served.connectionsMade()).toBe(3);
});
