import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ShardFunction, type ShardHash, shardFunctionOf } from '../../src/shards/shards.ts';
import { readShards } from '../../src/shards/shards-file.ts';
import { drop } from './drop.ts';
import { temporaryFolder } from './folder.ts';
import { freePorts } from './free-ports.ts';
import { GoromdbProcess } from './goromdb-process.ts';
import { bytesOf, type TestRecord } from './storages.ts';
import { writeTable } from './table-file.ts';

/** A server of a cluster, in a process of its own. */
export interface ClusterNode {
  readonly shard: number;
  readonly port: number;
  /** Where clients of a Redis Cluster are answered. */
  readonly clusterPort: number;
  process: GoromdbProcess;
}

export interface ClusterNodesOptions {
  readonly shards: number;
  readonly replicas: number;
  readonly records: readonly TestRecord[];
  /** With another than `slots`, the default, there is no Redis Cluster. */
  readonly hash?: ShardHash;
  /** More flags of each node. */
  readonly flags?: readonly string[];
}

/** The nodes of a cluster on loopback, each with its shard of some records. */
export class ClusterNodes {
  readonly folder = temporaryFolder();
  readonly nodes: ClusterNode[] = [];
  readonly #options: ClusterNodesOptions;
  #shardOf: ShardFunction['shardOf'] = () => 0;

  private constructor(options: ClusterNodesOptions) {
    this.#options = options;
  }

  /** Starts all nodes, and waits until each serves. */
  static async start(options: ClusterNodesOptions): Promise<ClusterNodes> {
    const cluster = new ClusterNodes(options);
    const { shards, replicas, records, hash = 'slots' } = options;
    const ports = await freePorts(shards * replicas * 2);
    const places = Array.from({ length: shards * replicas }, (_, i) => ({
      ...{ shard: Math.floor(i / replicas), port: ports[2 * i], clusterPort: ports[2 * i + 1] },
    }));
    writeFileSync(cluster.file, tomlOf(places, shards, hash));
    const { shardOf } = shardFunctionOf(readShards(cluster.file));
    cluster.#shardOf = shardOf;
    const split: TestRecord[][] = Array.from({ length: shards }, () => []);
    for (const record of records) {
      const key = bytesOf(record[0]);
      split[shardOf(key, 0, key.length)].push(record);
    }
    for (const [shard, own] of split.entries()) {
      await writeTable(join(cluster.folder, `shard${shard}.db`), own);
    }
    for (const place of places) {
      cluster.nodes.push({ ...place, process: cluster.#run(place, true) });
    }
    await Promise.all(cluster.nodes.map((node) => cluster.serves(node)));
    return cluster;
  }

  /** The path of shards.toml. */
  get file(): string {
    return join(this.folder, 'shards.toml');
  }

  /** Number of the shard of a key. */
  shardOf(key: string): number {
    return this.#shardOf(Buffer.from(key), 0, Buffer.byteLength(key));
  }

  /** Starts a node again that has ended. */
  async restart(node: ClusterNode): Promise<void> {
    node.process = this.#run(node, false);
    await this.serves(node);
  }

  async serves({ process }: ClusterNode): Promise<void> {
    await process.says(/listens on/);
    await process.says(/generation \d+ .*serves/);
  }

  #run({ shard, port }: Omit<ClusterNode, 'process'>, isFirst: boolean): GoromdbProcess {
    const folder = join(this.folder, String(port));
    const file = join(folder, 'data.db');
    if (isFirst) {
      mkdirSync(folder);
      drop(file, readFileSync(join(this.folder, `shard${shard}.db`)));
    }
    const { flags = [] } = this.#options;
    const own = ['-shards', this.file, '-shard', `shard${shard}`, '-addr', `127.0.0.1:${port}`];
    return new GoromdbProcess([...own, '-file', file, '-basedir', join(folder, 'state'), ...flags]);
  }
}

function tomlOf(
  places: readonly Omit<ClusterNode, 'process'>[],
  shards: number,
  hash: ShardHash,
): string {
  const addresses = ({ port, clusterPort }: (typeof places)[number]): readonly string[] => [
    `address = "127.0.0.1:${port}"`,
    ...(hash === 'slots' ? [`cluster-address = "127.0.0.1:${clusterPort}"`] : []),
  ];
  const tables = Array.from({ length: shards }, (_, shard) => {
    const [first, ...others] = places.filter((place) => place.shard === shard);
    const replicas = others.map((place) => `{ ${addresses(place).join(', ')} }`);
    return [
      '[[shards]]',
      `name = "shard${shard}"`,
      `idx = ${shard}`,
      ...addresses(first),
      `replicas = [${replicas.join(', ')}]\n`,
    ].join('\n');
  });
  return [`hash = "${hash}"`, ...tables].join('\n');
}
