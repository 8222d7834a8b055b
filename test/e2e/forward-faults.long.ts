import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { ClusterNodes, type ClusterNodesOptions } from '../support/cluster-nodes.ts';
import { temporaryFolder } from '../support/folder.ts';
import { waitFor } from '../support/patience.ts';
import { RawClient, WHOLE_GET } from '../support/raw-client.ts';

const RECORDS = Object.fromEntries(
  Array.from({ length: 1_000 }, (_, i) => [`key:${i}`, `value of ${i}`]),
);
const KEYS = Object.keys(RECORDS);

function start(options: Omit<ClusterNodesOptions, 'shards' | 'records'>): Promise<ClusterNodes> {
  return ClusterNodes.start({ shards: 2, records: Object.entries(RECORDS), ...options });
}

async function clientOf({ nodes }: ClusterNodes, node = 0): Promise<RawClient> {
  return RawClient.connect({ kind: 'tcp', host: '127.0.0.1', port: nodes[node].port });
}

function hitOf(key: string): string {
  return `VALUE ${key} 0 ${RECORDS[key].length}\r\n${RECORDS[key]}\r\nEND\r\n`;
}

/** Clients that ask one node for all keys again and again. */
async function load(cluster: ClusterNodes) {
  const clients = await Promise.all(Array.from({ length: 10 }, () => clientOf(cluster)));
  let isOver = false;
  let replies = 0;
  const wrong: string[] = [];
  const faults: string[] = [];
  const running = clients.map(async (client, c) => {
    for (let i = c; !isOver; i++) {
      const key = KEYS[i % KEYS.length];
      const reply = await client.ask(`get ${key}\r\n`, WHOLE_GET);
      replies++;
      if (reply.startsWith('SERVER_ERROR ')) faults.push(reply);
      else if (reply !== hitOf(key)) wrong.push(reply);
    }
  });
  const more = async (count: number): Promise<void> => {
    const until = replies + count;
    await waitFor(() => expect(replies).toBeGreaterThan(until));
  };
  const end = async (): Promise<void> => {
    isOver = true;
    await Promise.all(running);
  };
  return { wrong, faults, more, end };
}

test('replicas are killed and stopped under load, and no reply is wrong or an error', async () => {
  const cluster = await start({ replicas: 2 });
  const { wrong, faults, more, end } = await load(cluster);
  await more(2_000);
  const [asking, , preferred, other] = cluster.nodes;
  await preferred.process.kill('SIGKILL');
  await more(2_000);
  await cluster.restart(preferred);
  await asking.process.says(new RegExp(`:${preferred.port} answers again`));
  await more(2_000);
  preferred.process.child.kill('SIGSTOP');
  await more(2_000);
  preferred.process.child.kill('SIGCONT');
  await asking.process.says(new RegExp(`(:${preferred.port} answers again[^]*){2}`));
  await more(2_000);
  await other.process.kill('SIGKILL');
  await more(2_000);
  await end();
  expect(wrong).toEqual([]);
  expect(faults).toEqual([]);
});

test('a shard whose only server is killed or stopped is an error, until it is back', async () => {
  const cluster = await start({ replicas: 1 });
  const client = await clientOf(cluster);
  const own = KEYS.find((key) => cluster.shardOf(key) === 0)!;
  const other = KEYS.find((key) => cluster.shardOf(key) === 1)!;
  const get = (key: string): Promise<string> => client.ask(`get ${key}\r\n`, WHOLE_GET);
  expect(await get(other)).toBe(hitOf(other));
  const [, owner] = cluster.nodes;
  await owner.process.kill('SIGKILL');
  expect(await get(other)).toMatch(/^SERVER_ERROR shard1 does not answer: 127/);
  expect(await get(own)).toBe(hitOf(own));
  await cluster.restart(owner);
  await waitFor(async () => expect(await get(other)).toBe(hitOf(other)));
  owner.process.child.kill('SIGSTOP');
  expect(await get(other)).toMatch(
    /^SERVER_ERROR shard1 does not answer: .*has not answered in time/,
  );
  expect(await get(own)).toBe(hitOf(own));
  owner.process.child.kill('SIGCONT');
  await waitFor(async () => expect(await get(other)).toBe(hitOf(other)));
});

test('servers with different shards.toml tell so, and never give a wrong answer', async () => {
  const cluster = await start({ replicas: 1, hash: 'crc32' });
  const [asking, owner] = cluster.nodes;
  await owner.process.kill('SIGTERM');
  const text = readFileSync(cluster.file, 'utf8');
  // What was its shard's by one hash is not by another one: it serves nothing of it.
  writeFileSync(cluster.file, text.replace('hash = "crc32"', 'hash = "crc32a"'));
  void cluster.restart(owner).catch(() => {});
  const client = await clientOf(cluster);
  const others = KEYS.filter((key) => cluster.shardOf(key) === 1);
  await waitFor(async () => {
    expect(await client.ask(`get ${others[0]}\r\n`, WHOLE_GET)).toMatch(
      /^SERVER_ERROR shard1 does not answer: .*it has no data yet/,
    );
  });
  for (const key of others)
    expect(await client.ask(`get ${key}\r\n`, WHOLE_GET)).toMatch(/^SERVER_ERROR/);
  await asking.process.says(/node .* has other shards \(epoch .*give all nodes the same shards/);
  await owner.process.says(/a server at .*, which asks for keys, has other shards \(epoch/);
});

test('servers with TLS and logins ask each other so too', async () => {
  const pem = (name: string): string =>
    fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));
  const users = join(temporaryFolder(), 'users');
  writeFileSync(users, '# comment\nann:secret:1\nben:other\n');
  const flags = [
    ...['-tls-cert', pem('server.pem'), '-tls-key', pem('server.key')],
    ...['-tls-client-ca', pem('ca.pem'), '-auth-file', users],
  ];
  const cluster = await start({ replicas: 1, flags });
  const client = await RawClient.connect(
    { kind: 'tcp', host: '127.0.0.1', port: cluster.nodes[0].port },
    {
      ...{ ca: readFileSync(pem('ca.pem')), cert: readFileSync(pem('client.pem')) },
      key: readFileSync(pem('client.key')),
    },
  );
  expect(await client.ask('set x 0 0 9\r\nben other\r\n')).toBe('STORED\r\n');
  const hits = KEYS.map((key) => hitOf(key).replace('END\r\n', '')).join('');
  // A part of the reply is still to be encrypted when the rest is asked for.
  expect(await client.ask(`get ${KEYS.join(' ')}\r\n`, 'END\r\n')).toBe(`${hits}END\r\n`);
});
