import type { ChildProcess } from 'node:child_process';
import process from 'node:process';
import { type Address, formatAddress, parseAddress } from '../../common/address.ts';
import { GoromdbError } from '../../common/errors.ts';
import {
  endProcess,
  spawnMortal,
  startTrialCluster,
  type TrialCluster,
} from '../../once/trial/trial.ts';
import { makePrivateFolder } from '../local/private-folder.ts';
import { type NodeRequest, startNode, walkThrough } from './node.ts';

/** Serves until the signal, from an etcd of its own: all is gone when it ends. */
export async function runDev(request: NodeRequest, signal: AbortSignal): Promise<void> {
  const cluster = await startTrialCluster(makePrivateFolder('once'), 1);
  try {
    const node = await startNode({
      ...request,
      place: { ...request.place, urls: cluster.endpoints },
    });
    say(`One etcd and one node, in a temporary folder. Type:\n${walkThrough(node.http)}`);
    await aborted(signal);
    await node.close();
  } finally {
    await cluster.close();
  }
}

/** Serves until the signal, from three etcds, by several nodes, each a process of its own. */
export async function runUp(
  { http }: NodeRequest,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  const cluster = await startTrialCluster(makePrivateFolder('once'), 3);
  const nodes: ChildProcess[] = [];
  let first = http;
  try {
    for (let i = 0; i < count; i++) {
      const { child, address } = await startChild(cluster, addressOf(http, i));
      nodes.push(child);
      say(`node ${i + 1}: pid ${child.pid}, http://${formatAddress(address)}\n`);
      if (i === 0) first = address;
    }
    for (const { name, url, child } of cluster.members)
      say(`etcd ${name}: pid ${child.pid}, ${url}\n`);
    say(`Three etcds and ${count} nodes, in a temporary folder. Type:\n${walkThrough(first)}`);
    say(`Any node answers; kill one, or an etcd, and the others go on. Ctrl-C ends all.\n`);
    await aborted(signal);
  } finally {
    await Promise.all(nodes.map(endProcess));
    await cluster.close();
  }
}

/** The nodes of a trial have ports that follow each other; with port 0, any that are free. */
function addressOf(first: Address, i: number): Address {
  if (first.kind === 'unix') return { ...first, path: i === 0 ? first.path : `${first.path}.${i}` };
  return { ...first, port: first.port === 0 ? 0 : first.port + i };
}

async function startChild(
  cluster: TrialCluster,
  address: Address,
): Promise<{ readonly child: ChildProcess; readonly address: Address }> {
  const flags = ['-etcd', cluster.endpoints.join(','), '-http', formatAddress(address)];
  const child = spawnMortal(process.execPath, [process.argv[1], 'once', ...flags]);
  let said = '';
  child.stderr!.setEncoding('utf8');
  const found = await new Promise<string | undefined>((resolve) => {
    child.stderr!.on('data', (text: string) => {
      if (said.length < 10_000) said += text;
      const match = /answers HTTP on (\S+)/.exec(said);
      if (match !== null) resolve(match[1]);
    });
    child.on('close', () => resolve(undefined));
  });
  if (found === undefined) throw new GoromdbError('SERVER_FAILED', `a node ended: ${said.trim()}`);
  return { child, address: parseAddress(found) };
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
}

function say(text: string): void {
  process.stdout.write(text);
}
