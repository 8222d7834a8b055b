import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
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
import { freePorts } from '../support/free-ports.ts';
import { PATIENCE_MS, waitFor } from '../support/patience.ts';
import { runProxy } from '../support/proxies.ts';
import { TextClient } from '../support/text-client.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const KEYS = 5_000;
/** Of the nodes, from the first to the last one that a script is told. */
const PORTS = 32;
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

/** The end of a connection; nutcracker's words for the end of its own to a node. */
const ENDED = /connection|ECONN|EPIPE|SERVER_ERROR (?:unknown|Broken pipe)/;

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
      if (!ENDED.test(text)) seen.wrong.push(text);
      client?.close();
      client = undefined;
      await new Promise(setImmediate);
    }
  }
  client?.close();
}

async function readCluster(client: Cluster, seen: Seen, signal: AbortSignal): Promise<void> {
  for (let i = 0; !signal.aborted; i++) {
    const numbers = Array.from({ length: 10 }, (_, n) => (i * 7 + n * 499) % KEYS);
    const values = await Promise.all(
      numbers.map((n) => client.get(`key:${n}`).catch((error: unknown) => String(error))),
    );
    for (const [at, value] of values.entries()) {
      if (value !== `value ${numbers[at]}`) seen.wrong.push(`${numbers[at]}: ${value}`);
    }
    seen.requests++;
    // Replies of a client that is not connected come without a turn of the event loop.
    await new Promise(setImmediate);
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

test('from 2 shards to 4 and to 8 in place, no client of any routing sees a wrong or missing value', async () => {
  requirePackages('haproxy', 'nutcracker');
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'bin'));
  symlinkSync(join(ROOT, 'bin/goromdb.js'), join(folder, 'bin/goromdb'));
  const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env.PATH}` };
  const dirOf = (shards: number): string => join(folder, String(shards));
  const [base] = await freePorts(PORTS);
  const script = async (name: string, ...args: readonly (string | number)[]): Promise<string> => {
    const path = join(ROOT, 'examples/cluster', name);
    const { code, stdout, stderr } = await run('sh', [path, ...args.map(String)], {
      ...{ env, timeoutMs: PATIENCE_MS },
    });
    expect([code, stderr]).toEqual([0, '']);
    return stdout;
  };

  const dir = dirOf(2);
  await script('populate.sh', dir, KEYS, 2, base);
  const launched = spawn('sh', [join(ROOT, 'examples/cluster/launch.sh'), dir], {
    env,
    stdio: 'ignore',
  });
  onTestFinished(() => void launched.kill('SIGTERM'));
  onTestFinished(() => script('end.sh', dir).then(() => {}));
  await waitFor(() => {
    if (launched.exitCode !== null) throw new Error('launch.sh has ended');
    expect(readFileSync(join(dir, 'status'), 'utf8')).toMatch(
      /^shard0 .*generation 1,.*\nshard1 .*generation 1,/,
    );
  });

  const topology = readShards(join(dir, 'shards.toml'));
  const [front, nut, stats] = await freePorts(3);
  writeFileSync(join(folder, 'haproxy.cfg'), haproxyFile(topology, address(front)));
  const yml = nutcrackerFile({ topology, listen: address(nut), isRedis: false });
  writeFileSync(join(folder, 'nutcracker.yml'), yml);
  await runProxy('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], front);
  const files = ['-o', join(folder, 'log'), '-p', join(folder, 'pid')];
  const args = [...files, '-a', '127.0.0.1', '-s', String(stats)];
  await runProxy('nutcracker', ['-c', join(folder, 'nutcracker.yml'), ...args], nut);
  const client = await connectCluster(topology);

  const abort = new AbortController();
  onTestFinished(() => abort.abort());
  const seen: Record<string, Seen> = {};
  const see = (name: string): Seen => {
    seen[name] = { requests: 0, wrong: [] };
    return seen[name];
  };
  const loads = [
    readText(front, see('any node, through HAProxy'), abort.signal),
    readText(nut, see('nutcracker'), abort.signal),
    readCluster(client, see('Redis Cluster'), abort.signal),
  ];
  const more = async (): Promise<void> => {
    const before = Object.values(seen).map(({ requests }) => requests);
    await waitFor(() => {
      const made = Object.values(seen).map(({ requests }, i) => requests - before[i]);
      expect(Math.min(...made)).toBeGreaterThan(REQUESTS);
    });
  };

  for (const [before, after] of [
    [2, 4],
    [4, 8],
  ]) {
    await more();
    const args = [dir, dirOf(before), dirOf(after), base + 2 * after];
    expect(await script('reshard.sh', ...args)).toMatch(new RegExp(`shard${after - 1} .*gener`));
    await more();
  }
  const { clusterAddress } = readShards(join(dir, 'shards.toml')).shards[7].nodes[0];
  expect(client.nodes().map(({ options }) => options.port)).toContain(clusterAddress!.port);
  abort.abort();
  await Promise.all(loads);
  expect(Object.values(seen).map(({ wrong }) => wrong)).toEqual([[], [], []]);
});
