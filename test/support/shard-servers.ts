import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { createServer } from '../../src/server/create-server.ts';
import { type ShardHash, shardFunctionOf, type Topology } from '../../src/shards/shards.ts';
import { readShards } from '../../src/shards/shards-file.ts';
import { temporaryFolder } from './folder.ts';
import { tableOf } from './storages.ts';

/** Servers that each have the keys of one shard, and know nothing of others. */
export interface ShardServers {
  /** shards.toml; it says where they are. */
  readonly file: string;
  readonly topology: Topology;
  /** Ends one node. */
  readonly end: (shard: number, node: number) => Promise<void>;
}

/** What is served: each key has itself as value. A key that is asked elsewhere is missed. */
export async function startShardServers(
  hash: ShardHash,
  count: number,
  replicas: number,
  keys: readonly Buffer[],
): Promise<ShardServers> {
  const file = join(temporaryFolder(), 'shards.toml');
  const ports = Array.from({ length: count }, (_, i) => i + 1);
  writeFileSync(
    file,
    tomlOf(
      hash,
      ports.map((port) => [port]),
    ),
  );
  const { shardOf } = shardFunctionOf(readShards(file));
  const own: Buffer[][] = ports.map(() => []);
  for (const key of keys) own[shardOf(key, 0, key.length)].push(key);
  const servers = own.map((some) =>
    Array.from({ length: replicas }, () => {
      const handler = createSimpleHandler(tableOf(some.map((key) => [key, key])));
      const server = createServer({ handler });
      onTestFinished(() => server.close(0));
      return server;
    }),
  );
  const listening = servers.map((nodes) =>
    Promise.all(
      nodes.map(async (server) => {
        const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
        return address.kind === 'tcp' ? address.port : 0;
      }),
    ),
  );
  writeFileSync(file, tomlOf(hash, await Promise.all(listening)));
  const end = (shard: number, node: number): Promise<void> => servers[shard][node].close(0);
  return { file, topology: readShards(file), end };
}

function tomlOf(hash: ShardHash, ports: readonly (readonly number[])[]): string {
  const shards = ports.map(([first, ...others], idx) => {
    const replicas = others.map((port) => `"127.0.0.1:${port}"`).join(', ');
    const head = `[[shards]]\nname = "shard${idx}"\nidx = ${idx}\naddress = "127.0.0.1:${first}"`;
    return `${head}\nreplicas = [${replicas}]\n`;
  });
  return `hash = "${hash}"\n${shards.join('')}`;
}
