/** What runs in a thread that sends traffic to a server. */
import { workerData } from 'node:worker_threads';
import type { Address } from '../common/address.ts';
import { answerRequests } from '../common/rpc.ts';
import type { Latencies } from './latencies.ts';
import type { Expectation } from './reply-check.ts';
import { buildRequests, type KeySource, type RequestShape } from './requests.ts';
import { TrafficConnection, type TrafficShare } from './traffic-connection.ts';
import { statsAdder } from './traffic-stats.ts';

/** Bytes that one read takes at most. */
const READ_BYTES = 256 * 1024;

/** Connections that are made at the same time. */
const CONNECT_AT_ONCE = 100;

/** Faults that a thread reports, each once. */
const FAULTS_MAX = 10;

/** How long the last replies may take when the traffic has ended. */
const DRAIN_MS = 1_000;

export interface TrafficWorkerData {
  readonly address: Address;
  readonly shape: RequestShape;
  readonly source: KeySource;
  readonly expectation: Expectation;
  readonly connections: number;
  /** Requests a second of this thread; 0: each connection asks again when it has its reply. */
  readonly ratePerSecond: number;
  readonly seed: number;
  readonly memory: SharedArrayBuffer;
  readonly latencies: Latencies;
  readonly thread: number;
}

export type TrafficWorkerRequest = { readonly kind: 'connect' | 'start' | 'stop' };

/** The faults, each once. */
export type TrafficWorkerReply = readonly string[];

const data: TrafficWorkerData = workerData;
const faults = new Set<string>();
let isRunning = false;
let connections: TrafficConnection[] = [];

const share: TrafficShare = {
  requests: buildRequests(data.shape, data.source, data.seed),
  shape: data.shape,
  expectation: data.expectation,
  readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
  count: statsAdder(data.memory, data.thread),
  latencies: data.latencies,
  onIdle: (connection) => {
    if (isRunning && data.ratePerSecond === 0) connection.send(performance.now());
  },
  onFault: (text) => {
    if (faults.size < FAULTS_MAX) faults.add(text);
  },
};

async function connectAll(): Promise<void> {
  while (connections.length < data.connections) {
    const count = Math.min(CONNECT_AT_ONCE, data.connections - connections.length);
    const opened = Array.from({ length: count }, () => TrafficConnection.open(data.address, share));
    connections = [...connections, ...(await Promise.all(opened))];
  }
}

function start(): void {
  isRunning = true;
  if (data.ratePerSecond > 0) keepRate(performance.now());
  else for (const connection of connections) connection.send(performance.now());
}

/**
 * Sends at fixed times whether replies come or not, over the connections in turn. A batch that
 * could not be sent in time is sent later, and its latency counts from when it was due: a server
 * that pauses is charged for all requests that were due meanwhile.
 *
 * It looks at the clock in each turn of the event loop: timers are exact to a millisecond only.
 */
function keepRate(startedAt: number): void {
  const intervalMs = (1000 / data.ratePerSecond) * data.shape.pipeline;
  let sent = 0;
  let next = 0;
  const turn = (): void => {
    if (!isRunning) return;
    const due = Math.floor((performance.now() - startedAt) / intervalMs);
    // A connection whose client is far behind is passed over; when all are, the requests wait.
    for (let tries = 0; sent < due && tries < connections.length; ) {
      const connection = connections[next];
      next = next + 1 === connections.length ? 0 : next + 1;
      if (!connection.isOpen || !connection.hasRoom) {
        tries++;
        continue;
      }
      connection.send(startedAt + sent * intervalMs);
      sent++;
      tries = 0;
    }
    setImmediate(turn);
  };
  turn();
}

/** Ends the traffic. A batch without replies after a second counts with the time it has waited. */
async function stop(): Promise<void> {
  isRunning = false;
  const until = performance.now() + DRAIN_MS;
  while (performance.now() < until && connections.some((one) => one.isOpen && !one.isIdle)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const now = performance.now();
  for (const connection of connections) {
    connection.countUnanswered(now);
    connection.close();
  }
}

answerRequests(async ({ kind }: TrafficWorkerRequest): Promise<TrafficWorkerReply> => {
  if (kind === 'connect') await connectAll();
  else if (kind === 'start') start();
  else await stop();
  return [...faults];
});
