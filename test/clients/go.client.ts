import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  answersOf,
  each,
  expectRightValues,
  ITEMS,
  MANY,
  program,
  RECORDS,
  requirePackages,
  run,
  runProgram,
  runThroughSwap,
  Served,
  SWAPPED,
} from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'goromdb-go-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Debian's packages are source trees in a GOPATH: nothing is fetched. */
beforeAll(async () => {
  requirePackages(
    'golang-go',
    'golang-github-bradfitz-gomemcache-dev',
    'golang-gopkg-redis.v5-dev',
  );
  const env = { GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: join(folder, 'cache') };
  for (const name of ['use-gomemcache', 'use-go-redis']) {
    const args = ['build', '-o', join(folder, name), program(`${name}.go`)];
    const built = await run('go', args, { env, timeoutMs: 110_000 });
    if (built.code !== 0) throw new Error(built.stderr);
  }
});

test('gomemcache reads every kind of value and survives refused writes', async () => {
  const served = await Served.start();
  const results = await runProgram(join(folder, 'use-gomemcache'), [`${served.port}`]);
  expectRightValues(results);
  expect(answersOf(results)).toEqual({
    ...each(['set', 'long set', 'add', 'replace'], 'memcache: item not stored'),
    ...each(['cas', 'incr', 'decr', 'delete', 'touch'], 'memcache: cache miss'),
    ...each(['flush_all', 'delete all'], expect.stringContaining('flush_all not allowed')),
  });
  // One, and another after each error line.
  expect(await served.connectionsMade()).toBe(3);
});

test('go-redis reads every kind of value, before and after a swap, and survives refused writes', async () => {
  const served = await Served.start();
  const results = await runThroughSwap(served, join(folder, 'use-go-redis'), [`${served.port}`]);
  expectRightValues(results);
  expect(results).toMatchObject({
    scanned: Object.keys(MANY).length,
    pipeline: [MANY.k1, RECORDS.large.length],
    items: ITEMS,
    swapped: SWAPPED,
  });
  const readOnly = "READONLY You can't write against a read only replica.";
  expect(answersOf(results)).toEqual(each(['set', 'long set', 'incr', 'delete'], readOnly));
  expect(await served.connectionsMade()).toBe(1);
});
