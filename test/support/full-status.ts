import type { Histogram, Status } from '../../src/common/status.ts';

const HISTOGRAM: Histogram = { count: 3, sum: 0.02, buckets: [[0.001, 1]] };
const DELAY = { p99Seconds: 0.001, maxSeconds: 0.002 };
const AT = '2026-11-28T03:00:00.000Z';

/** A status in which everything happens that one can show. */
export const FULL_STATUS: Status = {
  server: {
    ...{ version: '1.2.3', node: 'v20.19.0', pid: 7, address: '127.0.0.1:11211' },
    ...{ startedAtMs: 0, uptimeSeconds: 1, cpuSeconds: { user: 1, system: 1 }, residentBytes: 1 },
    threads: [{ connections: 1, restarts: 0, loopDelay: DELAY }],
    requests: [{ protocol: 'text', duration: HISTOGRAM, size: HISTOGRAM }],
    refusedWrites: [{ protocol: 'redis', command: 'hset', count: 2 }],
    ...{ connections: 1, connectionsMax: 10, settings: {}, certificateExpiresAt: AT },
  },
  dataSets: [
    {
      ...{ prefix: 'geo', file: '/srv/drop/geo.json', basedir: '/srv/geo', events: [] },
      serving: {
        ...{
          slot: 'data00',
          generation: 1,
          md5: '0'.repeat(32),
          bytes: 1,
          keys: 1,
          format: 'json',
        },
        ...{ source: '/srv/drop/geo.json', installedAt: AT, tableBytes: 1, servedSinceMs: 0 },
        loadSeconds: { verify: 0.5, scan: 1 },
      },
      loading: { path: '/srv/drop/geo.json', stage: 'scan', sinceMs: Date.now() },
      waiting: { code: 'SUM_MISSING', text: 'there is no /srv/drop/geo.json.md5', sinceMs: 0 },
      counters: {
        ...{ loads_taken: 1, loads_rejected: 0, loads_failed: 0 },
        ...{ scrub_passes: 0, scrub_file_faults: 0, scrub_table_faults: 0 },
      },
      lookups: [{ protocol: 'meta', hits: 5, misses: 1 }],
      loads: [{ outcome: 'taken', reason: '', count: 1 }],
    },
  ],
};
