import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GeneratedData } from '../src/traffic/data-set.ts';
import { placesFor } from './machine.ts';
import { type LoadOptions, measure } from './measure.ts';
import type { Running } from './processes.ts';
import type { Effort, Row, SectionResult } from './result.ts';
import type { Scenario } from './scenarios.ts';
import {
  type StartOptions,
  startGoGoromdb,
  startGoromdb,
  startMemcached,
  startRedis,
} from './servers.ts';

/** Servers with the same data, ready to be loaded in turn. */
export interface Contest {
  /** goromdb first, memcached second, then the others. */
  readonly servers: readonly Running[];
  readonly options: LoadOptions;
}

export type Start = (options: StartOptions) => Promise<Running>;

/** Starts goromdb, memcached and what else was asked for, and stops them whatever happens. */
export async function withServers<T>(
  data: GeneratedData,
  threads: number,
  effort: Effort,
  use: (contest: Contest) => Promise<T>,
): Promise<T> {
  const { memcached, redis, goGoromdb } = effort.programs;
  const starts: Start[] = [
    (options) => startGoromdb(options),
    (options) => startMemcached(memcached, options),
  ];
  // Redis runs commands in one thread. Its threads for input and output wait by spinning: with two of
  // them on two processors a single get took 284 µs of CPU in place of 7.
  if (redis !== undefined && threads === 1) starts.push((options) => startRedis(redis, options));
  if (goGoromdb !== undefined) starts.push((options) => startGoGoromdb(goGoromdb, options));
  return withStarted(starts, data, threads, effort, use);
}

/** Starts servers, and stops them whatever happens. */
export async function withStarted<T>(
  starts: readonly Start[],
  data: GeneratedData,
  threads: number,
  { seconds, rounds }: Effort,
  use: (contest: Contest) => Promise<T>,
): Promise<T> {
  return withFolder(async (folder) => {
    const places = placesFor(threads);
    const servers: Running[] = [];
    try {
      for (const start of starts) {
        servers.push(await start({ data, threads, cpus: places.server, folder }));
      }
      const options = { ...data, flags: [], seconds, rounds, places };
      return await use({ servers, options });
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  });
}

/** Makes a folder and removes it. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'goromdb-bench-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Loads all servers in the same way, but those that do not have the commands for it. */
export async function compare(
  { servers, options }: Contest,
  { name, flags }: Scenario,
): Promise<Row> {
  const able = servers.filter((server) => server.hasMeta || !flags.includes('meta'));
  const measured = await measure(able, { ...options, flags });
  return { name, servers: measured.map((it, i) => ({ ...it, server: able[i].name })) };
}

/** Compares all servers in several scenarios. */
export async function scenarios(
  list: readonly Scenario[],
  data: GeneratedData,
  effort: Effort,
  threads = 1,
): Promise<SectionResult> {
  return withServers(data, threads, effort, async (contest) => {
    const rows: Row[] = [];
    for (const scenario of list) rows.push(await compare(contest, scenario));
    return { rows, notes: [] };
  });
}
