import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Cluster } from 'ioredis';
import { createCluster, RESP_TYPES } from 'redis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../clients/harness.ts';
import { ClusterNodes } from '../support/cluster-nodes.ts';
import { waitFor } from '../support/patience.ts';

const RECORDS = Array.from({ length: 5_000 }, (_, i): readonly [Buffer, Buffer] => {
  const key =
    i % 7 === 0 ? `{tag${i}}:k` : i % 7 === 1 ? `{}${i}` : i % 7 === 2 ? `größe:${i}` : `key:${i}`;
  const raw = i % 7 === 3 ? [Buffer.from([0, 255, 13, 10, i & 255])] : [];
  return [
    Buffer.concat([Buffer.from(key), ...raw]),
    Buffer.from(`value ${i} ${'v'.repeat(i % 300)}`),
  ];
});
const RIGHT = { right: RECORDS.length, absent: 50 };

const PROGRAMS = fileURLToPath(new URL('programs/', import.meta.url));
/** Debian's, which has redis-py 4. */
const PYTHON = '/usr/bin/python3';
const REDIS_PY_6 = '/opt/goromdb-test-clients/usr/lib/python3/dist-packages';
/** So long a client reads while a node is killed. */
const SECONDS = 6;

function start(): Promise<ClusterNodes> {
  return ClusterNodes.start({ shards: 4, replicas: 2, records: RECORDS });
}

/** The port of a node; programs are told different ones. */
function portOf({ nodes }: ClusterNodes, node: number): string {
  return String(nodes[node].clusterPort);
}

/** The records for programs of other languages. */
function recordsFile({ folder }: ClusterNodes): string {
  const path = join(folder, 'records');
  const lines = RECORDS.map((record) => record.map((part) => part.toString('hex')).join(' '));
  writeFileSync(path, lines.join('\n'));
  return path;
}

