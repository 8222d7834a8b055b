import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { shardFunctionOf } from '../src/shards/shards.ts';
import { readShards } from '../src/shards/shards-file.ts';
import { type GeneratedData, generatedKey, generatedValue } from '../src/traffic/data-set.ts';
import { type Builder, GOROMDB, timesOf } from './building.ts';
import { compare, type Start, withStarted } from './contest.ts';
import { drop, md5Of } from './data.ts';
import { isThere } from './machine.ts';
import { answers, freePort, launch, type Running } from './processes.ts';
import type { Effort, Row, Section, SectionResult } from './result.ts';
import { MAIN, VALUE_BYTES } from './scenarios.ts';
import { fileOf, type StartOptions } from './servers.ts';

const PROGRAM = resolve('bin/goromdb.js');

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

/** Starts a cluster. @returns The first server, with the processes of all, and all to be stopped. */
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
      ...[process.execPath, PROGRAM, '-file', file, '-addr', `127.0.0.1:${port}`],
      ...['-shards', shardsFile, '-shard', `s${shard}`],
    ];
    const start = { name, port, cpus: options.cpus, command, hasMeta: true };
    nodes.push(await launch(start, (running) => running.log().includes(' serves from slot ')));
  }
  return nodes;
}

/** The first, with the processes of all. */
function withOthers(first: Running, others: readonly Running[]): Running {
  const all = [first, ...others];
  const stop = async (): Promise<void> => {
    await Promise.all(all.map((running) => running.stop()));
  };
  return { ...first, pids: all.map(({ pid }) => pid), stop };
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

/** What a request costs at each hop: at the server that is asked, or nutcracker, and at those behind it. */
async function compareHops(data: GeneratedData, effort: Effort): Promise<SectionResult> {
  const hasNutcracker = isThere('nutcracker', '--version');
  const starts: readonly Start[] = [
    (options) => startLayout(ALL_HOP, options),
    (options) => startLayout(SHARE_HOPS, options),
    startDirect,
    ...(hasNutcracker ? NUTCRACKERS : []),
  ];
  const notes = hasNutcracker ? [] : [{ name: 'nutcracker', text: 'is not installed' }];
  return withStarted(starts, data, 1, effort, async ({ servers, options }) => {
    const seen = servers.flatMap((server): readonly Running[] => {
      const { name, pids = [] } = server;
      const owners = pids.filter((pid) => pid !== server.pid);
      const asked = { ...server, pids: [server.pid] };
      if (owners.length === 0) return [asked];
      return [{ ...server, name: `${name}: those behind`, pids: owners }, asked];
    });
    const rows: Row[] = [];
    for (const scenario of MAIN) rows.push(await compare({ servers: seen, options }, scenario));
    return { rows, notes };
  });
}

/** What a request costs all servers together, by the number of shards: clients ask any of them for any key. */
async function compareShards(data: GeneratedData, effort: Effort): Promise<SectionResult> {
  const starts = [4, 2, 1].map((count): Start => {
    const size = 16_384 / count;
    const slots = Array.from({ length: count }, (_, i) => `${i * size}-${(i + 1) * size - 1}`);
    const name = `all servers of ${count} ${count === 1 ? 'shard' : 'shards'}`;
    return (options) => startLayout({ name, slots }, options);
  });
  return withStarted(starts, data, 1, effort, async (contest) => {
    const rows: Row[] = [];
    for (const { name, flags } of MAIN) {
      rows.push(await compare(contest, { name: `${name}, any server`, flags }));
    }
    return { rows, notes: [] };
  });
}

const FROM_CSV = '-key key -value value "$1/in.csv"';
const POPULATING: readonly Builder[] = [
  { name: 'goromdb build', command: `${GOROMDB} build -o "$1/out" ${FROM_CSV}` },
  ...[4, 256].map((count) => ({
    name: `goromdb split, ${count} shards`,
    command: `${GOROMDB} split -shards ${count} -o "$1/out" ${FROM_CSV}`,
  })),
];
const POPULATED_KEYS = 1_000_000;

/** What requests cost where one server has not all keys, and how long it takes to fill shards. */
export const cluster: Section = async (effort) => {
  const data = { keys: 100_000, valueBytes: VALUE_BYTES };
  const hops = await compareHops(data, effort);
  const shards = await compareShards(data, effort);
  const keys = Math.min(POPULATED_KEYS, effort.keysMax);
  const populating = await timesOf(POPULATING, ['csv'], keys, effort.rounds);
  return { rows: [...hops.rows, ...shards.rows], notes: [...hops.notes, ...populating] };
};
