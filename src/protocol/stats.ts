import type { DataSetInfo } from '../storage/storage.ts';
import type { Counters, Stat } from './counters.ts';
import { servedStats, serverStats } from './fields.ts';
import type { SessionContext } from './protocol.ts';
import {
  connectionStats,
  dataSetLoadStats,
  dataSetStats,
  itemStats,
  onlyLoadStats,
  settingStats,
  slabStats,
} from './stats-details.ts';

/** What memcached counts and cannot happen here: nothing is written, expires or is thrown out. */
const NEVER = [
  'get_expired',
  'get_flushed',
  'delete_hits',
  'incr_hits',
  'decr_hits',
  'cas_hits',
  'cas_badval',
  'store_too_large',
  'store_no_memory',
  'evictions',
  'reclaimed',
  'direct_reclaims',
  'expired_unfetched',
  'evicted_unfetched',
  'evicted_active',
  'crawler_reclaimed',
  'malloc_fails',
  // Connections above the limit get an error: the server never stops accepting.
  'listen_disabled_num',
  'time_in_listen_disabled_us',
] as const;

/**
 * The whole reply to `stats` (memcached's protocol.txt, "Statistics"): some clients lose lines of
 * a reply that comes in several pieces. Arguments that memcached does not look at are not looked
 * at here.
 *
 * @param words The command's words, itself the first.
 * @returns undefined when the argument is not known.
 */
export function statsReply(
  words: readonly string[],
  context: SessionContext,
  now: number,
): string | undefined {
  if (words[1] === 'reset') {
    if (context.resetCounters === undefined) return 'CLIENT_ERROR stats reset not allowed\r\n';
    context.resetCounters();
    return 'RESET\r\n';
  }
  const stats = statsOf(words[1], context, now);
  return stats === undefined ? undefined : listOf(stats);
}

/**
 * One group of statistics, for any protocol.
 *
 * @param group As memcached names it; undefined: the general ones.
 * @returns undefined when there is no such group.
 */
export function statsOf(
  group: string | undefined,
  context: SessionContext,
  now: number,
): readonly Stat[] | undefined {
  switch (group) {
    case undefined:
      return generalStats(context, now);
    case 'settings':
      return settingStats(context);
    case 'items':
      return itemStats(dataSetOf(context), now);
    case 'slabs':
      return slabStats(dataSetOf(context), context.sumCounters());
    case 'conns':
      return connectionStats(context);
    case 'sizes':
      return [['sizes_status', 'disabled']];
    case 'dataset':
      return [...dataSetStats(dataSetOf(context), now), ...dataSetLoadStats(context)];
    default:
      return undefined;
  }
}

/** What `stats` without an argument reports: memcached's names, and then those of this server. */
function generalStats(context: SessionContext, now: number): readonly Stat[] {
  const { facts } = context;
  const info = dataSetOf(context);
  const counters = context.sumCounters();
  return [
    ...serverStats(facts, now),
    ['connection_structures', counters.curr_connections],
    ...Object.entries(counters),
    // None finds its key: that is what its refusal says.
    ['cas_misses', counters.refused_cas],
    ...NEVER.map((name): Stat => [name, 0]),
    ['accepting_conns', 1],
    ['curr_items', info.keys],
    ['total_items', info.keys],
    ['bytes', info.bytes],
    ['limit_maxbytes', facts.settings?.maxbytes ?? info.bytes],
    // `stats dataset` shows each data set: exporters take a name with two colons for one of a slab
    // class, and fail when there is no number between them.
    ...servedStats(info, now).filter(([name]) => name !== 'bytes'),
    ...(context.foreign === undefined ? [] : [['forwarded_percent', hopsOf(counters)] as const]),
    ...onlyLoadStats(context),
  ];
}

/** How many of the keys that were asked for are other servers', in percent. */
function hopsOf({ forwarded_out, cmd_get, cmd_touch }: Counters): number {
  // A key that is asked for twice counts twice above, and one of EXISTS there only.
  return Math.min(100, Math.round((100 * forwarded_out) / Math.max(1, cmd_get + cmd_touch)));
}

function dataSetOf(context: SessionContext): DataSetInfo {
  const view = context.handler.view();
  view.release();
  return view.info;
}

function listOf(stats: Iterable<Stat>): string {
  let text = '';
  for (const [name, value] of stats) text += `STAT ${name} ${value}\r\n`;
  return `${text}END\r\n`;
}
