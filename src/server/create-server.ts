import { type Logger, silentLogger } from '../common/log.ts';
import { PROTOCOL_VERSION } from '../common/version.ts';
import type { ViewSource } from '../handler/handler.ts';
import { createSimpleHandler } from '../handler/simple.ts';
import { createCounterMemory } from '../protocol/counters.ts';
import { detectingProtocol } from '../protocol/detect/detect.ts';
import { type Protocol, type SessionSettings, sessionSettings } from '../protocol/protocol.ts';
import { Asker } from '../storage/lookup-counts.ts';
import type { Storage } from '../storage/storage.ts';
import type { AccessOptions } from './access.ts';
import { logReport } from './client-log.ts';
import { checkLimits, DEFAULT_LIMITS, type Limits } from './limits.ts';
import { createMeterMemory, meterOf } from './metering/metering.ts';
import type { Server } from './server.ts';
import { settingsOf } from './settings.ts';
import { ThreadServer } from './thread-server.ts';

export interface CreateServerOptions extends SessionSettings {
  /** What to serve: a storage, or a handler that finds the storage for a key. */
  readonly handler?: ViewSource;
  readonly storage?: Storage;
  /** Default: the first byte that a client sends decides the protocol. */
  readonly protocol?: Protocol;
  readonly limits?: Partial<Limits>;
  readonly access?: AccessOptions;
  /** What the command `shutdown` does. Default: it is not enabled. */
  readonly shutdown?: () => void;
  /** Called with faults in the parts above, and for clients that write. */
  readonly logger?: Logger;
}

/**
 * A server in this thread, over a storage or handler of your own.
 *
 * @example
 * const server = createServer({ storage: myStorage });
 * const address = await server.listen(parseAddress('127.0.0.1:0'));
 * await server.close();
 */
export function createServer(options: CreateServerOptions): Server {
  const handler = options.handler ?? (options.storage && createSimpleHandler(options.storage));
  if (handler === undefined) throw new TypeError('createServer needs a storage or a handler');
  const { logger = silentLogger } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  checkLimits(limits);
  const parts = {
    limits,
    access: options.access ?? {},
    sessions: sessionSettings(options),
  };
  const asker = new Asker();
  return new ThreadServer({
    handler,
    protocol: options.protocol ?? detectingProtocol,
    logger,
    ...parts,
    shutdown: options.shutdown,
    counterMemory: createCounterMemory(1),
    thread: 0,
    asker,
    meter: meterOf(createMeterMemory(1), 0, asker),
    onReport: (report) => logReport(logger, report),
    facts: {
      version: PROTOCOL_VERSION,
      threads: 1,
      startedAt: Date.now(),
      connectionsMax: limits.connectionsMax,
      settings: settingsOf({ ...parts, threads: 1, allowShutdown: options.shutdown !== undefined }),
    },
  });
}
