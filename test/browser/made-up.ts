/** Servers in states that are made up, behind the real HTTP side. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { formatAddress, parseAddress } from '../../src/common/address.ts';
import { silentLogger } from '../../src/common/log.ts';
import type { DataSetStatus, FolderEvent, Status, ThreadStatus } from '../../src/common/status.ts';
import { HttpServer } from '../../src/http/http.ts';
import type { SampledLookup } from '../../src/storage/lookup-sample.ts';
import { temporaryFolder } from '../support/folder.ts';
import { Traffic } from './traffic.ts';

export const TOKEN = 'a-token-of-more-than-16';

/** All moments are before this one. */
export const NOW_MS = Date.parse('2026-11-28T15:20:00Z');
const HOUR_MS = 3_600_000;

/** A moment so many hours ago. */
function ago(hours: number): string {
  return new Date(NOW_MS - hours * HOUR_MS).toISOString();
}

export function event(hours: number, kind: FolderEvent['kind'], text: string): FolderEvent {
  return { at: ago(hours), kind, text };
}

function published(hours: number, generation: number, keys: number): FolderEvent {
  const slot = `data0${generation % 2}`;
  const text = `generation ${generation} serves from slot ${slot}: ${keys.toLocaleString('en')} keys, 214 MB of lmdb, md5 ${sumOf(generation)}; verify 0.412 s, scan 2.031 s, index 0.390 s, move 0.021 s, switch 0.004 s`;
  return event(hours, 'serving', text);
}

function sumOf(generation: number): string {
  return generation.toString(16).padStart(4, '7').repeat(8);
}

/** A data set that is well: a publish a day, one of them rolled back, one rejected. */
export function wellSet(prefix: string, others: Partial<DataSetStatus> = {}): DataSetStatus {
  const folder = `/srv/drop/${prefix || 'cities'}`;
  const generation = (number: number, hours: number) => ({
    ...({ slot: 'data00', generation: number, md5: sumOf(number), bytes: 214_000_000 } as const),
    ...{
      keys: 1_204_331 + number,
      format: 'lmdb',
      source: `${folder}.db`,
      installedAt: ago(hours),
    },
  });
  return {
    ...{ prefix, file: `${folder}.db`, basedir: `/var/lib/goromdb/${prefix || 'cities'}` },
    serving: {
      ...generation(45, 2.2),
      tableBytes: 260_000_000,
      servedSinceMs: Date.parse(ago(2.2)),
      loadSeconds: {},
    },
    previous: generation(44, 26.1),
    lookups: [],
    loads: [
      { outcome: 'taken', reason: '', count: 5 },
      { outcome: 'rejected', reason: 'DATA_CORRUPT', count: 1 },
    ],
    counters: {
      ...{ loads_taken: 5, loads_rejected: 1, loads_failed: 0 },
      ...{ scrub_passes: 12, scrub_file_faults: 0, scrub_table_faults: 0 },
    },
    events: [
      published(98.3, 41, 1_204_372),
      published(74.1, 42, 1_204_373),
      published(55.4, 43, 88_010),
      published(54.9, 44, 1_204_373),
      event(
        54.9,
        'rolled back',
        'rolled back to the data of generation 42, which is generation 44 now',
      ),
      event(
        ...([30, 'rejected'] as const),
        `rejected ${folder}.db: page 212: expected a leaf page of 4096 bytes, found an overflow page of length 0 (DATA_CORRUPT); quarantined as ${folder}.db.rejected; generation 44 keeps serving`,
      ),
      published(2.2, 45, 1_204_376),
    ],
    ...others,
  };
}

/** A data set that never had data. */
export function emptySet(prefix: string): DataSetStatus {
  const { serving: _, previous: __, ...set } = wellSet(prefix);
  const counters = { ...set.counters, loads_taken: 0, loads_rejected: 0 };
  return {
    ...set,
    counters,
    loads: [],
    events: [event(0.2, 'started', 'version 0.1.0, pid 4242')],
  };
}

/** A data set whose last file was refused, and whose next one waits. */
export function troubledSet(prefix: string): DataSetStatus {
  const set = wellSet(prefix);
  const text = `${set.file}: expected at least 1,083,938 keys, 90 % of those that serve, found 88,010`;
  return {
    ...set,
    lastError: {
      code: 'SHRUNK_TOO_MUCH',
      text: `rejected ${text} (SHRUNK_TOO_MUCH)`,
      atMs: Date.parse(ago(0.6)),
    },
    waiting: {
      code: 'SUM_MISSING',
      text: `${set.file} waits for its sum file ${set.file}.md5, and is not loaded without it`,
      sinceMs: Date.parse(ago(0.1)),
    },
    events: [
      ...set.events,
      event(
        0.6,
        'rejected',
        `rejected ${text}; quarantined as ${set.file}.rejected; generation 45 keeps serving`,
      ),
    ],
  };
}

/** A serving thread. */
export function thread(connections: number, restarts: number): ThreadStatus {
  return { connections, restarts, loopDelay: { p99Seconds: 0.011, maxSeconds: 0.013 } };
}

export function statusOf(
  dataSets: readonly DataSetStatus[],
  server: Partial<Status['server']> = {},
): Status {
  return {
    server: {
      ...{ version: '0.1.0', node: 'v22.21.1', pid: 4242, address: '10.1.7.20:11211' },
      ...{ startedAtMs: Date.parse(ago(410)), uptimeSeconds: 410 * 3600 },
      ...{ cpuSeconds: { user: 1, system: 1 }, residentBytes: 318_000_000 },
      ...{
        connections: 812,
        connectionsMax: 10_000,
        settings: {},
        requests: [],
        refusedWrites: [],
      },
      threads: [201, 204, 199, 208].map((connections) => thread(connections, 0)),
      ...server,
    },
    dataSets,
  };
}

/** What `startMadeUp` shows; tests change it. */
export interface MadeUp {
  status: Status;
  readonly traffic: Traffic;
  readonly posts: string[];
  readonly http: HttpServer;
  readonly url: string;
  /** Goes on with its clock. */
  goOn(seconds: number): void;
  /** Lookups of data sets, by their prefixes. */
  readonly samples: Map<string, readonly SampledLookup[]>;
}

export async function startMadeUp(status: Status): Promise<MadeUp> {
  const tokenFile = join(temporaryFolder(), 'token');
  writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
  const posts: string[] = [];
  const traffic = new Traffic();
  const madeUp = {
    ...{ status, traffic, posts },
    samples: new Map<string, readonly SampledLookup[]>(),
    goOn: (seconds: number) => {
      const { server, dataSets } = madeUp.status;
      const uptimeSeconds = server.uptimeSeconds + seconds;
      madeUp.status = { server: { ...server, uptimeSeconds }, dataSets };
    },
  };
  const subject = {
    status: () => traffic.in(madeUp.status),
    counters: () => traffic.counters,
    sample: (set: string) => madeUp.samples.get(set) ?? [],
    rollback: async (set: string) => posts.push(`rollback ${set}`),
    rescan: (set: string) => void posts.push(`rescan ${set}`),
    scrub: (set: string) => void posts.push(`scrub ${set}`),
  };
  const options = { address: parseAddress('127.0.0.1:0'), tokenFile, prefixDelimiter: ':' };
  const http = new HttpServer(options, subject, silentLogger);
  onTestFinished(() => http.close());
  const url = `http://${formatAddress(await http.listen())}/`;
  return Object.assign(madeUp, { http, url });
}
