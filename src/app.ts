/** The composition root: makes the parts, connects them, starts and closes them in order. */
import { dirname, join, resolve } from 'node:path';
import { Control } from './control/control.ts';
import { GoromdbError, messageOf } from './errors.ts';
import type { Guards } from './loader/guards.ts';
import { Loader, type LoaderOptions } from './loader/loader.ts';
import { defaultTableBytesMax } from './loader/memory.ts';
import type { KeepPrevious } from './loader/rollback.ts';
import { checkScanner, checkSelection } from './loader/scanners.ts';
import { SCRUB_RATE_DEFAULT, Scrub } from './loader/scrub.ts';
import { prepareBase, SLOT_NAMES } from './loader/slots.ts';
import type { ServerStatus } from './loader/status.ts';
import { type Logger, silentLogger } from './log.ts';
import { type AccessOptions, checkAccess } from './server/access.ts';
import { type Address, formatAddress } from './server/address.ts';
import { descriptorWarning } from './server/descriptors.ts';
import { checkLimits, DEFAULT_LIMITS, type Limits } from './server/limits.ts';
import { checkAddress } from './server/listener.ts';
import { THREADS_MAX, Threads, type ThreadsOptions } from './server/threads.ts';
import type { NamespaceOptions } from './storage/scanners/scanner.ts';
import { VERSION } from './version.ts';
import { see } from './watcher/identity.ts';
import { startWatcher } from './watcher/watcher.ts';

export interface GoromdbOptions {
  readonly address: Address;
  /** The file that producers drop; its sum comes beside it as `<file>.md5`. */
  readonly file: string;
  /**
   * Format of the file: `auto`, `json`, `jsonl`, `lmdb`, `boltdb`, `bdb`, `memcachedb-bdb`, or the
   * URL of a module whose default export is a `Scanner`.
   */
  readonly storage: string;
  /** `memcached`, or the URL of a module whose default export is a `Protocol`. */
  readonly protocol?: string;
  /** `simple`, or the URL of a module whose default export makes a `Handler` of a `Storage`. */
  readonly handler?: string;
  readonly gzipped?: boolean;
  readonly bucket?: string | undefined;
  /** Serve all buckets or named databases of the file, under `name:key`. Default: no. */
  readonly namespaces?: NamespaceOptions | undefined;
  /** Folder of the slots. Default: the folder of `file`. */
  readonly basedir?: string;
  /** What becomes of the generation before, when a newer one serves. Default: it stays on disk. */
  readonly keepPrevious?: KeepPrevious;
  readonly limits?: Partial<Limits>;
  /** Who may connect, and how. Default: everybody, without TLS. */
  readonly access?: AccessOptions;
  /** Answer writes in the text protocol with an error. Default: with what clients survive. */
  readonly loudRefusals?: boolean;
  /** Let clients end the server by the command `shutdown`. Default: no. */
  readonly allowShutdown?: boolean;
  /** Serving threads, 1 to 64. Default 1. */
  readonly threads?: number;
  /**
   * Bytes that a data set may take in memory; a larger one is mapped. Infinity: none is. Default:
   * 0.4 of what the machine or cgroup has.
   */
  readonly memoryBytes?: number | undefined;
  /** What is asked of each new generation. Default: nothing but that its file is sound. */
  readonly guards?: Guards;
  /**
   * How fast what serves is checked against its sums in the background, in bytes a second up to
   * 1 GiB (default 8 MiB; 0: not at all), and how long it rests after each time (default 60 s).
   */
  readonly scrub?: { readonly bytesPerSecond?: number; readonly passPauseMs?: number };
  /** Look at the drop folder this often in place of waiting for events; 0: wait for events. */
  readonly pollIntervalMs?: number;
  /** Look at the drop folder this often beside the events. */
  readonly rescanMs?: number;
  readonly logger?: Logger;
  /** For progress: see `LoaderOptions`. */
  readonly onLoad?: LoaderOptions['onLoad'];
}

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
  /** Stops accepting, answers what was asked, closes. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Starts the whole server: puts the newest generation in the slots into service, listens, and
 * waits for files to be dropped.
 *
 * @throws GoromdbError ADDRESS_UNAVAILABLE, FOLDER_IN_USE, FOLDER_UNUSABLE, OPTION_INVALID.
 */
