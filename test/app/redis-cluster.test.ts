import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { planRedisCluster, type RedisClusterPlan } from '../../src/app/redis-cluster.ts';
import { parseAddress } from '../../src/common/address.ts';
import { placeOf } from '../../src/shards/place.ts';
import { readShards } from '../../src/shards/shards-file.ts';
import { temporaryFolder } from '../support/folder.ts';

/** Two shards: the first on two nodes, one of which is announced elsewhere. */
const TWO = `
[[shards]]
name = "a"
idx = 0
address = "n1:11211"
cluster-address = "n1:7000"
replicas = [{ address = "n2:11211", cluster-address = "0.0.0.0:7000", announce = "outside:7002" }]
[[shards]]
name = "b"
idx = 1
address = "n3:11211"
cluster-address = "n3:7000"
replicas = ["n4:11211"]
`;

/** What a node makes of a file. */
function plan(toml: string, shard = 'a', node = 'n2:11211'): RedisClusterPlan | undefined {
  const path = join(temporaryFolder(), 'shards.toml');
  writeFileSync(path, toml);
  const place = placeOf(readShards(path), { shard, node: parseAddress(node) });
  return planRedisCluster({ ...place, path }, false);
}

test('a server finds itself, and says where clients reach each node', () => {
  const { address, cluster, peers } = plan(TWO)!;
  expect(address).toEqual({ kind: 'tcp', host: '0.0.0.0', port: 7000 });
  expect(cluster).toMatchObject({ ownShard: 0, ownNode: 1 });
  expect(
    cluster.shards.map(({ firstSlot, lastSlot, nodes }) => [
      ...[firstSlot, lastSlot],
      ...nodes.map(({ host, port }) => `${host}:${port}`),
    ]),
  ).toEqual([
    [0, 8191, 'n1:7000', 'outside:7002'],
    [8192, 16383, 'n3:7000'],
  ]);
  expect(peers.map(({ host, port }) => `${host}:${port}`)).toEqual([
    'n1:7000',
    'n2:7000',
    'n3:7000',
  ]);
  expect(cluster.answering).toEqual(new Uint8Array([1, 1, 1]));
});

test('the ids of nodes are unique, and stay when shards are split and nodes announced elsewhere', () => {
  const idsOf = (toml: string): readonly string[] =>
    plan(toml)!.cluster.shards.flatMap(({ nodes }) => nodes.map(({ id }) => id));
  const ids = idsOf(TWO);
  expect(new Set(ids).size).toBe(3);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{40}$/);
  const more = ['c', 'd'].map(
    (name, i) =>
      `[[shards]]\nname = "${name}"\nidx = ${i + 2}\naddress = "${name}:1"\ncluster-address = "${name}:2"\n`,
  );
  const split = idsOf(TWO.replace('outside:7002', 'elsewhere:1') + more.join(''));
  expect(split.slice(0, 3)).toEqual(ids);
});

test('without a cluster-address there is no Redis Cluster, and with some each shard needs one', () => {
  expect(plan(TWO, 'b', 'n4:11211')).toBeUndefined();
  expect(
    plan(TWO.replace(/, cluster-address = .* }/, ' }').replaceAll(/cluster-address.*/g, '')),
  ).toBeUndefined();
  expect(() => plan(TWO.replace('cluster-address = "n3:7000"', ''))).toThrow(
    /shards\.toml:9: b: expected a cluster-address, as other shards have one/,
  );
  expect(() => plan(`hash = "crc32"\n${TWO}`)).toThrow(
    /shards\.toml:8: cluster-address: expected hash = "slots" beside it, found "crc32"/,
  );
  expect(() => plan(`hash = "crc32"\n${TWO}`, 'b', 'n3:11211')).toThrow(/shards\.toml:13: cluster/);
});
