import type { DataSetInfo } from '../storage/storage.ts';
import type { Counters, Stat } from './counters.ts';
import { loadDetails, loadStats, servedStats } from './fields.ts';
import { LINE_BYTES_MAX } from './line.ts';
import type { ConnectionFacts, SessionContext } from './protocol.ts';
import { ASKED_KEY_BYTES_MAX } from './writes.ts';

/** What `stats items` counts of a class and cannot happen to records that are never replaced. */
const NEVER_ITEMS = [
  'evicted',
  'evicted_nonzero',
  'evicted_time',
  'outofmemory',
  'tailrepairs',
  'reclaimed',
  'expired_unfetched',
  'evicted_unfetched',
  'evicted_active',
  'crawler_reclaimed',
] as const;

/** What `stats slabs` counts of a class and cannot happen without a write that succeeds. */
const NEVER_SLABS = [
  'cmd_set',
  'delete_hits',
  'incr_hits',
  'decr_hits',
  'cas_hits',
  'cas_badval',
] as const;

/** `stats settings`: those of memcached's settings that mean something here, and our own. */
export function settingStats(context: SessionContext): readonly Stat[] {
  return [
    ['evictions', 'off'],
    ['cas_enabled', 'yes'],
    ['flush_enabled', 'no'],
    ['dump_enabled', canList(context) ? 'yes' : 'no'],
    ['read_only', 'yes'],
    ['key_bytes_max', ASKED_KEY_BYTES_MAX],
    ['line_bytes_max', LINE_BYTES_MAX],
    ...Object.entries(context.facts.settings ?? {}),
  ];
}

/** `stats items`: all records are in one class. */
export function itemStats(info: DataSetInfo, now: number): readonly Stat[] {
  if (info.keys === 0) return [];
  const stats: readonly Stat[] = [
    ['number', info.keys],
    ['age', Math.max(0, Math.floor((now - info.loadedAt) / 1000))],
    ['mem_requested', info.bytes],
    ...NEVER_ITEMS.map((name): Stat => [name, 0]),
  ];
  return stats.map(([name, value]): Stat => [`items:1:${name}`, value]);
}

/** `stats slabs`: there are no slabs, but a table of just the records that there are. */
export function slabStats(info: DataSetInfo, counters: Counters): readonly Stat[] {
  const isEmpty = info.keys === 0;
  const stats: readonly Stat[] = [
    // Records have no size in common: this is what one takes on average.
    ['chunk_size', Math.ceil(info.bytes / info.keys)],
    ['chunks_per_page', info.keys],
    ['total_pages', 1],
    ['total_chunks', info.keys],
    ['used_chunks', info.keys],
    ['free_chunks', 0],
    ['free_chunks_end', 0],
    ['get_hits', counters.get_hits],
    ['touch_hits', counters.touch_hits],
    ...NEVER_SLABS.map((name): Stat => [name, 0]),
  ];
  return [
    ...(isEmpty ? [] : stats.map(([name, value]): Stat => [`1:${name}`, value])),
    ['active_slabs', isEmpty ? 0 : 1],
    ['total_malloced', info.bytes],
  ];
}

/** `stats conns` describes this many: a thread cannot do anything else meanwhile. */
export const CONNECTIONS_LISTED_MAX = 500;

/**
 * `stats conns`: connections of the thread that is asked, no more than so many. How many are
 * described, how many this thread has, and how many there are in all comes last.
 */
export function connectionStats(context: SessionContext): readonly Stat[] {
  const { connections, sumCounters, counters } = context;
  if (connections === undefined) return [['conns_status', 'disabled']];
  const lines: Stat[] = [];
  let listed = 0;
  for (const connection of connections()) {
    if (listed === CONNECTIONS_LISTED_MAX) break;
    lines.push(...connectionLines(connection));
    listed++;
  }
  lines.push(['conns_listed', listed]);
  lines.push(['conns_of_thread', counters.curr_connections]);
  lines.push(['conns_of_all_threads', sumCounters().curr_connections]);
  return lines;
}

function connectionLines(connection: ConnectionFacts): readonly Stat[] {
  const { id } = connection;
  return [
    [`${id}:addr`, connection.address],
    [`${id}:listen_addr`, connection.listenAddress],
    [`${id}:state`, connection.state],
    [`${id}:secs_since_last_cmd`, connection.idleSeconds],
  ];
}

/**
 * `stats dataset`: what is being served. Of several data sets each follows, as
 * `dataset:<prefix>:<name>`; that without a prefix as `dataset::<name>`.
 */
export function dataSetStats(info: DataSetInfo, now: number): readonly Stat[] {
  const stats = [...servedStats(info, now)];
  for (const [prefix, own] of info.dataSets ?? []) {
    for (const [name, value] of servedStats(own, now)) {
      stats.push([`dataset:${prefix}:${name}`, value]);
    }
  }
  return stats;
}

/** What `stats` shows of the loads of the only data set. */
export function onlyLoadStats({ loadNews }: SessionContext): readonly Stat[] {
  const only = loadNews?.size === 1 ? loadNews.get('') : undefined;
  return only === undefined ? [] : loadStats(only);
}

/** What `stats dataset` shows of loads; of several data sets as in `dataSetStats`. */
export function dataSetLoadStats({ loadNews }: SessionContext): readonly Stat[] {
  if (loadNews === undefined) return [];
  const only = loadNews.size === 1 ? loadNews.get('') : undefined;
  if (only !== undefined) return loadDetails(only);
  return [...loadNews].flatMap(([prefix, news]) =>
    loadDetails(news).map(([name, value]): Stat => [`dataset:${prefix}:${name}`, value]),
  );
}

function canList(context: SessionContext): boolean {
  const view = context.handler.view();
  view.release();
  return view.scan !== undefined;
}
