import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { haproxyFile } from '../../src/cli/cluster/haproxy.ts';
import { nutcrackerFile } from '../../src/cli/cluster/nutcracker.ts';
import { requirePackages } from '../clients/harness.ts';
import { freePort } from '../support/free-ports.ts';
import { waitFor } from '../support/patience.ts';
import { runProxy } from '../support/proxies.ts';
import { type ShardServers, startShardServers } from '../support/shard-servers.ts';
import { TextClient } from '../support/text-client.ts';

const KEYS = Array.from({ length: 20_000 }, (_, i) => Buffer.from(keyOf(i)));
const RAW = Array.from({ length: 500 }, (_, i) =>
  Buffer.from([200 + (i % 50), 128 + (i % 100), 65 + (i % 26), 48 + Math.floor(i / 50)]),
);

function keyOf(i: number): string {
  return [`key:${i}`, `{tag${i}}x`, `a{tag${i}}x{q}`, `{}${i}`, `{a${i}`, `größe:${i}`][i % 6];
}

function address(port: number): { kind: 'tcp'; host: string; port: number } {
  return { kind: 'tcp', host: '127.0.0.1', port };
}

async function nutcracker(servers: ShardServers, isRedis: boolean): Promise<number> {
  requirePackages('nutcracker');
  const port = await freePort();
  const folder = dirname(servers.file);
  const file = join(folder, `nutcracker-${port}.yml`);
  writeFileSync(
    file,
    nutcrackerFile({ topology: servers.topology, listen: address(port), isRedis }),
  );
  const logs = ['-o', join(folder, 'log'), '-p', join(folder, `pid-${port}`)];
  const stats = ['-a', '127.0.0.1', '-s', String(await freePort())];
  await runProxy('nutcracker', ['-c', file, ...logs, ...stats], port);
  return port;
}

/** How many keys a client of memcached gets right, a hundred at a time. */
async function readText(port: number, keys: readonly Buffer[]): Promise<number> {
  const client = await TextClient.connect(address(port));
  let right = 0;
  for (let at = 0; at < keys.length; at += 100) {
    const some = keys.slice(at, at + 100).map((key) => key.toString());
    for (const { value } of await client.get(some)) if (some.includes(value.toString())) right++;
  }
  client.close();
  return right;
}

async function readRedis(port: number, keys: readonly Buffer[]): Promise<number> {
  // nutcracker closes a connection that asks for what it does not know, such as INFO or CLIENT.
  const client = new Redis({ port, enableReadyCheck: false, disableClientInfo: true });
  let right = 0;
  for (let at = 0; at < keys.length; at += 100) {
    const some = keys.slice(at, at + 100);
    const values = await Promise.all(some.map((key) => client.getBuffer(key)));
    right += values.filter((value, i) => value !== null && some[i].equals(value)).length;
  }
  client.disconnect();
  return right;
}

test.each([
  ['slots', 4],
  ['slots', 8],
  ['crc32', 5],
  ['crc32a', 3],
] as const)('nutcracker asks the right shard, with %s over %i', async (hash, count) => {
  const keys = [...KEYS, ...RAW];
  const servers = await startShardServers(hash, count, 1, keys);
  expect(await readText(await nutcracker(servers, false), KEYS)).toBe(KEYS.length);
  expect(await readRedis(await nutcracker(servers, true), keys)).toBe(keys.length);
});

test('HAProxy asks the nodes that answer', async () => {
  requirePackages('haproxy');
  const keys = KEYS.slice(0, 1_000);
  const servers = await startShardServers('slots', 1, 2, keys);
  const port = await freePort();
  const file = join(dirname(servers.file), 'haproxy.cfg');
  writeFileSync(file, haproxyFile(servers.topology, address(port)));
  await runProxy('haproxy', ['-db', '-f', file], port);
  // On a busy machine a check that comes late takes a node out for a moment, and its connections.
  const readAnew = (): Promise<number> => waitFor(() => readText(port, keys));
  expect(await readAnew()).toBe(keys.length);
  await servers.end(0, 0);
  for (let i = 0; i < 4; i++) expect(await readAnew()).toBe(keys.length);
});
