import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Cluster } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { haproxyFile } from '../../src/cli/cluster/haproxy.ts';
import { nutcrackerFile } from '../../src/cli/cluster/nutcracker.ts';
import type { Topology } from '../../src/shards/shards.ts';
import { readShards } from '../../src/shards/shards-file.ts';
import { requirePackages, run } from '../clients/harness.ts';
import { temporaryFolder } from '../support/folder.ts';
import { waitFor } from '../support/patience.ts';
import { freePort, runProxy } from '../support/proxies.ts';
import { TextClient } from '../support/text-client.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const KEYS = 5_000;
/** Requests that each client makes before the next step. */
const REQUESTS = 300;

function address(port: number): { kind: 'tcp'; host: string; port: number } {
  return { kind: 'tcp', host: '127.0.0.1', port };
}

/** What one client has seen. */
interface Seen {
  requests: number;
  wrong: string[];
}

/** Asks ten keys at a time, over and over; again when the connection has ended under it. */
async function readText(port: number, seen: Seen, signal: AbortSignal): Promise<void> {
  let client: TextClient | undefined;
  for (let i = 0; !signal.aborted; i++) {
    const keys = Array.from({ length: 10 }, (_, n) => `key:${(i * 7 + n * 499) % KEYS}`);
    try {
      client ??= await TextClient.connect(address(port));
      const hits = await client.get(keys);
      const right = hits.filter(({ key, value }) => `${value}` === `value ${key.slice(4)}`);
      if (right.length !== 10) seen.wrong.push(`${right.length} of ${hits.length} are right`);
      seen.requests++;
    } catch (error) {
      const text = String(error);
      if (!/connection|ECONN|EPIPE/.test(text)) seen.wrong.push(text);
      client?.close();
      client = undefined;
      await new Promise(setImmediate);
    }
  }
  client?.close();
}

async function readCluster(
  clientNow: () => Cluster,
  seen: Seen,
  signal: AbortSignal,
): Promise<void> {
  for (let i = 0; !signal.aborted; i++) {
    const numbers = Array.from({ length: 10 }, (_, n) => (i * 7 + n * 499) % KEYS);
    const client = clientNow();
    const values = await Promise.all(
      numbers.map((n) => client.get(`key:${n}`).catch((error: unknown) => String(error))),
    );
    for (const [at, value] of values.entries()) {
      if (value !== `value ${numbers[at]}`) seen.wrong.push(`${numbers[at]}: ${value}`);
    }
    seen.requests++;
  }
}

async function connectCluster({ shards }: Topology): Promise<Cluster> {
  const seeds = shards.map(({ nodes }) => ({
    host: '127.0.0.1',
    port: nodes[0].clusterAddress!.port,
  }));
  const client = new Cluster(seeds, { redisOptions: { socketTimeout: 60_000 } });
  await once(client, 'ready');
  onTestFinished(() => client.disconnect());
  return client;
}

test('from 2 shards to 4 and to 8, no client of any routing sees a wrong or missing value', async () => {
  requirePackages('haproxy', 'nutcracker');
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'bin'));
  symlinkSync(join(ROOT, 'bin/goromdb.js'), join(folder, 'bin/goromdb'));
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
  const script = (name: string): string => join(ROOT, 'examples/cluster', name);
  const dirOf = (shards: number): string => join(folder, String(shards));
  const base = 21_000 + 16 * Math.floor(Math.random() * 400);

  /** Runs a script that starts nodes, and waits until all serve. */
  const start = async (name: string, args: readonly string[]): Promise<ChildProcess> => {
    const child = spawn('sh', [script(name), ...args], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void child.kill('SIGTERM'));
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await waitFor(() => {
      if (child.exitCode !== null) throw new Error(`${name} has ended: ${said}`);
      expect(said).toMatch(/^shard0 .*generation 1/m);
    });
    return child;
  };

  const populated = await run(
    'sh',
    [script('populate.sh'), dirOf(2), String(KEYS), '2', String(base)],
    { env },
  );
  expect(populated.code).toBe(0);
  let nodes = await start('launch.sh', [dirOf(2)]);

  const [front, nut] = [await freePort(), await freePort()];
  const stats = await freePort();
  /** The proxies of some shards in place of those before. */
  const startProxies = async (
    shards: number,
    before?: { readonly haproxy: ChildProcess; readonly nutcracker: ChildProcess },
  ): Promise<{ readonly haproxy: ChildProcess; readonly nutcracker: ChildProcess }> => {
    const topology = readShards(join(dirOf(shards), 'shards.toml'));
    const cfg = join(dirOf(shards), 'haproxy.cfg');
    writeFileSync(cfg, haproxyFile(topology, address(front)));
    const yml = join(dirOf(shards), 'nutcracker.yml');
    writeFileSync(yml, nutcrackerFile({ topology, listen: address(nut), isRedis: false }));
    const handOver = before === undefined ? [] : ['-st', String(before.haproxy.pid)];
    const haproxy = await runProxy('haproxy', ['-db', '-f', cfg, ...handOver], front);
    if (before !== undefined) {
      before.nutcracker.kill('SIGTERM');
      await once(before.nutcracker, 'exit');
    }
    const files = ['-o', join(dirOf(shards), 'log'), '-p', join(dirOf(shards), 'pid')];
    const args = ['-c', yml, ...files, '-a', '127.0.0.1', '-s', String(stats)];
    return { haproxy, nutcracker: await runProxy('nutcracker', args, nut) };
  };
  let proxies = await startProxies(2);
  let client = await connectCluster(readShards(join(dirOf(2), 'shards.toml')));

  const abort = new AbortController();
  const seen: Record<string, Seen> = {};
  const see = (name: string): Seen => {
    seen[name] = { requests: 0, wrong: [] };
    return seen[name];
  };
  const loads = [
    readText(front, see('any node, through HAProxy'), abort.signal),
    readText(nut, see('nutcracker'), abort.signal),
    readCluster(() => client, see('Redis Cluster'), abort.signal),
  ];
  const more = async (): Promise<void> => {
    const before = Object.values(seen).map(({ requests }) => requests);
    await waitFor(() => {
      const made = Object.values(seen).map(({ requests }, i) => requests - before[i]);
      expect(Math.min(...made)).toBeGreaterThan(REQUESTS);
    });
  };

  for (const shards of [4, 8]) {
    await more();
    const port = String(base + 2 * shards);
    const next = await start('reshard.sh', [dirOf(shards / 2), dirOf(shards), port]);
    await more();
    proxies = await startProxies(shards, proxies);
    const old = client;
    client = await connectCluster(readShards(join(dirOf(shards), 'shards.toml')));
    await more();
    old.disconnect();
    nodes.kill('SIGTERM');
    await once(nodes, 'exit');
    nodes = next;
  }
  await more();
  abort.abort();
  await Promise.all(loads);
  expect(Object.values(seen).map(({ wrong }) => wrong)).toEqual([[], [], []]);
  nodes.kill('SIGTERM');
  await once(nodes, 'exit');
});
