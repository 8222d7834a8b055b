import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { gomemcacheSnippet } from '../../src/cli/cluster/gomemcache.ts';
import { phpMemcachedSnippet, pylibmcSnippet } from '../../src/cli/cluster/libmemcached.ts';
import { pymemcacheSnippet } from '../../src/cli/cluster/pymemcache.ts';
import type { ShardHash, Topology } from '../../src/shards/shards.ts';
import { requirePackages, run } from '../clients/harness.ts';
import { temporaryFolder } from '../support/folder.ts';
import { startShardServers } from '../support/shard-servers.ts';

const PROGRAMS = fileURLToPath(new URL('programs/', import.meta.url));
/** Debian's, which has its packages. */
const PYTHON = '/usr/bin/python3';

const KEYS = Array.from({ length: 5_000 }, (_, i) => {
  return Buffer.from([`key:${i}`, `{tag${i}}x`, `a{tag${i}}x{q}`, `{}${i}`, `{a${i}`][i % 5]);
});
const RIGHT = { right: KEYS.length, many: 500 };

/** The printed file and the program that uses it, in a folder of their own. */
function prepare(name: string, text: string, program: string): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, name), text);
  copyFileSync(join(PROGRAMS, program), join(folder, program));
  writeFileSync(join(folder, 'keys'), KEYS.map((key) => `${key}\n`).join(''));
  return folder;
}

async function found(command: string, args: readonly string[], env = {}): Promise<unknown> {
  const { stdout, stderr, code } = await run(command, args, { env });
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${stderr}${stdout}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

async function topologyOf(hash: ShardHash): Promise<Topology> {
  const { topology } = await startShardServers(hash, hash === 'slots' ? 4 : 3, 2, KEYS);
  return topology;
}

test.each(['slots', 'crc32', 'crc32a'] as const)('pymemcache, with %s', async (hash) => {
  requirePackages('python3-pymemcache');
  const program = 'read-pymemcache.py';
  const folder = prepare('shards.py', pymemcacheSnippet(await topologyOf(hash)), program);
  expect(await found(PYTHON, [join(folder, program), join(folder, 'keys')])).toEqual(RIGHT);
});

test('pymemcache reads from the other node of a shard when one has ended', async () => {
  requirePackages('python3-pymemcache');
  const { topology, end } = await startShardServers('slots', 4, 2, KEYS);
  for (const shard of [0, 1, 2, 3]) await end(shard, shard % 2);
  const program = 'read-pymemcache.py';
  // Each process keeps to one node of a shard: of these, some begin with those that have ended.
  for (let i = 0; i < 4; i++) {
    const folder = prepare('shards.py', pymemcacheSnippet(topology), program);
    expect(await found(PYTHON, [join(folder, program), join(folder, 'keys')])).toEqual(RIGHT);
  }
});

test.each(['slots', 'crc32', 'crc32a'] as const)('gomemcache, with %s', async (hash) => {
  requirePackages('golang-go', 'golang-github-bradfitz-gomemcache-dev');
  const program = 'read-gomemcache.go';
  const folder = prepare('shards.go', gomemcacheSnippet(await topologyOf(hash)), program);
  mkdirSync(join(folder, 'cache'));
  const env = {
    ...{ GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: join(folder, 'cache') },
  };
  const paths = [join(folder, program), join(folder, 'shards.go')];
  await run('go', ['build', '-o', join(folder, 'read'), ...paths], { env });
  expect(await found(join(folder, 'read'), [join(folder, 'keys')])).toEqual(RIGHT);
  const { stdout } = await run('gofmt', ['-l', ...paths], { env });
  expect(stdout).toBe('');
});

test('pylibmc, with crc32', async () => {
  requirePackages('python3-pylibmc');
  const program = 'read-pylibmc.py';
  const folder = prepare('shards.py', pylibmcSnippet(await topologyOf('crc32')), program);
  expect(await found(PYTHON, [join(folder, program), join(folder, 'keys')])).toEqual(RIGHT);
});

test('php-memcached, with crc32', async () => {
  requirePackages('php-cli', 'php-memcached');
  const program = 'read-php-memcached.php';
  const folder = prepare('shards.php', phpMemcachedSnippet(await topologyOf('crc32')), program);
  const args = [join(folder, program), join(folder, 'shards.php'), join(folder, 'keys')];
  expect(await found('php', args)).toEqual(RIGHT);
});
