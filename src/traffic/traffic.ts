/** What belongs in this folder: the load generator of `goromdb bench`. */
import { Worker } from 'node:worker_threads';
import { type Address, formatAddress } from '../common/address.ts';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { WorkerClient } from '../common/rpc.ts';
import { explained } from '../common/system-fault.ts';
import { createLatencies, type Latencies, percentileMs } from './latencies.ts';
import { type ProcessUsage, sumUsage } from './process-usage.ts';
import type { Expectation } from './reply-check.ts';
import type { KeySource, RequestShape } from './requests.ts';
import { createStatsMemory, difference, sumStats, type TrafficStats } from './traffic-stats.ts';
import type {
  TrafficWorkerData,
  TrafficWorkerReply,
  TrafficWorkerRequest,
} from './traffic-worker.ts';

/** How often the progress is reported. */
const PROGRESS_MS = 200;

/** The traffic to send to a server. */
export interface TrafficPlan {
  readonly address: Address;
  readonly shape: RequestShape;
  readonly source: KeySource;
  readonly expectation: Expectation;
  readonly connections: number;
  readonly threads: number;
  /** Requests a second; 0: each connection asks again as soon as it has its reply. */
  readonly ratePerSecond: number;
  readonly warmUpMs: number;
  readonly durationMs: number;
  /** Processes on this machine whose processor time is to be read (Linux): the server's. */
  readonly pids: readonly number[];
}

/** How far the traffic is. */
export interface TrafficProgress {
  readonly phase: 'connect' | 'warm up' | 'measure';
  readonly leftMs: number;
  /** In the time since the last call. */
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
}

/** What was measured. Latencies are those of a batch: all requests that are sent at once. */
export interface TrafficReport {
  readonly seconds: number;
  readonly stats: TrafficStats;
  readonly requestsPerSecond: number;
  readonly latencyMs: Readonly<Record<'p50' | 'p90' | 'p99' | 'p999' | 'max', number>>;
  /** Of the server's processes, when their numbers were given. */
  readonly server?: {
    readonly cpuMicrosPerRequest: number;
    /** Processors kept busy, on average. */
    readonly cpus: number;
    readonly residentBytes: number;
  };
  /** The faults, in words. */
  readonly complaints: readonly string[];
}

interface Mark {
  readonly atMs: number;
  readonly stats: TrafficStats;
  readonly usage: ProcessUsage | undefined;
}

type Client = WorkerClient<TrafficWorkerRequest, TrafficWorkerReply>;

/**
 * Sends traffic to a server and measures it. The measured time begins when the warm-up is over and
 * ends with the last request sent; a fixed rate's latencies also count the replies that come later.
 *
 * @throws GoromdbError LOAD_FAILED: it cannot connect, or there is no process to watch.
 */
export async function runTraffic(
  plan: TrafficPlan,
  onProgress: (progress: TrafficProgress) => void = () => {},
): Promise<TrafficReport> {
  const memory = createStatsMemory(plan.threads);
  const latencies = Array.from({ length: plan.threads }, createLatencies);
  const clients = latencies.map((own, thread) => startWorker(plan, thread, memory, own));
  const mark = (): Mark => ({
    atMs: performance.now(),
    stats: sumStats(memory),
    usage: plan.pids.length === 0 ? undefined : sumUsage(plan.pids),
  });
  const watch = watchProgress(memory, latencies, onProgress);
  try {
    watch.begin('connect', 0);
    await askAll(clients, 'connect').catch((cause: unknown) => {
      const where = formatAddress(plan.address);
      const message = `cannot connect to ${where}: ${messageOf(explained(cause, where))}`;
      throw new GoromdbError('LOAD_FAILED', message, { cause });
    });
    await askAll(clients, 'start');
    watch.begin('warm up', plan.warmUpMs);
    await sleep(plan.warmUpMs);
    const from = mark();
    for (const { measured } of latencies) measured.reset();
    watch.begin('measure', plan.durationMs);
    await sleep(plan.durationMs);
    const to = mark();
    const complaints = await askAll(clients, 'stop');
    return report(from, to, sumStats(memory), latencies, complaints);
  } finally {
    watch.end();
    await Promise.all(clients.map((client) => client.worker.terminate()));
  }
}

