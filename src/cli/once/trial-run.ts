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
  const cluster = await startTrialCluster(makePrivateFolder('once'), 1, [], signal);
  try {
    if (signal.aborted) return;
    const node = await startNode({
      ...request,
      place: { ...request.place, urls: cluster.endpoints },
    });
    const [url] = cluster.endpoints;
    const lines = walkThrough(request, node.http);
    say(`One etcd (${url}) and one node, in a temporary folder. Type:\n${lines}`);
    await aborted(signal);
    await node.close();
  } finally {
    await cluster.close();
  }
}

/** Serves until the signal, from three etcds, by several nodes, each a process of its own. */
export async function runUp(
  request: NodeRequest,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  const cluster = await startTrialCluster(makePrivateFolder('once'), 3, [], signal);
  const nodes: ChildProcess[] = [];
  let first = request.http;
  try {
    for (let i = 0; i < count; i++) {
      if (signal.aborted) return;
      const { child, http, addr } = await startChild(cluster, request, i);
      nodes.push(child);
      const scheme = request.tls === undefined ? 'http' : 'https';
      const wire = addr === undefined ? '' : `, memcached and Redis ${addr}`;
      say(`node ${i + 1}: pid ${child.pid}, ${scheme}://${http}${wire}\n`);
      if (i === 0) first = parseAddress(http);
    }
    for (const { name, url, child } of cluster.members)
      say(`etcd ${name}: pid ${child.pid}, ${url}\n`);
    const lines = walkThrough(request, first);
    say(`Three etcds and ${count} nodes, in a temporary folder. Type:\n${lines}`);
    say(`Any node answers; kill one, or an etcd, and the others go on. Ctrl-C ends all.\n`);
    await aborted(signal);
  } catch (error) {
    // Ctrl-C ends the processes of the terminal as well.
    if (!signal.aborted) throw error;
  } finally {
    await Promise.all(nodes.map((node) => endProcess(node)));
    await cluster.close();
  }
}

/** The nodes of a trial have ports that follow each other; with port 0, any that are free. */
function addressOf(first: Address, i: number): string {
  if (first.kind === 'tcp') {
    return formatAddress({ ...first, port: first.port === 0 ? 0 : first.port + i });
  }
  return formatAddress({ ...first, path: i === 0 ? first.path : `${first.path}.${i}` });
}

/** The flags that each node of a trial is given: all that are not about etcd, which is the trial's own. */
export function flagsOf(node: NodeRequest, i: number): readonly string[] {
  const { place, http, addr, tls, cacheBytes, allow = [] } = node;
  const files = {
    ...{ 'http-token-file': node.tokenFile, 'auth-file': node.authFile },
    ...{ 'tls-cert': tls?.certFile, 'tls-key': tls?.keyFile, 'tls-client-ca': tls?.clientCaFile },
  };
  return [
    ...['-http', addressOf(http, i), '-prefix', place.prefix, '-cache-size', `${cacheBytes}`],
    ...(addr === undefined ? [] : ['-addr', addressOf(addr, i)]),
    ...(node.warm ? ['-warm'] : []),
    ...(node.staleReads ? ['-stale-reads'] : []),
    ...node.hosts.flatMap((host) => ['-http-host', host]),
    ...(allow.length === 0 ? [] : ['-allow', allow.join(',')]),
    ...Object.entries(files).flatMap(([flag, path]) => (path ? [`-${flag}`, path] : [])),
  ];
}

/** A node of a trial, and where it listens. */
interface Child {
  readonly child: ChildProcess;
  readonly http: string;
  readonly addr: string | undefined;
}

async function startChild(cluster: TrialCluster, node: NodeRequest, i: number): Promise<Child> {
  const flags = ['-etcd', cluster.endpoints.join(','), ...flagsOf(node, i)];
  const child = spawnMortal(process.execPath, [process.argv[1], 'once', ...flags]);
  let said = '';
  child.stderr!.setEncoding('utf8');
  const places = await new Promise<readonly string[] | undefined>((resolve) => {
    child.stderr!.on('data', (text: string) => {
      if (said.length < 10_000) said += text;
      const found = [/answers HTTP on (\S+)\s/, /listens on (\S+)\s/].map(
        (one) => one.exec(said)?.[1],
      );
      const [http, addr] = found;
      if (http && (addr || node.addr === undefined)) resolve([http, ...(addr ? [addr] : [])]);
    });
    child.on('close', () => resolve(undefined));
  });
  if (places === undefined) throw new GoromdbError('SERVER_FAILED', `a node ended: ${said.trim()}`);
  return { child, http: places[0], addr: places[1] };
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
}

function say(text: string): void {
  process.stdout.write(text);
}
