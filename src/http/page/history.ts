/** Makes rates of counters, and keeps them for some minutes. */
import { type Buckets, bucketsOf, named, quantileOf, type Sample, sumOf } from './samples.ts';

/** So long charts look back. */
export const WINDOW_MS = 5 * 60_000;
/** More than polls come in that time. */
const POINTS_MAX = 400;

/** What was counted up to a moment. */
export interface Counts {
  readonly atMs: number;
  /** Keys that were asked for, and those that were found; undefined: it is not counted. */
  readonly gets: number | undefined;
  readonly hits: number | undefined;
  readonly sentBytes: number | undefined;
  readonly cpuSeconds: number | undefined;
  /** Of the seconds that requests took. */
  readonly latency: Buckets;
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

/** What a server has counted, or one of its data sets. */
export function countsOf(samples: readonly Sample[], atMs: number, dataSet?: string): Counts {
  const scope = dataSet === undefined ? 'goromdb_' : 'goromdb_data_set_';
  const sum = (name: string): number | undefined => sumOf(named(samples, scope + name, dataSet));
  return {
    atMs,
    gets: dataSet === undefined ? sum('cmd_get_total') : sum('gets_total'),
    hits: sum('get_hits_total'),
    sentBytes: sum('sent_bytes_total'),
    cpuSeconds: sum('cpu_seconds_total'),
    latency: bucketsOf(named(samples, `${scope}request_seconds_bucket`, dataSet)),
  };
}

/** The last minutes of a server or a data set. */
export class History {
  #last: Counts | undefined;
  #points: readonly Point[] = [];

  get points(): readonly Point[] {
    return this.#points;
  }

  get latest(): Point | undefined {
    return this.#points.at(-1);
  }

  add(counts: Counts): void {
    const last = this.#last;
    this.#last = counts;
    if (last === undefined || counts.atMs <= last.atMs) return;
    const since = counts.atMs - WINDOW_MS;
    const points = [...this.#points, pointBetween(last, counts)];
    this.#points = points.filter(({ atMs }) => atMs >= since).slice(-POINTS_MAX);
  }
}

function pointBetween(before: Counts, after: Counts): Point {
  const seconds = (after.atMs - before.atMs) / 1000;
  const rate = (a: number | undefined, b: number | undefined): number | undefined =>
    // Less than before: the server was started again, or a client has sent "stats reset".
    a === undefined || b === undefined || b < a ? undefined : (b - a) / seconds;
  const gets = rate(before.gets, after.gets);
  const hits = rate(before.hits, after.hits);
  const latency = difference(before.latency, after.latency);
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

function difference(before: Buckets, after: Buckets): Buckets {
  return new Map([...after].map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)]));
}
