/** What `stats`, `INFO` and `Goromdb.counters` tell of the server and of data sets: each once. */
import process from 'node:process';
import type { DataSetCounter, LoadNews, Metric } from '../common/status.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import { COUNTER_NAMES, COUNTERS, type Counters, DATA_SET_COUNTERS } from './counters.ts';
import type { ServerFacts } from './protocol.ts';
import type { Stat } from './stat.ts';

/** A word or a number that is told of something. Those that are metrics have a kind and a help. */
interface Field<T> {
  readonly name: string;
  readonly of: (it: T, nowMs: number) => string | number;
  readonly metric?: readonly [kind: Metric['kind'], help: string];
}

const SERVER_FIELDS: readonly Field<ServerFacts>[] = [
  { name: 'pid', of: () => process.pid },
  {
    name: 'uptime',
    of: ({ startedAt }, nowMs) => Math.floor((nowMs - startedAt) / 1000),
    metric: ['gauge', 'Seconds since the start of the server.'],
  },
  { name: 'time', of: (_, nowMs) => seconds(nowMs) },
  { name: 'version', of: ({ version }) => version },
  { name: 'pointer_size', of: () => 64 },
  {
    name: 'rusage_user',
    of: () => cpuTime(process.resourceUsage().userCPUTime),
    metric: ['counter', 'Seconds of CPU time of the process, outside of the kernel.'],
  },
  {
    name: 'rusage_system',
    of: () => cpuTime(process.resourceUsage().systemCPUTime),
    metric: ['counter', 'Seconds of CPU time of the process, in the kernel.'],
  },
  {
    name: 'threads',
    of: ({ threads }) => threads,
    metric: ['gauge', 'Serving threads.'],
  },
  {
    name: 'max_connections',
    of: ({ connectionsMax }) => connectionsMax,
    metric: ['gauge', 'Connections that may be open at one time.'],
  },
];

/** memcached has no name for it. */
const MEMORY_FIELD: Field<ServerFacts> = {
  name: 'resident_bytes',
  of: () => process.memoryUsage.rss(),
  metric: ['gauge', 'Memory of the process in bytes, with the pages of tables that it touched.'],
};

const SERVED_FIELDS: readonly Field<DataSetInfo>[] = [
  {
    name: 'generation',
    of: ({ generation }) => generation,
    metric: ['gauge', 'Number of the data that serves; 0: none does.'],
  },
  { name: 'keys', of: ({ keys }) => keys, metric: ['gauge', 'Keys that are served.'] },
  { name: 'bytes', of: ({ bytes }) => bytes, metric: ['gauge', 'Size of the table, in bytes.'] },
  { name: 'md5', of: ({ md5 }) => md5 || 'none' },
  { name: 'format', of: ({ format }) => format },
  {
    name: 'loaded_at',
    of: ({ loadedAt }) => seconds(loadedAt),
    metric: ['gauge', 'When it was put into service, in seconds since 1970; 0: never.'],
  },
];

/** A restart changes neither; a storage of a user's own need not tell when it was installed. */
const AGE_FIELDS: readonly Field<number>[] = [
  {
    name: 'installed_at',
    of: (installedAt) => seconds(installedAt),
    metric: ['gauge', 'When it was installed, in seconds since 1970; 0: never.'],
  },
  {
    name: 'data_age',
    of: (installedAt, nowMs) => (installedAt === 0 ? 0 : Math.max(0, seconds(nowMs - installedAt))),
    metric: ['gauge', 'Seconds since it was installed; 0: never.'],
  },
];

/** Each value is one word, since some clients read no more of a line. */
const LOAD_FIELDS: readonly Field<LoadNews>[] = [
  { name: 'last_load_error', of: ({ lastError }) => lastError?.code ?? 'none' },
  {
    name: 'last_load_error_at',
    of: ({ lastError }) => seconds(lastError?.atMs ?? 0),
    metric: [
      'gauge',
      'When the last load failed, in seconds since 1970; 0: none did since one that served.',
    ],
  },
  { name: 'drop_waiting', of: ({ waiting }) => waiting?.code ?? 'none' },
  {
    name: 'drop_waiting_since',
    of: ({ waiting }) => seconds(waiting?.sinceMs ?? 0),
    metric: [
      'gauge',
      'Since when a drop is there that is not loaded, in seconds since 1970; 0: none is.',
    ],
  },
];

