import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { MANIFEST, type Manifest, readManifest } from '../../build/manifest.ts';
import type { RecordsRequest } from '../../build/read-inputs.ts';
import { equalShards, splitRecords } from '../../build/split.ts';
import { formatAddress } from '../../common/address.ts';
import { GoromdbError } from '../../common/errors.ts';
import { keysOf } from '../../common/quantities.ts';
import { lockFolder } from '../../control/folder-lock.ts';
import { endProcess } from '../../once/trial/trial.ts';
import type { Topology } from '../../shards/shards.ts';
import { makePrivateFolder } from '../local/private-folder.ts';
import { copySample } from '../local/sample.ts';
import { checkAnswers } from './check-answers.ts';
import { askNodes, linesOf } from './cluster-status.ts';
import { checkTrialFolder } from './trial-folder.ts';
import {
  placeNodes,
  startNode,
  type TrialNode,
  type TrialPlaces,
  untilServing,
  writeShardsFile,
} from './trial-nodes.ts';

/** A cluster on loopback, to try one. */
export interface TrialRequest extends TrialPlaces {
  readonly shards: number;
  /** Undefined: a temporary one. */
  readonly dir: string | undefined;
  /** Without inputs: what the folder has, or else the sample. */
  readonly records: Omit<RecordsRequest, 'onProgress' | 'signal'>;
}

/** Splits the records, starts a process for each node, and serves until the signal. */
export async function runTrial(request: TrialRequest, signal: AbortSignal): Promise<void> {
  const dir = request.dir ?? makePrivateFolder('cluster');
  await mkdir(dir, { recursive: true });
  await checkTrialFolder(dir);
  // Two that start at one time would write the same files.
  const lock = await lockFolder(dir);
  try {
    await serveTrial(request, dir, signal);
  } finally {
    await lock.release();
  }
}

async function serveTrial(request: TrialRequest, dir: string, signal: AbortSignal): Promise<void> {
  const into = equalShards(request.shards);
  const manifest = await splitFor(request, dir, signal);
  const topology = await placeNodes(into, request);
  const path = await writeShardsFile(dir, topology);
  const nodes: TrialNode[] = [];
  say(`${keysOf(manifest.totals.keys)} in ${into.shards.length} shards. Starts the nodes.\n`);
  try {
    for (const shard of topology.shards) {
      for (const [i, { address }] of shard.nodes.entries()) {
        if (signal.aborted) return;
        nodes.push(await startNode(dir, shard, i, address));
      }
    }
    const md5Of = (node: TrialNode): string => {
      return manifest.shards.find(({ name }) => node.name.startsWith(`${name}-`))!.md5;
    };
    await Promise.all(nodes.map((node) => untilServing(dir, node, md5Of(node), signal)));
    if (signal.aborted) return;
    say(`Asks each node for each key.\n\n`);
    // The last shard first: the example is for the first node, which has to ask for it.
    const tables = manifest.shards.map(({ file }) => join(dir, file)).reverse();
    const addresses = nodes.map(({ address }) => address);
    const { keys, example } = await checkAnswers(tables, addresses, signal);
    if (signal.aborted) return;
    say(`${linesOf(await askNodes(topology)).join('\n')}\n\n`);
    say(`Each of ${nodes.length} nodes has answered ${keysOf(keys)} right, its own and others'.\n`);
    say(hints(topology, path, example ?? 'KEY'));
    for (const { name, child } of nodes) {
      child.once('exit', () => {
        if (!signal.aborted) say(`${name} has ended (pid ${child.pid})\n`);
      });
    }
    await aborted(signal);
  } catch (error) {
    // Ctrl-C goes to the nodes as well: that one of them is gone is no fault then.
    if (!signal.aborted) throw error;
  } finally {
    await Promise.all(nodes.map(({ child }) => endProcess(child)));
  }
}

/** Whether a folder has as many equal shards, by the names that they have here. */
function isOf(manifest: Manifest, count: number): boolean {
  const { hash, shards } = equalShards(count);
  if (manifest.hash !== hash || manifest.shards.length !== count) return false;
  return shards.every(({ name, slots }, i) => {
    const found = manifest.shards[i];
    const isSame = found.slots?.first === slots?.first && found.slots?.last === slots?.last;
    return found.name === name && isSame;
  });
}

async function splitFor(
  { shards, records }: TrialRequest,
  dir: string,
  signal: AbortSignal,
): Promise<Manifest> {
  if (records.inputs.length === 0 && existsSync(join(dir, MANIFEST))) {
    const manifest = readManifest(dir);
    if (isOf(manifest, shards)) return manifest;
    const names = manifest.shards.map(({ name }) => name).join(', ');
    const found = `${manifest.shards.length} shards by ${manifest.hash}: ${names}`;
    const message = `${dir}: expected ${shards} shards as goromdb split -shards ${shards} makes them, found ${found}; give another -shards, or INPUT`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
  const inputs = records.inputs.length === 0 ? [copySample().path] : records.inputs;
  const into = equalShards(shards);
  const made = await splitRecords({ ...records, inputs, dir, into, set: 'data', signal });
  for (const notice of made.notices) process.stderr.write(`warning: ${notice}\n`);
  return made.manifest;
}

function hints({ shards }: Topology, path: string, key: string): string {
  const [{ nodes }] = shards;
  const { address, clusterAddress } = nodes[0];
  const program = 'goromdb cluster';
  return `
  any node answers any key   redis-cli -p ${address.port} get ${key}
                             goromdb bench ${formatAddress(address)}
  a Redis Cluster            redis-cli -c -p ${clusterAddress?.port} get ${key}
  the state of all nodes     ${program} status -shards ${path}
  a file for nutcracker      ${program} nutcracker -shards ${path}

Kill a node by its pid, and the others go on. Ctrl-C ends all.
`;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
}

function say(text: string): void {
  process.stdout.write(text);
}
