import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  answersOf,
  each,
  expectRightValues,
  program,
  requirePackages,
  run,
  runProgram,
  Served,
} from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'goromdb-go-'));
const binary = join(folder, 'use-gomemcache');

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Debian's package is a source tree in a GOPATH: nothing is fetched. */
beforeAll(async () => {
  requirePackages('golang-go', 'golang-github-bradfitz-gomemcache-dev');
  const env = { GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: join(folder, 'cache') };
  const args = ['build', '-o', binary, program('use-gomemcache.go')];
  const built = await run('go', args, { env, timeoutMs: 110_000 });
  if (built.code !== 0) throw new Error(built.stderr);
});

test('gomemcache reads every kind of value and survives refused writes', async () => {
  const served = await Served.start();
  const results = await runProgram(binary, [`${served.port}`]);
  expectRightValues(results);
  expect(answersOf(results)).toEqual({
    ...each(['set', 'long set', 'add', 'replace'], 'memcache: item not stored'),
    ...each(['cas', 'incr', 'decr', 'delete', 'touch'], 'memcache: cache miss'),
    ...each(['flush_all', 'delete all'], expect.stringContaining('flush_all not allowed')),
  });
  // One, and another after each error line.
  expect(await served.connectionsMade()).toBe(3);
});
