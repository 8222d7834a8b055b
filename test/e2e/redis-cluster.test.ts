import { once } from 'node:events';
import process from 'node:process';
import { Cluster, Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { ClusterNodes } from '../support/cluster-nodes.ts';
import { waitFor } from '../support/patience.ts';
import { TextClient } from '../support/text-client.ts';

const KEYS = Array.from({ length: 400 }, (_, i) =>
  i % 3 === 0 ? `{tag${i}}:k` : `schlüssel:${i}`,
);
const RECORDS = KEYS.map((key) => [Buffer.from(key), `value of ${key}`] as const);

/** The node with these keys, at its address for clients of a Redis Cluster. */
function direct(port: number): Redis {
  const client = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: 0 });
  client.on('error', () => {});
  onTestFinished(() => client.disconnect());
  return client;
}

function clusterClient(port: number): Cluster {
  const client = new Cluster([{ host: '127.0.0.1', port }]);
  onTestFinished(() => client.disconnect());
  return client;
}

/** The ports that a node tells clients of. */
async function listed(client: Redis): Promise<readonly number[]> {
  const slots = await client.cluster('SLOTS');
  return slots.flatMap(([, , ...nodes]) => nodes.map(([, port]) => port)).sort((a, b) => a - b);
}

/** What `stats` says of the other nodes. */
async function silentNodes(port: number): Promise<string> {
  const client = await TextClient.connect({ kind: 'tcp', host: '127.0.0.1', port });
  onTestFinished(() => client.close());
  return (await client.stats()).silent_nodes;
}

test('a client of a Redis Cluster reads all shards, and a killed or upgraded node costs it no error', async () => {
  const cluster = await ClusterNodes.start({
    ...{
      shards: 2,
      replicas: 2,
      records: RECORDS.map(([key, value]) => [key, Buffer.from(value)]),
    },
    flags: ['-threads', '2'],
  });
  const ports = cluster.nodes.map(({ clusterPort }) => clusterPort).sort((a, b) => a - b);
  const [first, second, third] = cluster.nodes;
  const watcher = direct(third.clusterPort);
  await waitFor(async () => expect(await listed(watcher)).toEqual(ports));
  const client = clusterClient(second.clusterPort);
  const readAll = async (): Promise<void> => {
    const values = await Promise.all(KEYS.map((key) => client.get(key)));
    expect(values).toEqual(KEYS.map((key) => `value of ${key}`));
  };
  await readAll();
  expect(await client.get('none')).toBeNull();

  await first.process.kill('SIGKILL');
  await readAll();
  const left = ports.filter((port) => port !== first.clusterPort);
  await waitFor(async () => expect(await listed(watcher)).toEqual(left));
  await readAll();
  expect(await silentNodes(third.port)).toBe('1');
  await cluster.restart(first);
  await waitFor(async () => expect(await listed(watcher)).toEqual(ports));

  const hasEnded = once(third.process.child, 'exit');
  third.process.child.kill('SIGUSR2');
  const [, pid] = await third.process.says(/upgraded: pid (\d+) serves/);
  onTestFinished(() => void process.kill(Number(pid), 'SIGKILL'));
  await readAll();
  await hasEnded;
  await readAll();
  expect(await listed(direct(third.clusterPort))).toEqual(ports);
});
