/**
 * What belongs in this folder: makes the parts, connects them, starts and closes them in order.
 */
import { dirname, resolve } from 'node:path';
import type { Address } from '../common/address.ts';
import { silentLogger } from '../common/log.ts';
import type { DataSetShare } from '../data-sets/data-set.ts';
import { checkPlan as checkSets, DataSets, type Plan } from '../data-sets/data-sets.ts';
import { checkHttp, HttpServer } from '../http/http.ts';
import type { Subject } from '../http/routes.ts';
import { checkAccess } from '../server/access.ts';
import { checkLimits, DEFAULT_LIMITS } from '../server/limits.ts';
import { DEFAULT_DELIMITER } from '../storage/scanners/namespaces.ts';
import type { SocketRole } from '../upgrade/upgrade.ts';
import type { Goromdb, GoromdbDataSets } from './goromdb.ts';
import type {
  DataSetsOptions,
  DataSetsPlan,
  GoromdbOptions,
  ServerOptions,
  ServerPlan,
} from './options.ts';
import { planRedisCluster, type RedisClusterPlan } from './redis-cluster.ts';
import { RunningServer } from './running-server.ts';
import { createThreads, type ServingThreads } from './serving-threads.ts';

export type { Goromdb, GoromdbDataSets };

/**
 * Starts the whole server: puts the newest generation in the slots into service, listens, and
 * waits for files to be dropped.
 *
 * @throws GoromdbError ADDRESS_UNAVAILABLE, FOLDER_IN_USE, FOLDER_UNUSABLE, OPTION_INVALID.
 */
export function startGoromdb(options: GoromdbOptions): Promise<Goromdb> {
  return startPlan({ ...options, dataSets: [options], delimiter: undefined });
}

/**
 * Starts a server of several data sets, each with its own file, slots and generations.
 *
 * @throws GoromdbError as `startGoromdb`.
 */
export function startDataSets(options: DataSetsOptions): Promise<GoromdbDataSets> {
  return startPlan({ ...options, delimiter: options.delimiter ?? DEFAULT_DELIMITER });
}

/** @throws GoromdbError OPTION_INVALID when a plan could not be started on any machine. */
export async function checkPlan(plan: ServerPlan): Promise<void> {
  await checkSets(placedSets(plan, plan.delimiter));
  checkServer(plan);
  redisClusterOf(plan);
}

function placedSets({ dataSets }: DataSetsPlan, delimiter: string | undefined): Plan {
  const sets = dataSets.map(({ prefix: name, ...options }) => {
    const file = resolve(options.file);
    const prefix = name === undefined || delimiter === undefined ? undefined : { name, delimiter };
    return { ...options, file, basedir: resolve(options.basedir ?? dirname(file)), prefix };
  });
  return { sets };
}

function checkServer({ access, address, limits, http }: ServerOptions): void {
  if (http !== undefined) checkHttp(http, address);
  if (access !== undefined) checkAccess(access, address);
  checkLimits({ ...DEFAULT_LIMITS, ...limits });
}

/** Starts the data sets of a plan. @throws GoromdbError as `startGoromdb`. */
export async function startPlan(given: ServerPlan): Promise<RunningServer> {
  await checkPlan(given);
  const plan = { ...placedAt(given), redisCluster: redisClusterOf(given) };
  let shutdown = (): void => {};
  const threads = createThreads(plan, () => shutdown());
  const { logger = silentLogger, onLoad, delimiter, upgrade, place: shardPlace } = plan;
  const onEvent: DataSetShare['onEvent'] = (set, event) => {
    http?.note(set, event);
    plan.onEvent?.(set, event);
  };
  const locks = plan.inherited?.locks;
  const share = {
    ...{ threads: threads.server, logger, onLoad, onEvent, upgrade, locks },
    place: shardPlace,
  };
  const sets = new DataSets(share, delimiter !== undefined);
  const http = plan.http && new HttpServer(plan.http, subjectOf(threads, sets), logger);
  const place = (next: DataSetsPlan): Plan => placedSets(next, delimiter);
  const goromdb = new RunningServer(plan, threads, sets, http, place);
  try {
    // Do not wait for a thread that cannot start.
    await Promise.race([threads.failure, goromdb.start()]);
    shutdown = () => {
      logger.info('a client has sent shutdown: stops', { event: 'server-stopping' });
      void goromdb.close();
    };
    return goromdb;
  } catch (error) {
    await threads.server.close();
    await sets.close();
    await http?.close();
    throw error;
  }
}

/** @throws GoromdbError OPTION_INVALID when the shards are none of a Redis Cluster, but say so. */
function redisClusterOf({ place, access }: ServerOptions): RedisClusterPlan | undefined {
  return place && planRedisCluster(place, access?.tls !== undefined);
}

/** With the addresses of sockets that were given for whichever address there is. */
function placedAt(plan: ServerPlan): ServerPlan {
  const { sockets = [] } = plan.inherited ?? {};
  const given = (wanted: SocketRole): Address | undefined =>
    sockets.find(({ role, asked }) => role === wanted && asked === undefined)?.address;
  const { address, http } = plan;
  const httpAddress = given('http');
  return {
    ...plan,
    address: given('data') ?? address,
    http: http && httpAddress ? { ...http, address: httpAddress } : http,
  };
}

/** What HTTP clients see of a server. */
function subjectOf({ server }: ServingThreads, sets: DataSets): Subject {
  return {
    status: () => ({ server: server.status, dataSets: sets.status }),
    counters: () => [...server.metrics, ...sets.metrics],
    sample: (set) => sets.named(set).sample,
    rollback: (set) => sets.named(set).rollback(),
    rescan: (set) => sets.named(set).look(),
    scrub: (set) => sets.named(set).scrub(),
  };
}
