import process from 'node:process';
import type { ServerStatus } from '../../common/status.ts';
import { VERSION } from '../../common/version.ts';
import { countersOf } from '../../protocol/counters.ts';
import type { ServerFacts } from '../../protocol/protocol.ts';
import { readMeters } from '../metering/metering.ts';

/** How a server is, now. @param restarts Of each thread. */
export function serverStatusOf(
  { startedAt, connectionsMax, settings = {} }: ServerFacts,
  address: string,
  memory: { readonly counters: SharedArrayBuffer; readonly meters: SharedArrayBuffer },
  restarts: readonly number[],
  certificateExpiresAt: string | undefined,
): ServerStatus {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  const { loopDelays, ...meters } = readMeters(memory.meters);
  const threads = restarts.map((count, thread) => {
    const { curr_connections: connections } = countersOf(memory.counters, thread);
    return { connections, restarts: count, loopDelay: loopDelays[thread] };
  });
  return {
    ...{ version: VERSION, node: process.version, pid: process.pid, address },
    startedAtMs: startedAt,
    uptimeSeconds: (Date.now() - startedAt) / 1000,
    cpuSeconds: { user: userCPUTime / 1e6, system: systemCPUTime / 1e6 },
    residentBytes: process.memoryUsage.rss(),
    threads,
    ...meters,
    connections: threads.reduce((sum, { connections }) => sum + connections, 0),
    ...{ connectionsMax, settings, certificateExpiresAt },
  };
}