export async function startGoromdb(options: GoromdbOptions): Promise<Goromdb> {
  const baseDir = resolve(options.basedir ?? dirname(options.file));
  const file = resolve(options.file);
  if (SLOT_NAMES.some((name) => join(baseDir, name) === dirname(file))) {
    const message = `file: ${file} is where a generation is kept; choose a file in another folder`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
  // Threads find their parts themselves; a scanner would be missed at the first drop only.
  await checkScanner(options.storage);
  checkSelection(options);
  if (options.access !== undefined) checkAccess(options.access, options.address);
  checkLimits({ ...DEFAULT_LIMITS, ...options.limits });
  await prepareBase(baseDir);
  const control = await Control.take(baseDir, options.logger ?? silentLogger);
  let shutdown = (): void => {};
  let threads: ServingThreads | undefined;
  try {
    threads = createThreads(
      options,
      () => shutdown(),
      (lost) => loader.restore(lost),
    );
    const loader = createLoader(options, baseDir, threads.server);
    const starting = start(options, file, threads, loader, control);
    // A thread that cannot even start must not be waited for.
    const goromdb = await Promise.race([threads.failure, starting]);
    shutdown = () => void goromdb.close();
    return goromdb;
  } catch (error) {
    await threads?.server.close();
    await control.close();
    throw error;
  }
}

async function start(
  options: GoromdbOptions,
  file: string,
  { server, done, resolve }: ServingThreads,
  loader: Loader,
  control: Control,
): Promise<Goromdb> {
  const { logger = silentLogger, limits, threads: threadCount = 1 } = options;
  const { connectionsMax } = { ...DEFAULT_LIMITS, ...limits };
  const warning = descriptorWarning(connectionsMax, threadCount);
  if (warning !== undefined) logger.warn(warning);
  await loader.prepare();
  // Before the work of loading: an address in use should be told at once.
  await checkAddress(options.address);
  const hasData = await loader.recover({ file, sumFile: `${file}.md5` });
  const address = await server.listen(options.address);
  const listensOn = formatAddress(address);
  logger.info(`listens on ${listensOn}${hasData ? '' : await describeLack(file)}`);
  loader.events.add('started', `version ${VERSION}, pid ${control.holder.pid}, on ${listensOn}`);
  control.answer('rollback', () => loader.rollback());
  control.answer('status', async (): Promise<ServerStatus> => {
    return { ...loader.status, address: listensOn, file, events: loader.events.events };
  });
  const watcher = startWatcher({
    file,
    onDrop: (drop, signal) => loader.load(drop, signal),
    onWait: (complaint) => loader.wait(file, complaint),
    logger,
    polling: (options.pollIntervalMs ?? 0) > 0,
    ...(options.pollIntervalMs ? { pollMs: options.pollIntervalMs } : {}),
    ...(options.rescanMs ? { rescanMs: options.rescanMs } : {}),
  });
  const scrub = startScrub(options, server, loader);
  const close = async (): Promise<void> => {
    // At once: a load under way may take its time to stop, and clients must not wait for it.
    await Promise.all([watcher.close(), server.close()]);
    await scrub?.close();
    loader.events.add('closed', `pid ${control.holder.pid}`);
    await loader.close();
    await control.close();
    resolve();
  };
  let closing: Promise<void> | undefined;
  return {
    address,
    done,
    reload: () => {
      watcher.look();
      server.reload().catch((error: unknown) => {
        logger.error(`not reloaded: ${messageOf(error)}; what was in use stays`);
      });
    },
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function startScrub(options: GoromdbOptions, server: Threads, loader: Loader): Scrub | undefined {
  const {
    scrub: { bytesPerSecond = SCRUB_RATE_DEFAULT, passPauseMs } = {},
    logger = silentLogger,
  } = options;
  if (bytesPerSecond === 0) return undefined;
  return new Scrub({
    bytesPerSecond,
    ...(passPauseMs === undefined ? {} : { passPauseMs }),
    served: () => server.served,
    slotFile: () => loader.slotFile,
    sum: (slice) => server.sum(slice),
    count: (name) => server.count(name),
    onFileFault: (generation, text) => loader.noteFileFault(generation, text),
    heal: (damaged) => loader.heal(damaged),
    logger,
  });
}

/** What a start without data says: whether somebody must do something. */
async function describeLack(file: string): Promise<string> {
  const [data, sum] = await Promise.all([see(file), see(`${file}.md5`)]);
  if (data.kind === 'file' && sum.kind === 'file') {
    return `; there is no data in the slots yet: ${file} is there, and is loaded next`;
  }
  return `; there is no data yet, so every key is a miss until ${file} and its .md5 are dropped`;
}

/** The serving threads, and what becomes of them. */
interface ServingThreads {
  readonly server: Threads;
  /** See `Goromdb.done`. */
  readonly done: Promise<void>;
  readonly resolve: () => void;
  /** Never resolves; rejects as `done` does. */
  readonly failure: Promise<never>;
}

function createThreads(
  options: GoromdbOptions,
  shutdown: () => void,
  restore: ThreadsOptions['restore'],
): ServingThreads {
  const { threads = 1, protocol = 'memcached', handler = 'simple' } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const access = options.access ?? { allow: [] };
  if (!Number.isInteger(threads) || threads < 1 || threads > THREADS_MAX) {
    const message = `threads: expected a whole number from 1 to ${THREADS_MAX}, found ${threads}`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
  let resolve = (): void => {};
  let fail = (_error: Error): void => {};
  const failure = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const isClosed = new Promise<void>((settle) => {
    resolve = settle;
  });
  const done = Promise.race([isClosed, failure]);
  // Whoever does not ask for `done` must not be ended by its rejection.
  done.catch(() => {});
  const server = new Threads({
    ...{ threads, protocol, handler, limits, access, restore, onFailure: fail },
    logger: options.logger ?? silentLogger,
    loudRefusals: options.loudRefusals ?? false,
    shutdown: options.allowShutdown ? shutdown : undefined,
    settings: settingsOf(options, limits),
  });
  return { server, done, resolve, failure };
}

/** What `stats settings` tells besides; the names are memcached's. */
function settingsOf(options: GoromdbOptions, limits: Limits): Record<string, string | number> {
  const { address } = options;
  return {
    maxbytes: tableBytesMax(options),
    tcpport: address.kind === 'tcp' ? address.port : 0,
    inter: (address.kind === 'tcp' && address.host) || 'NULL',
    domain_socket: address.kind === 'unix' ? address.path : 'NULL',
    idle_timeout: Math.ceil(limits.idleTimeoutMs / 1000),
    stall_timeout: Math.ceil(limits.stallTimeoutMs / 1000),
    stale_timeout: Math.ceil(limits.staleTimeoutMs / 1000),
    buffered_bytes_max: limits.bufferedBytesMax,
    conn_buffered_bytes_max: limits.connectionBufferedBytesMax,
    ssl_enabled: options.access?.tls === undefined ? 'no' : 'yes',
    auth_enabled_ascii: options.access?.userFile === undefined ? 'no' : 'yes',
  };
}

function tableBytesMax({ memoryBytes }: GoromdbOptions): number {
  return memoryBytes ?? defaultTableBytesMax();
}

function createLoader(options: GoromdbOptions, baseDir: string, threads: Threads): Loader {
  const { storage, logger = silentLogger, onLoad } = options;
  return new Loader({
    baseDir,
    scanner: storage,
    gzipped: options.gzipped ?? false,
    bucket: options.bucket,
    shared: threads.needsSharedMemory || options.keepPrevious === 'memory',
    namespaces: options.namespaces,
    bytesMax: tableBytesMax(options),
    keepPrevious: options.keepPrevious,
    swap: (table, info) => threads.swap(table, info),
    guards: options.guards,
    sample: () => threads.sample(),
    logger,
    onLoad: (load) => {
      // A third data set would be too many: what is left of the one before the last goes.
      if (load !== undefined) threads.hurryStale().catch(() => {});
      onLoad?.(load);
    },
  });
}
