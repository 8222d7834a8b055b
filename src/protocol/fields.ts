/** What `stats`, `INFO` and `Goromdb.counters` show of the server and of each data set. */
import process from 'node:process';
import type { DataSetStatus, LoadNews, Metric } from '../common/status.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import {
  COUNTER_NAMES,
  COUNTERS,
  type CounterName,
  type Counters,
  DATA_SET_COUNTERS,
  type Stat,
} from './counters.ts';
import type { ServerFacts } from './protocol.ts';

/** A word or a number. A metric says of what kind it is, and what it means. */
type Field<T> = readonly [
  name: string,
  /** Undefined: it is not known. */
  of: (it: T, nowMs: number) => string | number | undefined,
  kind?: Metric['kind'],
  help?: string,
];

const SERVER_FIELDS: readonly Field<ServerFacts>[] = [
  ['pid', () => process.pid],
  ['uptime', ({ startedAt }, now) => seconds(now - startedAt), 'gauge', 'Seconds since the start.'],
  ['time', (_, now) => seconds(now)],
  ['version', ({ version }) => version],
  ['pointer_size', () => 64],
  ['rusage_user', () => cpuTime('userCPUTime'), 'counter', 'CPU seconds outside of the kernel.'],
  ['rusage_system', () => cpuTime('systemCPUTime'), 'counter', 'CPU seconds in the kernel.'],
  ['threads', ({ threads }) => threads, 'gauge', 'Serving threads.'],
  ['max_connections', (facts) => facts.connectionsMax, 'gauge', 'Limit on open connections.'],
];

/** memcached has no name for it. */
const MEMORY_FIELDS: readonly Field<ServerFacts>[] = [
  ['resident_bytes', () => process.memoryUsage.rss(), 'gauge', 'Memory, with touched table pages.'],
];

const SERVED_FIELDS: readonly Field<DataSetInfo>[] = [
  ['generation', (info) => info.generation, 'gauge', 'Number of the live generation; 0: none.'],
  ['keys', ({ keys }) => keys, 'gauge', 'Keys that are served.'],
  ['bytes', ({ bytes }) => bytes, 'gauge', 'Size of the table in bytes.'],
  ['md5', ({ md5 }) => md5 || 'none'],
  ['format', ({ format }) => format],
  ['loaded_at', (info) => seconds(info.loadedAt), 'gauge', 'Unix time of its swap; 0: never.'],
  ['installed_at', (info) => seconds(info.installedAt), 'gauge', 'Unix time of its installation.'],
  ['data_age', (info, now) => ageOf(info.installedAt, now), 'gauge', 'Seconds since installed_at.'],
];

/** Each value is one word, since some clients read no more of a line. */
const LOAD_FIELDS: readonly Field<LoadNews>[] = [
  ['last_load_error', (news) => news.lastError?.code ?? 'none'],
  [
    'last_load_error_at',
    (news) => seconds(news.lastError?.atMs ?? 0),
    'gauge',
    'Unix time when the last load failed or was rejected; 0 once a file served after it.',
  ],
  ['drop_waiting', (news) => news.waiting?.code ?? 'none'],
  [
    'drop_waiting_since',
    (news) => seconds(news.waiting?.sinceMs ?? 0),
    'gauge',
    'Unix time since when a drop is there that is not loaded; 0: there is none.',
  ],
];

/** For people. */
const LOAD_TEXTS: readonly Field<LoadNews>[] = [
  ['last_load_error_text', (news) => news.lastError?.text ?? 'none'],
  ['drop_waiting_text', (news) => news.waiting?.text ?? 'none'],
];

function counterField<N extends CounterName>(name: N): Field<Readonly<Record<N, number>>> {
  const [kind, help]: readonly [Metric['kind'], string] = COUNTERS[name];
  return [name, (counters) => counters[name], kind, help];
}

export function serverStats(facts: ServerFacts, nowMs: number): readonly Stat[] {
  return statsOf(SERVER_FIELDS, facts, nowMs);
}

/** The live data: a data set, or all of them together. */
export function servedStats(info: DataSetInfo, nowMs: number): readonly Stat[] {
  return statsOf(SERVED_FIELDS, info, nowMs);
}

export function loadStats(news: LoadNews): readonly Stat[] {
  return statsOf(LOAD_FIELDS, news, 0);
}

/** The same with the texts. */
export function loadDetails(news: LoadNews): readonly Stat[] {
  return statsOf([...LOAD_FIELDS, ...LOAD_TEXTS], news, 0);
}

/** The metrics of the server, all data sets together. */
export function serverMetrics(facts: ServerFacts, counters: Counters): readonly Metric[] {
  return [
    ...metricsOf([...SERVER_FIELDS, ...MEMORY_FIELDS], facts),
    ...metricsOf(COUNTER_NAMES.map(counterField), counters),
  ];
}

/** A data set, with its serving generation. */
export interface DataSetFigures extends LoadNews, Pick<DataSetStatus, 'prefix' | 'counters'> {
  readonly info: DataSetInfo;
}

/** The metrics of each data set, those of one name together. */
export function dataSetMetrics(sets: readonly DataSetFigures[]): readonly Metric[] {
  const all = sets.map((set) => [
    ...metricsOf(SERVED_FIELDS, set.info, set.prefix),
    ...metricsOf(LOAD_FIELDS, set, set.prefix),
    ...metricsOf(DATA_SET_COUNTERS.map(counterField), set.counters, set.prefix),
  ]);
  return all.length === 0 ? [] : all[0].flatMap((_, i) => all.map((metrics) => metrics[i]));
}

/** @param prefix Of the data set that they are about; undefined: they are about the server. */
function metricsOf<T>(fields: readonly Field<T>[], it: T, prefix?: string): readonly Metric[] {
  const nowMs = Date.now();
  const isServer = prefix === undefined;
  return fields.flatMap(([name, of, kind, help]) => {
    if (kind === undefined || help === undefined) return [];
    return {
      name: isServer ? name : `data_set_${name}`,
      ...{ kind, help, labels: isServer ? {} : { data_set: prefix } },
      value: Number(of(it, nowMs) ?? 0),
    };
  });
}

function statsOf<T>(fields: readonly Field<T>[], it: T, nowMs: number): readonly Stat[] {
  return fields.flatMap(([name, of]) => {
    const value = of(it, nowMs);
    return value === undefined ? [] : [[name, value] as const];
  });
}

function seconds<T extends number | undefined>(ms: T): T {
  return (ms && Math.floor(ms / 1000)) as T;
}

/** A restart does not change it; a storage made by the library's user need not have it. */
function ageOf(installedAtMs: number | undefined, nowMs: number): number | undefined {
  return installedAtMs && Math.max(0, seconds(nowMs - installedAtMs));
}

/** Seconds and microseconds, as memcached prints CPU time. */
function cpuTime(which: 'userCPUTime' | 'systemCPUTime'): string {
  return (process.resourceUsage()[which] / 1e6).toFixed(6);
}
