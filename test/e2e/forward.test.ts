import { expect, onTestFinished, test } from 'vitest';
import { req } from '../protocol/resp/harness.ts';
import { ClusterNodes } from '../support/cluster-nodes.ts';
import { RawClient } from '../support/raw-client.ts';
import { TextClient } from '../support/text-client.ts';

const RECORDS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`key:${i}`, `value of ${i}`])),
  // Of these, what is in braces decides, if there is anything.
  ...Object.fromEntries(
    ['{a}1', '{b}1', '{}1', '{}2', '}{', '{{c}}', 'd{'].map((key) => [key, key]),
  ),
};

test('any node answers any key', async () => {
  const { nodes } = await ClusterNodes.start({
    shards: 2,
    replicas: 1,
    records: Object.entries(RECORDS),
  });
  for (const { port } of nodes) {
    const client = await TextClient.connect({ kind: 'tcp', host: '127.0.0.1', port });
    onTestFinished(() => client.close());
    const hits = await client.get([...Object.keys(RECORDS), 'none:1', 'none:2']);
    expect(hits.map(({ key, value }) => [key, String(value)])).toEqual(Object.entries(RECORDS));
    const stats = await client.stats();
    expect(stats.forwarded_percent).toBe(
      String(Math.round((100 * Number(stats.forwarded_out)) / Number(stats.cmd_get))),
    );
    expect(Number(stats.forwarded_out)).toBeGreaterThan(20);
    // These look keys up that are not counted as gets.
    const exists = req('EXISTS', ...Object.keys(RECORDS));
    const redis = await RawClient.connect({ kind: 'tcp', host: '127.0.0.1', port });
    redis.socket.end(Buffer.concat([...Array(20).fill(exists), req('QUIT')]));
    expect(await redis.readToEnd()).toMatch(/^(:\d+\r\n){20}\+OK/);
    expect((await client.stats()).forwarded_percent).toBe('100');
  }
});
