import process from 'node:process';
import type { SessionContext } from '../protocol.ts';

/** A line of a stats reply: name and value. */
export type Stat = readonly [name: string, value: string | number];

/** Seconds and microseconds, as memcached prints CPU time. */
function cpuTime(microseconds: number): string {
  return (microseconds / 1e6).toFixed(6);
}

/** What `stats` without an argument reports: memcached's names, and then those of this server. */
export function generalStats(context: SessionContext, now: number): readonly Stat[] {
  const { facts } = context;
  const counters = context.sumCounters();
  const view = context.handler.view();
  const { info } = view;
  view.release();
  const usage = process.resourceUsage();
  return [
    ['pid', process.pid],
    ['uptime', Math.floor((now - facts.startedAt) / 1000)],
    ['time', Math.floor(now / 1000)],
    ['version', facts.version],
    ['pointer_size', 64],
    ['rusage_user', cpuTime(usage.userCPUTime)],
    ['rusage_system', cpuTime(usage.systemCPUTime)],
    ['max_connections', facts.connectionsMax],
    ...Object.entries(counters),
    ['threads', facts.threads],
    ['curr_items', info.keys],
    ['bytes', info.bytes],
    ['generation', info.generation],
    ['keys', info.keys],
    ['md5', info.md5 === '' ? 'none' : info.md5],
    ['format', info.format],
    ['loaded_at', Math.floor(info.loadedAt / 1000)],
  ];
}
