import type { ChildProcess } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import type { SplitInto } from '../../build/split.ts';
import { formatAddress } from '../../common/address.ts';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { writeAtomically } from '../../common/files.ts';
import { freePorts, spawnMortal } from '../../once/trial/trial.ts';
import type { Shard, TcpAddress, Topology } from '../../shards/shards.ts';
import { readShards } from '../../shards/shards-file.ts';
import { dropFile } from '../folders/drop-file.ts';
import { readStatsStatus } from '../remote/remote-status.ts';
import { MADE_BY, nodeFolder, stateFolder } from './trial-folder.ts';

/** How often a node that starts is asked, and how long it may take to serve. */
const LOOK_MS = 50;
const START_MS_MAX = 600_000;
/** Emptied, and written at its end: an older process that still writes there leaves no gap. */
const { O_APPEND, O_CREAT, O_TRUNC, O_WRONLY } = constants;
const LOG_FLAGS = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND;
/** What a line begins with that says why the program ends. */
const PROGRAM = 'goromdb: ';
/** Of such a line, for the message. */
const SAID_CHARS_MAX = 2_000;

/** Where the nodes are to be. */
export interface TrialPlaces {
  readonly replicas: number;
  /** The first node's; the others have the ports that follow. Port 0: free ones. */
  readonly address: TcpAddress;
  readonly clusterAddress: TcpAddress;
}

/** Gives each shard its nodes: replica by replica, so that the first ports are one of each shard. */
export async function placeNodes(
  { hash, shards }: SplitInto,
  places: TrialPlaces,
): Promise<Topology> {
  const { replicas, address, clusterAddress } = places;
  const count = shards.length * replicas;
  const free = await freePorts(2 * count);
  const at = (base: TcpAddress, i: number, fallback: number): TcpAddress => {
    return { ...base, port: base.port === 0 ? fallback : base.port + i };
  };
  const placed = shards.map((shard): Shard => {
    const nodes = Array.from({ length: replicas }, (_, replica) => {
      const i = replica * shards.length + shard.idx;
      return {
        address: at(address, i, free[i]),
        clusterAddress: at(clusterAddress, i, free[count + i]),
      };
    });
    return { ...shard, nodes };
  });
  return { hash, shards: placed };
}

/** The file of shards for a topology with slots of equal size. */
function shardsFile({ shards }: Topology): string {
  const parts = shards.map(({ name, idx, nodes: [first, ...others] }) => {
    const textOf = ({ address, clusterAddress }: typeof first): readonly string[] => [
      `address = "${formatAddress(address)}"`,
      `cluster-address = "${formatAddress(clusterAddress!)}"`,
    ];
    const replicas = others.map((node) => `\n  { ${textOf(node).join(', ')} },`);
    const list = replicas.length === 0 ? '' : `replicas = [${replicas.join('')}\n]\n`;
    return `[[shards]]\nname = "${name}"\nidx = ${idx}\n${textOf(first).join('\n')}\n${list}`;
  });
  return parts.join('\n');
}

/** A node that runs. */
export interface TrialNode {
  readonly name: string;
  readonly address: TcpAddress;
  readonly child: ChildProcess;
}

/** Drops a shard's file for a node and starts it. Its log goes to its folder. */
export async function startNode(
  dir: string,
  { name }: Shard,
  node: number,
  address: TcpAddress,
): Promise<TrialNode> {
  const folder = nodeFolder(dir, `${name}-${node}`);
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'data.db');
  const source = join(dir, `${name}.db`);
  await dropFile({ source, file, force: false, checksSum: true, onProgress: () => {} });
  const own = formatAddress(address);
  const flags = ['-shards', join(dir, 'shards.toml'), '-shard', name, '-node', own, '-addr', own];
  const log = openSync(join(folder, 'log'), LOG_FLAGS);
  try {
    const state = stateFolder(dir, `${name}-${node}`);
    const args = [process.argv[1], ...flags, '-file', file, '-basedir', state];
    const child = spawnMortal(process.execPath, args, log);
    return { name: `${name}-${node}`, address, child };
  } finally {
    closeSync(log);
  }
}

/**
 * Waits until a node serves the data with this MD5.
 *
 * @throws GoromdbError SERVER_FAILED when it ends, or takes too long.
 */
export async function untilServing(
  dir: string,
  { name, address, child }: TrialNode,
  md5: string,
  signal: AbortSignal,
): Promise<void> {
  const untilMs = performance.now() + START_MS_MAX;
  while (!signal.aborted) {
    const status = await readStatsStatus(address).catch(() => undefined);
    if (status?.pid === child.pid && status?.sets[0]?.serving?.md5 === md5) return;
    const hasEnded = child.exitCode !== null || child.signalCode !== null;
    if (hasEnded || performance.now() > untilMs) {
      const log = join(nodeFolder(dir, name), 'log');
      const said = lastSaid(await readFile(log, 'utf8').catch(() => ''));
      const what = hasEnded ? 'has ended' : `did not serve within ${START_MS_MAX / 1000} s`;
      throw new GoromdbError(
        'SERVER_FAILED',
        `the node ${name} ${what}: ${said}; its log is ${log}`,
      );
    }
    await delay(LOOK_MS);
  }
}

/** Why a node has ended, by its log: a hint may follow the line that says it. */
export function lastSaid(log: string): string {
  const lines = log.trim().split('\n');
  const line = lines.findLast((one) => one.startsWith(PROGRAM)) ?? lines.at(-1)!;
  return (line.startsWith(PROGRAM) ? line.slice(PROGRAM.length) : line).slice(0, SAID_CHARS_MAX);
}

/**
 * Writes the file of shards, so that a node finds the old one or the new one.
 *
 * @throws GoromdbError OPTION_INVALID when the nodes would reject it: once, and not as many times.
 */
export async function writeShardsFile(dir: string, topology: Topology): Promise<string> {
  const path = join(dir, 'shards.toml');
  await writeAtomically(path, `${MADE_BY}\n${shardsFile(topology)}`);
  try {
    readShards(path);
  } catch (cause) {
    const message = `${messageOf(cause)}; that is what -addr and -cluster-addr make of it, and no node was started: choose others`;
    throw new GoromdbError('OPTION_INVALID', message, { cause });
  }
  return path;
}