const LOAD_TEXTS: readonly Field<LoadNews>[] = [
  { name: 'last_load_error_text', of: ({ lastError }) => lastError?.text ?? 'none' },
  { name: 'drop_waiting_text', of: ({ waiting }) => waiting?.text ?? 'none' },
];

const COUNTER_FIELDS: readonly Field<Counters>[] = COUNTER_NAMES.map((name) => {
  return { name, of: (counters) => counters[name], metric: COUNTERS[name] };
});

const DATA_SET_COUNTER_FIELDS = DATA_SET_COUNTERS.map((name) => {
  return {
    name,
    of: (counters: DataSetFigures['counters']) => counters[name],
    metric: COUNTERS[name],
  };
});

/** What `stats` begins with. */
export function serverStats(facts: ServerFacts, nowMs: number): readonly Stat[] {
  return statsOf(SERVER_FIELDS, facts, nowMs);
}

/** What serves: a data set, or all of them together. */
export function servedStats(info: DataSetInfo, nowMs: number): readonly Stat[] {
  const { installedAt } = info;
  const age = installedAt === undefined ? [] : statsOf(AGE_FIELDS, installedAt, nowMs);
  return [...statsOf(SERVED_FIELDS, info, nowMs), ...age];
}

export function loadStats(news: LoadNews): readonly Stat[] {
  return statsOf(LOAD_FIELDS, news, 0);
}

/** The same with the texts, for people. */
export function loadDetails(news: LoadNews): readonly Stat[] {
  return statsOf([...LOAD_FIELDS, ...LOAD_TEXTS], news, 0);
}

/** The metrics of the server, all data sets together. */
export function serverMetrics(facts: ServerFacts, counters: Counters): readonly Metric[] {
  const nowMs = Date.now();
  return [
    ...[...SERVER_FIELDS, MEMORY_FIELD].flatMap((field) => metricOf(field, facts, nowMs)),
    ...COUNTER_FIELDS.flatMap((field) => metricOf(field, counters, nowMs)),
  ];
}

/** What the metrics of a data set are told from. */
export interface DataSetFigures {
  readonly prefix: string;
  readonly info: DataSetInfo;
  readonly news: LoadNews;
  readonly counters: Readonly<Record<DataSetCounter, number>>;
}

/** The metrics of each data set, those of one name together. */
export function dataSetMetrics(sets: readonly DataSetFigures[]): readonly Metric[] {
  const nowMs = Date.now();
  const each = <T>(fields: readonly Field<T>[], of: (set: DataSetFigures) => T): Metric[] =>
    fields.flatMap((field) => sets.flatMap((set) => metricOf(field, of(set), nowMs, set.prefix)));
  return [
    ...each(SERVED_FIELDS, ({ info }) => info),
    ...each(AGE_FIELDS, ({ info }) => info.installedAt ?? 0),
    ...each(LOAD_FIELDS, ({ news }) => news),
    ...each(DATA_SET_COUNTER_FIELDS, ({ counters }) => counters),
  ];
}

/** @param dataSet The prefix of the data set that it is about; undefined: it is about the server. */
function metricOf<T>(
  { name, of, metric }: Field<T>,
  it: T,
  nowMs: number,
  dataSet?: string,
): readonly Metric[] {
  if (metric === undefined) return [];
  const [kind, help] = metric;
  const value = Number(of(it, nowMs));
  if (dataSet === undefined) return [{ name, kind, help, labels: {}, value }];
  return [{ name: `data_set_${name}`, kind, help, labels: { data_set: dataSet }, value }];
}

function statsOf<T>(fields: readonly Field<T>[], it: T, nowMs: number): readonly Stat[] {
  return fields.map(({ name, of }): Stat => [name, of(it, nowMs)]);
}

/** Since 1970. */
function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

/** Seconds and microseconds, as memcached prints CPU time. */
function cpuTime(microseconds: number): string {
  return (microseconds / 1e6).toFixed(6);
}