function startWorker(
  plan: TrafficPlan,
  thread: number,
  memory: SharedArrayBuffer,
  latencies: Latencies,
): Client {
  const { address, shape, source, expectation, threads } = plan;
  const share = Math.floor(plan.connections / threads);
  const data: TrafficWorkerData = {
    ...{ address, shape, source, expectation, memory, latencies, thread },
    connections: share + (thread < plan.connections % threads ? 1 : 0),
    ratePerSecond: plan.ratePerSecond / threads,
    seed: thread + 1,
  };
  const worker = new Worker(new URL('./traffic-worker.js', import.meta.url), {
    workerData: data,
    name: `traffic ${thread}`,
  });
  return new WorkerClient(worker);
}

async function askAll(
  clients: readonly Client[],
  kind: TrafficWorkerRequest['kind'],
): Promise<string[]> {
  const replies = await Promise.all(clients.map((client) => client.request({ kind })));
  return [...new Set(replies.flat())];
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function watchProgress(
  memory: SharedArrayBuffer,
  latencies: readonly Latencies[],
  onProgress: (progress: TrafficProgress) => void,
): {
  readonly begin: (phase: TrafficProgress['phase'], ms: number) => void;
  readonly end: () => void;
} {
  let phase: TrafficProgress['phase'] = 'connect';
  let endsAt = 0;
  const recent = latencies.map((own) => own.recent);
  let last = { atMs: performance.now(), stats: sumStats(memory) };
  const timer = setInterval(() => {
    const now = { atMs: performance.now(), stats: sumStats(memory) };
    const { requests } = difference(last.stats, now.stats);
    onProgress({
      phase,
      leftMs: Math.max(0, endsAt - now.atMs),
      requestsPerSecond: (requests / (now.atMs - last.atMs)) * 1000,
      p99Ms: percentileMs(recent, 0.99),
    });
    for (const one of recent) one.reset();
    last = now;
  }, PROGRESS_MS);
  return {
    begin: (next, ms) => {
      phase = next;
      endsAt = performance.now() + ms;
    },
    end: () => clearInterval(timer),
  };
}

function report(
  from: Mark,
  to: Mark,
  after: TrafficStats,
  latencies: readonly Latencies[],
  complaints: readonly string[],
): TrafficReport {
  const stats = difference(from.stats, to.stats);
  const measured = latencies.map((own) => own.measured);
  const seconds = (to.atMs - from.atMs) / 1000;
  // What went wrong before counts too.
  const { checked, wrong, lost, errors, connected } = after;
  return {
    seconds,
    stats: { ...stats, checked, wrong, lost, errors, connected },
    requestsPerSecond: stats.requests / seconds,
    latencyMs: {
      p50: percentileMs(measured, 0.5),
      p90: percentileMs(measured, 0.9),
      p99: percentileMs(measured, 0.99),
      p999: percentileMs(measured, 0.999),
      max: percentileMs(measured, 1),
    },
    ...(from.usage === undefined || to.usage === undefined
      ? {}
      : { server: serverShare(from.usage, to.usage, stats.requests, seconds) }),
    complaints,
  };
}

function serverShare(
  from: ProcessUsage,
  to: ProcessUsage,
  requests: number,
  seconds: number,
): NonNullable<TrafficReport['server']> {
  const cpuSeconds = to.cpuSeconds - from.cpuSeconds;
  return {
    cpuMicrosPerRequest: (cpuSeconds * 1e6) / requests,
    cpus: cpuSeconds / seconds,
    residentBytes: to.residentBytes,
  };
}
