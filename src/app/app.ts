/**
 * What belongs in this folder: makes the parts, connects them, starts and closes them in order.
 */
import { dirname, resolve } from 'node:path';
import { type Address, formatAddress } from '../common/address.ts';
import { messageOf } from '../common/errors.ts';
import { silentLogger } from '../common/log.ts';
import type { Metric, Status } from '../common/status.ts';
import type { DataSetShare } from '../data-sets/data-set.ts';
import { checkPlan as checkSets, DataSets, type Plan } from '../data-sets/data-sets.ts';
import { checkHttp, HttpServer } from '../http/http.ts';
import type { Subject } from '../http/routes.ts';
import { checkAccess } from '../server/access.ts';
import { descriptorWarning } from '../server/descriptors.ts';
import { checkLimits, DEFAULT_LIMITS } from '../server/limits.ts';
import { checkAddress } from '../server/listener.ts';
import { DEFAULT_DELIMITER } from '../storage/scanners/namespaces.ts';
import type {
  DataSetsOptions,
  DataSetsPlan,
  GoromdbOptions,
  ServerOptions,
  ServerPlan,
} from './options.ts';
import { createThreads, type ServingThreads } from './serving-threads.ts';

/** A running server with its watchers and loaders. */
export interface Goromdb {
  /** Where it listens; with port 0, the port that the system chose. */
  readonly address: Address;
  /** Rejects when the server cannot go on; otherwise resolves when it is closed. */
  readonly done: Promise<void>;
  /**
   * Looks at the drop folder now, and again at files that were refused before; reads certificates
   * and users again, for connections to come.
   */
  reload(): void;
  /** How the server and its data sets are, now: from memory, without a look at the disk. */
  status(): Status;
  /**
   * The numbers of `stats`, with what they mean: those of the server, then those of each data set,
   * whose names begin with `data_set_`.
   */
  counters(): readonly Metric[];
  /** Stops accepting, answers what was asked, closes. Safe to call twice. */
  close(): Promise<void>;
}

/** A running server of several data sets. */
export interface GoromdbDataSets extends Goromdb {
  /**
   * Changes to other data sets while it serves: those that are the same stay as they are, one that
   * changed keeps serving what it has until its new data is ready.
   *
   * @throws GoromdbError OPTION_INVALID, FOLDER_IN_USE, FOLDER_UNUSABLE; then all is as it was.
   */
  change(plan: DataSetsPlan): Promise<void>;
}

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

/** The log line of a reload. */
function reloadedLine({ access, http }: ServerOptions): string {
  const files = [
    ...(access?.tls === undefined ? [] : ['certificates']),
    ...(access?.userFile === undefined ? [] : ['users']),
    ...(http?.tokenFile === undefined ? [] : ['the token']),
  ];
  const read = files.length === 0 ? '' : `; ${files.join(' and ')} were read again`;
  return `reloaded: drops are looked at again${read}`;
}

/** Starts the data sets of a plan. @throws GoromdbError as `startGoromdb`. */
export async function startPlan(plan: ServerPlan): Promise<GoromdbDataSets> {
  await checkPlan(plan);
  let shutdown = (): void => {};
  const threads = createThreads(plan, () => shutdown());
  const { logger = silentLogger, onLoad, delimiter } = plan;
  const onEvent: DataSetShare['onEvent'] = (set, event) => http?.note(set, event);
  const share = { threads: threads.server, logger, onLoad, onEvent };
  const sets = new DataSets(share, delimiter !== undefined);
  const http = plan.http && new HttpServer(plan.http, subjectOf(threads, sets), logger);
  try {
    const starting = begin(plan, threads, sets, http);
    // Do not wait for a thread that cannot start.
    const goromdb = await Promise.race([threads.failure, starting]);
    shutdown = () => {
      logger.info('a client has sent shutdown: stops');
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

/** What HTTP clients see of a server. */
function subjectOf({ server }: ServingThreads, sets: DataSets): Subject {
  return {
    status: () => ({ server: server.status, dataSets: sets.status }),
    counters: () => [...server.metrics, ...sets.metrics],
    rollback: (set) => sets.named(set).rollback(),
    rescan: (set) => sets.named(set).look(),
    scrub: (set) => sets.named(set).scrub(),
  };
}

async function begin(
  plan: ServerPlan,
  { server, done, resolve }: ServingThreads,
  sets: DataSets,
  http: HttpServer | undefined,
): Promise<GoromdbDataSets> {
  const { logger = silentLogger, limits, threads: threadCount = 1, delimiter } = plan;
  const { connectionsMax } = { ...DEFAULT_LIMITS, ...limits };
  await sets.take(placedSets(plan, delimiter));
  const warning = descriptorWarning(connectionsMax, threadCount);
  if (warning !== undefined) logger.warn(warning);
  // Before anything is loaded: an address in use is an error at once, and probes are answered.
  await http?.listen();
  await checkAddress(plan.address);
  const lacks = await sets.recover();
  const address = await server.listen(plan.address);
  const listensOn = formatAddress(address);
  logger.info([`listens on ${listensOn}`, ...lacks].join('; '));
  sets.watch(listensOn);
  const close = async (): Promise<void> => {
    // Both at once: a load may take long to stop, and clients must not wait for it.
    http?.drain();
    await Promise.all([sets.unwatch(), server.close()]);
    await sets.close();
    // Last: until then it says that the server closes.
    await http?.close();
    resolve();
  };
  let closing: Promise<void> | undefined;
  return {
    address,
    done,
    reload: () => {
      sets.look();
      Promise.all([server.reload(), http?.reload()]).then(
        () => logger.info(reloadedLine(plan)),
        (error: unknown) => {
          logger.error(`not reloaded: ${messageOf(error)}; what was in use stays`);
        },
      );
    },
    status: () => ({ server: server.status, dataSets: sets.status }),
    counters: () => [...server.metrics, ...sets.metrics],
    change: (next) => sets.change(placedSets(next, delimiter)),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
