import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { shardFunctionOf } from '../../src/shards/shards.ts';
import { readShards } from '../../src/shards/shards-file.ts';
import { drop } from './drop.ts';
import { temporaryFolder } from './folder.ts';
import { freePorts } from './free-ports.ts';
import { GoromdbProcess } from './goromdb-process.ts';

/** A server of a cluster. */
interface ClusterNode {
  readonly shard: number;
  readonly port: number;
  process: GoromdbProcess;
  /** Starts it anew. */
  readonly start: () => Promise<void>;
}

export interface TestCluster {
  readonly nodes: readonly ClusterNode[];
  readonly shardsFile: string;
  /** Number of the shard of a key. */
  readonly shardOf: (key: string) => number;
}

/** Writes shards.toml. @param ports Of each shard's nodes. */
function writeShardsFile(ports: readonly (readonly number[])[], hash = 'slots'): string {
  const path = join(temporaryFolder(), 'shards.toml');
  const tables = ports.map(([first, ...replicas], i) =>
    [
      `[[shards]]\nname = "shard${i}"\nidx = ${i}\naddress = "127.0.0.1:${first}"`,
      `replicas = [${replicas.map((port) => `"127.0.0.1:${port}"`).join(', ')}]\n`,
    ].join('\n'),
  );
  writeFileSync(path, [`hash = "${hash}"`, ...tables].join('\n'));
  return path;
}

/** Starts the servers of a data set that is spread over shards. */
export async function startCluster(
  shards: number,
  replicas: number,
  records: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Promise<TestCluster> {
  const free = await freePorts(shards * replicas);
  const ports = Array.from({ length: shards }, (_, i) => {
    return free.slice(i * replicas, (i + 1) * replicas);
  });
  const shardsFile = writeShardsFile(ports);
  const { shardOf } = shardFunctionOf(readShards(shardsFile));
  const of = (key: string): number => shardOf(Buffer.from(key), 0, Buffer.byteLength(key));
  const nodes = ports.flatMap((own, shard) => {
    const mine = Object.entries(records).filter(([key]) => of(key) === shard);
    return own.map((port): ClusterNode => {
      const file = join(temporaryFolder(), 'data.json');
      drop(file, JSON.stringify(Object.fromEntries(mine)));
      const address = `127.0.0.1:${port}`;
      const args = ['-file', file, '-addr', address, '-node', address];
      const start = (): GoromdbProcess => {
        const all = [...args, '-shards', shardsFile, '-shard', `shard${shard}`, ...flags];
        return new GoromdbProcess(all);
      };
      const node = {
        ...{ shard, port, process: start() },
        start: async () => {
          node.process = start();
          await node.process.says(/ serves /);
        },
      };
      return node;
    });
  });
  await Promise.all(nodes.map(({ process }) => process.says(/generation \d+ serves/)));
  return { nodes, shardsFile, shardOf: of };
}
