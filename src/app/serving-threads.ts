/** Makes the serving threads from the options of the server. */

import { GoromdbError } from '../common/errors.ts';
import { silentLogger } from '../common/log.ts';
import type { Settings } from '../common/status.ts';
import { memoryBytes } from '../loader/worker/value-limit.ts';
import { sessionSettings } from '../protocol/protocol.ts';
import { DEFAULT_LIMITS, THREADS_MAX } from '../server/limits.ts';
import { Threads } from '../server/threads/threads.ts';
import type { ServerOptions, ServerPlan } from './options.ts';

/** The serving threads, and how they end. */
export interface ServingThreads {
  readonly server: Threads;
  /** See `Goromdb.done`. */
  readonly done: Promise<void>;
  readonly resolve: () => void;
  /** Never resolves; rejects as `done` does. */
  readonly failure: Promise<never>;
}

/** @throws GoromdbError OPTION_INVALID. */
export function createThreads(options: ServerPlan, shutdown: () => void): ServingThreads {
  const { threads = 1, protocol = 'memcached', handler = 'simple', delimiter } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const access = options.access ?? {};
  const cluster = options.redisCluster?.cluster;
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
  // A program that does not use `done` must not end by its rejection.
  done.catch(() => {});
  const server = new Threads({
    ...{ threads, protocol, handler, delimiter, limits, access, onFailure: fail },
    logger: options.logger ?? silentLogger,
    logSlowMs: options.logSlowMs,
    sessions: {
      ...sessionSettings(options),
      ...(cluster && { redisCluster: cluster }),
      ...(options.place && { place: options.place }),
    },
    shutdown: options.allowShutdown ? shutdown : undefined,
    settings: settingsOf(options),
  });
  return { server, done, resolve, failure };
}

/** Settings of the process. */
function settingsOf({ address }: ServerOptions): Settings {
  return {
    // Tables lie in the page cache, which may use all memory.
    maxbytes: memoryBytes(),
    tcpport: address.kind === 'tcp' ? address.port : 0,
    inter: (address.kind === 'tcp' && address.host) || 'NULL',
    domain_socket: address.kind === 'unix' ? address.path : 'NULL',
  };
}