async function found(command: string, args: readonly string[], env = {}): Promise<unknown> {
  const { stdout, stderr, code } = await run(command, args, { env });
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${stderr}${stdout}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

/** Asks for all records over and over, ten at a time. @param isOver Whether to stop. */
async function readAll(
  get: (key: Buffer) => Promise<Buffer | string | null>,
  isOver: () => boolean = () => true,
): Promise<{ right: number; wrong: number; errors: string[]; slowestMs: number }> {
  const seen = { right: 0, wrong: 0, errors: [] as string[], slowestMs: 0 };
  const read = async (first: number): Promise<void> => {
    do {
      for (let i = first; i < RECORDS.length; i += 10) {
        const [key, value] = RECORDS[i];
        const startMs = performance.now();
        const answer = await get(key).catch((error: Error) => error);
        seen.slowestMs = Math.max(seen.slowestMs, performance.now() - startMs);
        if (answer instanceof Error) seen.errors.push(answer.message);
        else if (answer !== null && value.equals(Buffer.from(answer))) seen.right++;
        else seen.wrong++;
      }
    } while (!isOver());
  };
  await Promise.all(Array.from({ length: 10 }, (_, first) => read(first)));
  return seen;
}

function ioredis(cluster: ClusterNodes, scaleReads: 'master' | 'slave' | 'all'): Cluster {
  const client = new Cluster([{ host: '127.0.0.1', port: Number(portOf(cluster, 3)) }], {
    scaleReads,
  });
  onTestFinished(() => client.disconnect());
  return client;
}

type ReadsAll = (cluster: ClusterNodes, records: string) => Promise<void>;

function withIoredis(scaleReads: 'master' | 'slave' | 'all'): ReadsAll {
  return async (cluster) => {
    const client = ioredis(cluster, scaleReads);
    const seen = await readAll((key) => client.getBuffer(key));
    expect(seen).toMatchObject({ right: RECORDS.length, wrong: 0, errors: [] });
    expect(await client.mget('{tag0}:k', '{tag0}:none')).toEqual([RECORDS[0][1].toString(), null]);
  };
}

function withNodeRedis(useReplicas: boolean): ReadsAll {
  return async (cluster) => {
    const rootNodes = [{ url: `redis://127.0.0.1:${portOf(cluster, 5)}` }];
    const client = createCluster({ rootNodes, useReplicas, RESP: 3 }).withTypeMapping({
      [RESP_TYPES.BLOB_STRING]: Buffer,
    });
    await client.connect();
    onTestFinished(() => client.destroy());
    const seen = await readAll((key) => client.get(key));
    expect(seen).toMatchObject({ right: RECORDS.length, wrong: 0, errors: [] });
  };
}

function withRedisPy(env: NodeJS.ProcessEnv): ReadsAll {
  return async (cluster, records) => {
    const args = [`${PROGRAMS}use-redis-py.py`, portOf(cluster, 0), records];
    expect(await found(PYTHON, args, env)).toMatchObject({
      ...{ right: RECORDS.length, wrong: 0, errors: 0 },
      ...{ absent: Array(50).fill(null), keyslot: true, state: 'ok', nodes: 8 },
      many: RECORDS.slice(0, 50).map(([, value]) => value.toString('hex')),
    });
  };
}

const withPhpredis: ReadsAll = async (cluster, records) => {
  const args = [`${PROGRAMS}use-phpredis.php`, portOf(cluster, 1), records];
  expect(await found('php', args)).toMatchObject({
    ...{ ...RIGHT, wrong: 0, masters: 4 },
    many: RECORDS.slice(0, 50).map(([, value]) => value.toString('hex')),
  });
};

const withPredis: ReadsAll = async (cluster, records) => {
  const args = ['-d', 'include_path=/usr/share/php', `${PROGRAMS}use-predis.php`];
  expect(await found('php', [...args, portOf(cluster, 4), records])).toEqual({
    ...{ ...RIGHT, wrong: 0 },
  });
};

const withRedisRb: ReadsAll = async (cluster, records) => {
  const args = [`${PROGRAMS}use-redis-rb.rb`, portOf(cluster, 2), records];
  expect(await found('ruby', args)).toEqual({ ...RIGHT, wrong: 0 });
};

/** With a program in Go. @param node Which node it is told. */
function withGo(program: string, node: number): ReadsAll {
  return async (cluster, records) => {
    const binary = join(cluster.folder, program);
    const env = {
      ...{ GO111MODULE: 'off', GOPATH: '/usr/share/gocode' },
      GOCACHE: join(cluster.folder, 'go'),
    };
    const args = ['build', '-o', binary, `${PROGRAMS}${program}.go`];
    expect(await run('go', args, { env })).toMatchObject({ code: 0 });
    expect(await found(binary, [portOf(cluster, node), records])).toEqual(RIGHT);
  };
}

const withRedisCli: ReadsAll = async (cluster) => {
  const port = portOf(cluster, 6);
  for (const [key, value] of RECORDS.filter((_, i) => i % 7 === 0).slice(0, 20)) {
    const { stdout } = await run('redis-cli', ['-c', '-p', port, 'get', key.toString()]);
    expect(stdout).toBe(`${value}\n`);
  }
  const { stdout, code } = await run('redis-cli', ['--cluster', 'check', `127.0.0.1:${port}`]);
  expect(code).toBe(0);
  expect(stdout).toContain('[OK] 5000 keys in 4 masters.');
  expect(stdout).toContain('[OK] All nodes agree about slots configuration.');
  expect(stdout).toContain('[OK] All 16384 slots covered.');
};

const withRedisBenchmark: ReadsAll = async (cluster) => {
  const args = ['-p', portOf(cluster, 0), '--cluster', '-t', 'get', '-n', '5000', '-c', '8', '-q'];
  const { stdout, code } = await run('redis-benchmark', args);
  expect(code).toBe(0);
  expect(stdout).toContain('Cluster has 4 master nodes');
  expect(stdout).toMatch(/GET: .*requests per second/);
};

const CLIENTS: readonly (readonly [name: string, reads: ReadsAll])[] = [
  ['ioredis, of masters', withIoredis('master')],
  ['ioredis, of replicas', withIoredis('slave')],
  ['ioredis, of all nodes', withIoredis('all')],
  ['node-redis, of masters', withNodeRedis(false)],
  ['node-redis, of all nodes', withNodeRedis(true)],
  ['redis-py 4', withRedisPy({})],
  ['redis-py 6', withRedisPy({ PYTHONPATH: REDIS_PY_6 })],
  ['phpredis', withPhpredis],
  ['Predis', withPredis],
  ['redis-rb', withRedisRb],
  ['go-redis 5', withGo('use-go-redis', 7)],
  ['redisc', withGo('use-redisc', 2)],
  ['redis-cli', withRedisCli],
  ['redis-benchmark', withRedisBenchmark],
];

test('the clients of Redis Cluster read each key of four shards of two nodes', async () => {
  const cluster = await start();
  const records = recordsFile(cluster);
  for (const [name, reads] of CLIENTS) {
    await reads(cluster, records).catch((cause: unknown) => {
      throw new Error(`with ${name}: ${cause}`, { cause });
    });
  }
});

/** Kills a node when a second of reading is over, and has the client read on. */
async function killWhile<T>(cluster: ClusterNodes, reading: Promise<T>): Promise<T> {
  const [, victim] = cluster.nodes.filter(({ shard }) => shard === 1);
  const timer = setTimeout(() => victim.process.child.kill('SIGKILL'), 1_000);
  onTestFinished(() => clearTimeout(timer));
  const result = await reading;
  await waitFor(() => expect(victim.process.hasEnded).toBe(true));
  return result;
}

/** For docs/cluster.md. */
function report(line: string): void {
  process.stdout.write(`${line}\n`);
}

describe('a node that is killed', () => {
  test.each(['master', 'slave'] as const)('costs ioredis no error, of %s', async (scale) => {
    const cluster = await start();
    const client = ioredis(cluster, scale);
    const endMs = performance.now() + SECONDS * 1_000;
    const reading = readAll(
      (key) => client.getBuffer(key),
      () => performance.now() > endMs,
    );
    const { wrong, errors, right, slowestMs } = await killWhile(cluster, reading);
    report(`ioredis, ${scale}: ${right} gets, the slowest ${slowestMs.toFixed(0)} ms`);
    expect({ wrong, errors }).toEqual({ wrong: 0, errors: [] });
  });

  test('costs redis-py no error', async () => {
    const cluster = await start();
    const args = [portOf(cluster, 0), recordsFile(cluster), String(SECONDS)];
    const child = spawn(PYTHON, [`${PROGRAMS}use-redis-py.py`, ...args]);
    onTestFinished(() => void child.kill('SIGKILL'));
    const hasEnded = once(child, 'close');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe('ready');
    const { value } = await killWhile(cluster, lines.next());
    await hasEnded;
    report(`redis-py: ${value}`);
    expect(JSON.parse(value)).toMatchObject({ wrong: 0, errors: 0 });
  });
});
