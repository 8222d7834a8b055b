import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import type { TrafficReport } from '../src/traffic/traffic.ts';
import { type Places, pinned } from './machine.ts';
import type { Running } from './processes.ts';

const run = promisify(execFile);

/** A figure over all rounds. */
export interface Figure {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** What one server did in one scenario. */
export interface Measured {
  readonly cpuMicros: Figure;
  readonly requestsPerSecond: Figure;
  readonly p50Ms: Figure;
  readonly p99Ms: Figure;
  readonly p999Ms: Figure;
  readonly residentBytes: number;
  /** Processors that the server kept busy: below its threads, the load generator was the limit. */
  readonly cpus: Figure;
  readonly checked: number;
}

/** How to load. */
export interface LoadOptions {
  readonly keys: number;
  readonly valueBytes: number;
  /** More flags of `goromdb bench`. */
  readonly flags: readonly string[];
  readonly seconds: number;
  readonly rounds: number;
  readonly places: Places;
}

/**
 * Loads servers in turn, A B A B …, so that a machine whose speed changes affects all alike.
 *
 * @throws Error when any reply was wrong.
 */
export async function measure(
  servers: readonly Running[],
  options: LoadOptions,
): Promise<readonly Measured[]> {
  const reports = servers.map((): TrafficReport[] => []);
  for (let round = 0; round < options.rounds; round++) {
    for (const [i, server] of servers.entries()) {
      reports[i].push(await loadOnce(server, options));
    }
  }
  return reports.map(summed);
}

/** One run of `goromdb bench`. */
export async function loadOnce(server: Running, options: LoadOptions): Promise<TrafficReport> {
  const { keys, valueBytes, flags, seconds, places } = options;
  const [program, ...args] = pinned(places.load, [
    ...[process.execPath, resolve('bin/goromdb.js'), 'bench', `127.0.0.1:${server.port}`],
    ...['-keys', String(keys), '-value-size', String(valueBytes), '-json'],
    ...(server.pids ?? [server.pid]).flatMap((pid) => ['-pid', String(pid)]),
    ...['-warmup', '500ms', '-duration', `${seconds * 1000}ms`],
    ...(flags.includes('-threads') ? [] : ['-threads', String(places.loadThreads)]),
    ...flags,
    ...server.flags,
  ]);
  // It ends with 1 when a reply was wrong; the error has its output then.
  const { stdout } = await run(program, args, { maxBuffer: 1e6 });
  return JSON.parse(stdout) as TrafficReport;
}

/** The figures of several runs. */
export function summed(reports: readonly TrafficReport[]): Measured {
  const figure = (of: (report: TrafficReport) => number): Figure => figureOf(reports.map(of));
  return {
    cpuMicros: figure((report) => report.server!.cpuMicrosPerRequest),
    cpus: figure((report) => report.server!.cpus),
    requestsPerSecond: figure((report) => report.requestsPerSecond),
    p50Ms: figure((report) => report.latencyMs.p50),
    p99Ms: figure((report) => report.latencyMs.p99),
    p999Ms: figure((report) => report.latencyMs.p999),
    residentBytes: reports.at(-1)!.server!.residentBytes,
    checked: reports.reduce((sum, report) => sum + report.stats.checked, 0),
  };
}

export function figureOf(values: readonly number[]): Figure {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  return { median, min: sorted[0], max: sorted.at(-1)! };
}
