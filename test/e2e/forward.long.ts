import { Redis } from 'ioredis';
import memjs from 'memjs';
import { expect, onTestFinished, test } from 'vitest';
import { ClusterNodes } from '../support/cluster-nodes.ts';
import { waitFor } from '../support/patience.ts';
import { TextClient } from '../support/text-client.ts';

const RECORDS = Object.fromEntries(
  Array.from({ length: 400 }, (_, i) => [`key:${i}`, `value of ${i}`]),
);
const KEYS = Object.keys(RECORDS);

test('any node answers any key in all protocols, also when a node is killed and is back', async () => {
  const cluster = await ClusterNodes.start({
    shards: 4,
    replicas: 2,
    records: Object.entries(RECORDS),
  });
  const { nodes } = cluster;
  const text = await TextClient.connect({ kind: 'tcp', host: '127.0.0.1', port: nodes[0].port });
  onTestFinished(() => text.close());
  const hits = await text.get([...KEYS, 'none:1', 'none:2', 'none:3']);
  expect(hits.map(({ key, value }) => [key, String(value)])).toEqual(Object.entries(RECORDS));

  const redis = new Redis(nodes[3].port, '127.0.0.1', { enableReadyCheck: false });
  onTestFinished(() => redis.disconnect());
  expect(await redis.mget(KEYS)).toEqual(Object.values(RECORDS));
  const replies = await redis.multi().get(KEYS[0]).mget(KEYS[1], KEYS[2]).exec();
  expect(replies?.map(([, reply]) => reply)).toEqual([
    ...[RECORDS[KEYS[0]], [RECORDS[KEYS[1]], RECORDS[KEYS[2]]]],
  ]);

  const binary = memjs.Client.create(`127.0.0.1:${nodes[5].port}`);
  onTestFinished(() => binary.close());
  const values = await Promise.all(KEYS.map((key) => binary.get(key)));
  expect(values.map(({ value }) => String(value))).toEqual(Object.values(RECORDS));

  // The first of shard 2's nodes, then the other: whichever is asked.
  for (const node of [nodes[4], nodes[5]]) {
    await node.process.kill('SIGKILL');
    // Until the node that was killed before is asked again, there is none.
    await waitFor(async () => expect(await redis.mget(KEYS)).toEqual(Object.values(RECORDS)));
    await cluster.restart(node);
  }
  const stats = await text.stats();
  expect(Number(stats.forwarded_out)).toBeGreaterThanOrEqual(300);
});
