import { expect, test } from 'vitest';
import {
  answersOf,
  each,
  expectRightValues,
  ITEMS,
  program,
  requirePackages,
  runThroughSwap,
  Served,
  SWAPPED,
} from './harness.ts';

test.each(['text', 'binary'])(
  'spymemcached reads every kind of value, before and after a swap, and survives refused writes (%s)',
  async (protocol) => {
    requirePackages('default-jdk-headless', 'libspymemcached-java');
    const served = await Served.start();
    const classPath = ['-cp', '/usr/share/java/spymemcached.jar', '-XX:TieredStopAtLevel=1'];
    const args = [...classPath, program('UseSpymemcached.java'), `${served.port}`, protocol];
    const results = await runThroughSwap(served, 'java', args);
    expectRightValues(results);
    expect(results).toMatchObject({ gets: 'value', items: ITEMS, swapped: SWAPPED });
    expect(answersOf(results)).toEqual({
      ...each(['set', 'long set', 'add', 'replace', 'append', 'delete', 'touch'], false),
      cas: 'NOT_FOUND',
      incr: -1,
    });
    expect(await served.connectionsMade()).toBe(1);
  },
);
