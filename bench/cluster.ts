import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { shardFunctionOf } from '../src/shards/shards.ts';
import { readShards } from '../src/shards/shards-file.ts';
import { generatedKey, generatedValue } from '../src/traffic/data-set.ts';
import { compare, type Start, withStarted } from './contest.ts';
import { drop, md5Of } from './data.ts';
import { isThere } from './machine.ts';
import { answers, freePort, launch, type Running } from './processes.ts';
import type { Row, Section } from './result.ts';
import { MAIN, VALUE_BYTES } from './scenarios.ts';
import { fileOf, type StartOptions } from './servers.ts';

const GOROMDB = resolve('bin/goromdb.js');

/** A cluster of one server for each shard. */
interface Layout {
  /** What the first server is called, which is the one that is measured. */
  readonly name: string;
  /** The slots of each shard. */
  readonly slots: readonly string[];
}

/** The first server has next to no keys: each request hops. */
const ALL_HOP: Layout = { name: 'goromdb, all keys hop', slots: ['0-0', '1-16383'] };

const QUARTERS = ['0-4095', '4096-8191', '8192-12287', '12288-16383'];
const SHARE_HOPS: Layout = { name: 'goromdb, 3 of 4 keys hop', slots: QUARTERS };

/** Starts a cluster. @returns The first server, with the whole cluster to be stopped. */
async function startLayout(layout: Layout, options: StartOptions): Promise<Running> {
  const [first, ...others] = await startNodes(layout, options);
  return withOthers(first, others);
}

async function startNodes(
  { name, slots }: Layout,
  options: StartOptions,
): Promise<readonly Running[]> {
  const ports: number[] = [];
  for (const _ of slots) ports.push(await freePort());
  const shardsFile = join(fileOf(options.folder, name), '..', 'shards.toml');
  const tables = slots.map((range, i) => {
    const address = `127.0.0.1:${ports[i]}`;
    return `[[shards]]\nname = "s${i}"\nidx = ${i}\naddress = "${address}"\nslots = "${range}"\n`;
  });
  writeFileSync(shardsFile, tables.join('\n'));
  const { shardOf } = shardFunctionOf(readShards(shardsFile));
  const nodes: Running[] = [];
  for (const [shard, port] of ports.entries()) {
    const file = fileOf(options.folder, `${name} ${shard}`);
    await dropShard(file, options, (key) => shardOf(key, 0, key.length) === shard);
    const command = [
      ...[process.execPath, GOROMDB, '-file', file, '-addr', `127.0.0.1:${port}`],
      ...['-shards', shardsFile, '-shard', `s${shard}`],
    ];
    const start = { name, port, cpus: options.cpus, command, hasMeta: true };
    nodes.push(await launch(start, (running) => running.log().includes(' serves from slot ')));
  }
  return nodes;
}

function withOthers(first: Running, others: readonly Running[]): Running {
  const stop = async (): Promise<void> => {
    await Promise.all([first, ...others].map((running) => running.stop()));
  };
  return { ...first, stop };
}

async function dropShard(
  file: string,
  { data }: StartOptions,
  isOwn: (key: Buffer) => boolean,
): Promise<void> {
  const records: Record<string, string> = {};
  for (let id = 0; id < data.keys; id++) {
    const key = generatedKey(id);
    if (isOwn(Buffer.from(key))) records[key] = generatedValue(key, data.valueBytes)!;
  }
  writeFileSync(`${file}.made`, JSON.stringify(records));
  drop(`${file}.made`, file, await md5Of(`${file}.made`));
}

/** A server with all keys. */
function startDirect(options: StartOptions): Promise<Running> {
  return startLayout({ name: 'goromdb, direct', slots: ['0-16383'] }, options);
}

/** nutcracker in front of servers, each of which it asks for the keys that are there. */
async function startNutcracker(
  name: string,
  slots: readonly string[],
  options: StartOptions,
): Promise<Running> {
  const owners = await startNodes({ name: `behind ${name}`, slots }, options);
  const [port, statsPort] = [await freePort(), await freePort()];
  const path = join(options.folder, `nutcracker-${slots.length}.yml`);
  const settings = {
    ...{ listen: `127.0.0.1:${port}`, hash: 'crc16', distribution: 'modula' },
    ...{ timeout: 1000, redis: false, client_connections: 12_000 },
  };
  const lines = Object.entries(settings).map(([name, value]) => `  ${name}: ${value}`);
  // With these weights, and names in the order of the ranges, modula leads a slot to its server.
  const servers = owners.map(({ port: own }, i) => {
    return `   - 127.0.0.1:${own}:${16_384 / owners.length} s${i}`;
  });
  const text = ['bench:', ...lines, '  servers:', ...servers, ''];
  writeFileSync(path, text.join('\n'));
  const command = ['nutcracker', '-c', path, '-s', String(statsPort), '-a', '127.0.0.1'];
  const start = { name, port, cpus: options.cpus, command };
  try {
    return withOthers(await launch(start, () => answers(port)), owners);
  } catch (error) {
    await Promise.all(owners.map((owner) => owner.stop()));
    throw error;
  }
}

const NUTCRACKERS: readonly Start[] = [
  (options) => startNutcracker('nutcracker, 4 servers', QUARTERS, options),
  (options) => startNutcracker('nutcracker, 1 server', ['0-16383'], options),
];

/** What a request costs at the server that a client asks, when another one has the key. */
export const cluster: Section = async (effort) => {
  const data = { keys: 100_000, valueBytes: VALUE_BYTES };
  const hasNutcracker = isThere('nutcracker', '--version');
  const starts: readonly Start[] = [
    (options) => startLayout(ALL_HOP, options),
    (options) => startLayout(SHARE_HOPS, options),
    startDirect,
    ...(hasNutcracker ? NUTCRACKERS : []),
  ];
  const notes = hasNutcracker ? [] : [{ name: 'nutcracker', text: 'is not installed' }];
  return withStarted(starts, data, 1, effort, async (contest) => {
    const rows: Row[] = [];
    for (const scenario of MAIN) rows.push(await compare(contest, scenario));
    return { rows, notes };
  });
};
