/** Makes rates of counters, and keeps them for some minutes. */
import type { DataSetStatus, ServerStatus } from '../../common/status.ts';
import { kept } from '../../page/browser/span.ts';
import { type Buckets, pooled, quantileOf, since } from './quantile.ts';
import { named, type Sample, sumOf } from './samples.ts';

const NO_BUCKETS: Buckets = new Map();

/** What was counted up to a moment. */
interface Counts {
  readonly atMs: number;
  /** Keys that were looked up, and those that were found. */
  readonly gets?: number | undefined;
  readonly hits?: number | undefined;
  readonly sentBytes?: number | undefined;
  readonly cpuSeconds?: number | undefined;
  /** Of the seconds that requests took. */
  readonly latency?: Buckets;
}

/** What went on between two moments, a second. */
export interface Point {
  readonly atMs: number;
  readonly gets: number | undefined;
  /** From 0 to 1; undefined: nothing was asked for. */
  readonly hitRate: number | undefined;
  readonly sentBytes: number | undefined;
  /** Processors in use. */
  readonly cpu: number | undefined;
  readonly p50: number | undefined;
  readonly p99: number | undefined;
}

/** What a server has counted. */
export function serverCounts(
  { cpuSeconds, requests }: ServerStatus,
  samples: readonly Sample[],
  atMs: number,
): Counts {
  const sum = (name: string): number | undefined => sumOf(named(samples, name));
  return {
    atMs,
    gets: sum('goromdb_cmd_get_total'),
    hits: sum('goromdb_get_hits_total'),
    sentBytes: sum('goromdb_sent_bytes_total'),
    cpuSeconds: cpuSeconds.user + cpuSeconds.system,
    latency: pooled(requests.map(({ duration }) => duration)),
  };
}

/** What was counted of a data set. */
export function setCounts({ lookups, duration }: DataSetStatus, atMs: number): Counts {
  const hits = lookups.reduce((sum, one) => sum + one.hits, 0);
  const gets = lookups.reduce((sum, one) => sum + one.misses, hits);
  return { atMs, hits, gets, latency: pooled(duration === undefined ? [] : [duration]) };
}

/** The last minutes of a server or a data set. */
export class History {
  #last: Counts | undefined;
  #points: readonly Point[] = [];

  get points(): readonly Point[] {
    return this.#points;
  }

  add(counts: Counts): void {
    const last = this.#last;
    this.#last = counts;
    if (last === undefined || counts.atMs <= last.atMs) return;
    this.#points = kept([...this.#points, pointBetween(last, counts)]);
  }
}

function pointBetween(before: Counts, after: Counts): Point {
  const seconds = (after.atMs - before.atMs) / 1000;
  const rate = (a: number | undefined, b: number | undefined): number | undefined =>
    // Less than before: the server was started again, or a client has sent "stats reset".
    a === undefined || b === undefined || b < a ? undefined : (b - a) / seconds;
  const gets = rate(before.gets, after.gets);
  const hits = rate(before.hits, after.hits);
  const latency = since(before.latency ?? NO_BUCKETS, after.latency ?? NO_BUCKETS);
  return {
    atMs: after.atMs,
    gets,
    hitRate: gets && hits !== undefined ? Math.min(1, hits / gets) : undefined,
    sentBytes: rate(before.sentBytes, after.sentBytes),
    cpu: rate(before.cpuSeconds, after.cpuSeconds),
    p50: quantileOf(latency, 0.5),
    p99: quantileOf(latency, 0.99),
  };
}
