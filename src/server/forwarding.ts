import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { formatAddress, parseAddress } from '../common/address.ts';
import type { Logger } from '../common/log.ts';
import { Anywhere } from '../forward/anywhere.ts';
import { Forwarder } from '../forward/forwarder.ts';
import type { OwnerNode } from '../forward/owner.ts';
import type { ForeignKeys } from '../handler/foreign-keys.ts';
import type { ViewSource } from '../handler/handler.ts';
import type { Counters } from '../protocol/counters.ts';
import { autoProtocol } from '../protocol/detect/detect.ts';
import { forwardProtocol, isForwardStart } from '../protocol/forward/forward.ts';
import { ELSEWHERE_NODES_MAX } from '../protocol/forward/frames.ts';
import { withLogin } from '../protocol/login.ts';
import type { Protocol } from '../protocol/protocol.ts';
import type { ShardPlace } from '../shards/place.ts';
import { epochOf, shardFunctionOf, type TcpAddress } from '../shards/shards.ts';
import { type AccessOptions, firstLogin } from './access.ts';
import { withoutPort } from './client-address.ts';
import { ClientLog, logReport } from './client-log.ts';

/** Bytes that one read of an answer takes at most. */
const READ_BYTES = 64 * 1024;

/** A server is refused, or fails, again and again: it is logged once in this time. */
const LOG_INTERVAL_MS = 60_000;

/** What a thread needs to answer the keys of all shards. */
export interface Forwarding {
  /** Makes what one connection sees. */
  readonly foreign: () => ForeignKeys;
  /** What clients speak, and other servers. */
  readonly protocol: Protocol;
}

export interface ForwardingOptions {
  readonly place: ShardPlace;
  readonly local: ViewSource;
  readonly protocol: Protocol;
  readonly access: AccessOptions;
  readonly counters: Counters;
  readonly thread: number;
  readonly logger: Logger;
}

/** Asks other servers for the keys of their shards, and answers what they ask. */
export function createForwarding(options: ForwardingOptions): Forwarding {
  const { place, local, protocol, access, counters, logger } = options;
  const { topology, shard } = place;
  const epoch = epochOf(topology);
  const { userFile } = access;
  const log = onceAMinute((line) => logger.warn(line, { event: 'node-refused' }));
  const logOnce = onceAMinute((line) => logger.warn(line, { event: 'node-differs' }));
  const { shardOf } = shardFunctionOf(topology);
  const differs = (theirs: string): string =>
    `has other shards (epoch ${theirs}, here ${epoch}): each answers what it has; when shards are not ` +
    'being split, give all nodes the same shards.toml';
  const forwarder = new Forwarder({
    ...{ epoch, counters },
    // Read for each connection, as a reload may have changed it.
    login: () => (userFile === undefined ? '' : firstLogin(userFile)),
    shards: topology.shards.map(({ name, idx, nodes }) => {
      const others = idx === shard ? nodes.filter((_, i) => i !== place.node) : nodes;
      return {
        name,
        idx,
        nodes: nodesOf(
          others.map(({ address }) => address),
          options,
        ),
      };
    }),
    nodesFrom: (addresses) => {
      const targets = addressesFrom(addresses);
      return targets && nodesOf(targets, options);
    },
    onOtherEpoch: (node, theirs) => logOnce(`node ${node} ${differs(theirs)}`),
    onChange: (node, answers, why) => {
      if (answers) {
        logger.info(`node ${node} answers again: its keys are asked for`, { event: 'node-asked' });
      } else log(`node ${node} is not asked for keys: ${why}`);
    },
  });
  const isShared = topology.shards[shard].nodes.length > 1;
  const told = topology.shards.map(({ nodes }) => {
    const some = nodes.slice(0, ELSEWHERE_NODES_MAX);
    return Buffer.from(some.map(({ address }) => formatAddress(address)).join(' '));
  });
  // Whoever connects may say something new each time: it is logged by the address.
  const askers = new ClientLog((report) => logReport(logger, report));
  const report = (kind: 'refused node' | 'other shards', why: string, client: string): void => {
    askers.report({ kind, client: withoutPort(client), why }, performance.now());
  };
  const forward = forwardProtocol({
    ...{ local, shard, epoch, shardOf, addressesOf: (idx) => told[idx] },
    onRefused: (why, client) => report('refused node', why, client),
    onOtherEpoch: (theirs, client) => report('other shards', differs(theirs), client),
  });
  const shards = { own: shard, isShared, shardOf };
  const choices = [{ protocol: forward, matches: isForwardStart }];
  return {
    foreign: () => new Anywhere(local, shards, forwarder),
    // Other servers log in by their hello: what clients have to do before comes behind the choice.
    protocol: autoProtocol(protocol.name, choices, withLogin(protocol)),
  };
}

/** The nodes of a shard, another one first in each server and thread: so all are asked. */
function nodesOf(nodes: readonly TcpAddress[], options: ForwardingOptions): readonly OwnerNode[] {
  const { access, thread, place } = options;
  const first = (thread + place.node + place.shard) % nodes.length;
  // All links of a thread read in turn.
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  return [...nodes.slice(first), ...nodes.slice(0, first)].map((address) => ({
    name: formatAddress(address),
    open: (onRead) => open({ host: address.host ?? '127.0.0.1', port: address.port }, onRead),
  }));

  function open(
    target: { host: string; port: number },
    onRead: (chunk: Buffer, length: number) => void,
  ): net.Socket {
    if (access.tls === undefined) {
      const callback = (length: number): boolean => {
        onRead(buffer, length);
        return true;
      };
      return net.connect({ ...target, onread: { buffer, callback } });
    }
    const { certFile, keyFile, clientCaFile } = access.tls;
    // Their certificates come from who issues those of clients, or from whom this system trusts.
    const socket = tls.connect({
      ...target,
      ...{ cert: readFileSync(certFile), key: readFileSync(keyFile) },
      ...(clientCaFile !== undefined && { ca: readFileSync(clientCaFile) }),
    });
    socket.on('data', (chunk: Buffer) => onRead(chunk, chunk.length));
    return socket;
  }
}

/** @returns undefined when these are no addresses. */
function addressesFrom(text: string): readonly TcpAddress[] | undefined {
  const addresses: TcpAddress[] = [];
  try {
    for (const part of text.split(' ')) {
      const address = parseAddress(part);
      if (address.kind !== 'tcp' || address.host === undefined) return undefined;
      addresses.push(address);
    }
  } catch {
    return undefined;
  }
  return addresses.length <= ELSEWHERE_NODES_MAX ? addresses : undefined;
}

function onceAMinute(write: (line: string) => void): (line: string) => void {
  const last = new Map<string, number>();
  return (line) => {
    const nowMs = performance.now();
    if (nowMs - (last.get(line) ?? -Infinity) < LOG_INTERVAL_MS) return;
    if (last.size > 1_000) last.clear();
    last.set(line, nowMs);
    write(line);
  };
}
