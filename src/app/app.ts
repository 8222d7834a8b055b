/** The composition root: makes the parts, connects them, starts and closes them in order. */
import { dirname, resolve } from 'node:path';
import { type Address, formatAddress } from '../common/address.ts';
import { messageOf } from '../common/errors.ts';
import { silentLogger } from '../common/log.ts';
import type { Metric, Status } from '../common/status.ts';
import type { DataSetOptions, PlacedDataSet } from '../data-sets/data-set.ts';
import { checkPlan, DataSets, type Plan } from '../data-sets/data-sets.ts';
import { checkAccess } from '../server/access.ts';
import { descriptorWarning } from '../server/descriptors.ts';
import { checkLimits, DEFAULT_LIMITS } from '../server/limits.ts';
import { checkAddress } from '../server/listener.ts';
import { DEFAULT_DELIMITER, type KeyPrefix } from '../storage/scanners/namespaces.ts';
import type { DataSetsOptions, DataSetsPlan, GoromdbOptions, ServerOptions } from './options.ts';
import { createThreads, type ServingThreads } from './serving-threads.ts';

/** A running server with all around it. */
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
   * Goes over to other data sets while it serves: those that stay the same are left alone, one that
   * changed serves on what it has until it has something new.
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
export async function startGoromdb(options: GoromdbOptions): Promise<Goromdb> {
  const { handler = 'simple' } = options;
  const plan = { sets: [placed(dataSetOf(options), undefined)] };
  return start(options, plan, { handler, delimiter: undefined });
}

/**
 * Starts a server of several data sets, each with its own file, slots and generations.
 *
 * @throws GoromdbError as `startGoromdb`.
 */
export async function startDataSets(options: DataSetsOptions): Promise<GoromdbDataSets> {
  const { delimiter = DEFAULT_DELIMITER } = options;
  return start(options, planOf(options, delimiter), { handler: 'simple', delimiter });
}

/** @throws GoromdbError OPTION_INVALID when data sets are not as they must be. */
export async function checkDataSets(options: DataSetsOptions): Promise<void> {
  await checkPlan(planOf(options, options.delimiter ?? DEFAULT_DELIMITER));
  checkServer(options);
}

function planOf({ dataSets }: DataSetsPlan, delimiter: string): Plan {
  const sets = dataSets.map(({ prefix, ...options }) =>
    placed(options, prefix === undefined ? undefined : { name: prefix, delimiter }),
  );
  return { sets };
}

function placed(options: DataSetOptions, prefix: KeyPrefix | undefined): PlacedDataSet {
  const file = resolve(options.file);
  return { ...options, file, basedir: resolve(options.basedir ?? dirname(options.file)), prefix };
}

/** What of the options is about the data set. */
function dataSetOf(options: GoromdbOptions): DataSetOptions {
  const { file, storage, gzipped, bucket, fields, namespaces, basedir } = options;
  const { keepPrevious, guards, scrub, pollIntervalMs, rescanMs } = options;
  return {
    ...{ file, storage, bucket, fields, namespaces },
    ...(gzipped === undefined ? {} : { gzipped }),
    ...(basedir === undefined ? {} : { basedir }),
    ...(keepPrevious === undefined ? {} : { keepPrevious }),
    ...(guards === undefined ? {} : { guards }),
    ...(scrub === undefined ? {} : { scrub }),
    ...(pollIntervalMs === undefined ? {} : { pollIntervalMs }),
    ...(rescanMs === undefined ? {} : { rescanMs }),
  };
}

function checkServer({ access, address, limits }: ServerOptions): void {
  if (access !== undefined) checkAccess(access, address);
  checkLimits({ ...DEFAULT_LIMITS, ...limits });
}

/** What a reload has done. */
function reloadedLine({ access }: ServerOptions): string {
  const files = [
    ...(access?.tls === undefined ? [] : ['certificates']),
    ...(access?.userFile === undefined ? [] : ['users']),
  ];
  const read = files.length === 0 ? '' : `; ${files.join(' and ')} were read again`;
  return `reloaded: drops are looked at again${read}`;
}

/** @param parts The handler; or with a delimiter, several data sets. */
async function start(
  options: ServerOptions,
  plan: Plan,
  parts: { readonly handler: string; readonly delimiter: string | undefined },
): Promise<GoromdbDataSets> {
  await checkPlan(plan);
  checkServer(options);
  let shutdown = (): void => {};
  const threads = createThreads(options, parts, () => shutdown());
  const { logger = silentLogger, onLoad } = options;
  const isNamed = parts.delimiter !== undefined;
  const sets = new DataSets({ threads: threads.server, logger, onLoad }, isNamed);
  try {
    const starting = begin(options, plan, threads, sets, parts.delimiter);
    // A thread that cannot even start must not be waited for.
    const goromdb = await Promise.race([threads.failure, starting]);
    shutdown = () => {
      logger.info('a client has sent shutdown: stops');
      void goromdb.close();
    };
    return goromdb;
  } catch (error) {
    await threads.server.close();
    await sets.close();
    throw error;
  }
}

async function begin(
  options: ServerOptions,
  plan: Plan,
  { server, done, resolve }: ServingThreads,
  sets: DataSets,
  delimiter: string | undefined,
): Promise<GoromdbDataSets> {
  const { logger = silentLogger, limits, threads: threadCount = 1 } = options;
  const { connectionsMax } = { ...DEFAULT_LIMITS, ...limits };
  await sets.take(plan);
  const warning = descriptorWarning(connectionsMax, threadCount);
  if (warning !== undefined) logger.warn(warning);
  // Before the work of loading: an address in use should be told at once.
  await checkAddress(options.address);
  const lacks = await sets.recover();
  const address = await server.listen(options.address);
  const listensOn = formatAddress(address);
  logger.info([`listens on ${listensOn}`, ...lacks].join('; '));
  sets.watch(listensOn);
  const close = async (): Promise<void> => {
    // At once: a load under way may take its time to stop, and clients must not wait for it.
    await Promise.all([sets.unwatch(), server.close()]);
    await sets.close();
    resolve();
  };
  let closing: Promise<void> | undefined;
  return {
    address,
    done,
    reload: () => {
      sets.look();
      server.reload().then(
        () => logger.info(reloadedLine(options)),
        (error: unknown) => {
          logger.error(`not reloaded: ${messageOf(error)}; what was in use stays`);
        },
      );
    },
    status: () => ({ server: server.status, dataSets: sets.status }),
    counters: () => [...server.metrics, ...sets.metrics],
    change: (next) => sets.change(planOf(next, delimiter ?? DEFAULT_DELIMITER)),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
