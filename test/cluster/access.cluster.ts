import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { Cluster, type ClusterOptions, Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ClusterNodes } from '../support/cluster-nodes.ts';
import { temporaryFolder } from '../support/folder.ts';
import { waitFor } from '../support/patience.ts';

const RECORDS = Array.from({ length: 100 }, (_, i): readonly [string, string] => [
  `key:${i}`,
  `value ${i}`,
]);

function pem(name: string): string {
  return fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
}

const TLS = ['-tls-cert', pem('server.pem'), '-tls-key', pem('server.key')];
const TRUSTING: ConnectionOptions = { ca: readFileSync(pem('ca.pem')), servername: 'localhost' };
const KNOWN: ConnectionOptions = {
  ...{ cert: readFileSync(pem('client.pem')), key: readFileSync(pem('client.key')) },
};

/** Two shards, the first of which has two nodes. */
async function start(flags: readonly string[]): Promise<ClusterNodes> {
  return await ClusterNodes.start({ shards: 2, replicas: 2, records: RECORDS, flags });
}

function connect({ nodes }: ClusterNodes, redisOptions: ClusterOptions['redisOptions']): Cluster {
  const [{ clusterPort: port }] = nodes;
  const client = new Cluster([{ host: '127.0.0.1', port }], { redisOptions });
  onTestFinished(() => client.disconnect());
  return client;
}

/** Kills a node: that no other one has lost sight of the rest shows that they reach each other. */
async function readAndKill(cluster: ClusterNodes, client: Cluster): Promise<void> {
  const readAll = async (): Promise<void> => {
    const values = await Promise.all(RECORDS.map(([key]) => client.get(key)));
    expect(values).toEqual(RECORDS.map(([, value]) => value));
  };
  await readAll();
  const [watching, killed] = cluster.nodes;
  const { process } = watching;
  const others = cluster.nodes.slice(1).map(({ clusterPort }) => clusterPort);
  const silent = (): readonly number[] => {
    const states = new Map<number, boolean>();
    for (const [, port, said] of process.stderr.matchAll(/node 127\.0\.0\.1:(\d+) of \S+ (\S+)/g)) {
      states.set(Number(port), said === 'does');
    }
    return others.filter((port) => states.get(port) === true);
  };
  await waitFor(() => expect(silent()).toEqual([]));
  await killed.process.kill('SIGKILL');
  await waitFor(() => expect(silent()).toEqual([killed.clusterPort]));
  await readAll();
}

describe('a Redis Cluster', () => {
  test('is read over TLS', async () => {
    const cluster = await start([...TLS, '-threads', '2']);
    await readAndKill(cluster, connect(cluster, { tls: TRUSTING }));
  });

  test('is read over TLS by clients with a certificate, and nodes notice each other without one', async () => {
    const cluster = await start([...TLS, '-tls-client-ca', pem('ca.pem')]);
    await readAndKill(cluster, connect(cluster, { tls: { ...TRUSTING, ...KNOWN } }));
  });

  test('is read by clients that log in, and nodes notice each other without', async () => {
    const users = join(temporaryFolder(), 'users');
    writeFileSync(users, 'default:secret\n');
    const cluster = await start(['-auth-file', users]);
    await readAndKill(cluster, connect(cluster, { password: 'secret' }));
    const stranger = new Redis({ host: '127.0.0.1', port: cluster.nodes[0].clusterPort });
    stranger.on('error', () => {});
    onTestFinished(() => stranger.disconnect());
    await expect(stranger.cluster('SLOTS')).rejects.toThrow('NOAUTH');
  });
});
