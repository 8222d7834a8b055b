import { type Address, formatAddress } from '../../common/address.ts';
import type { Logger } from '../../common/log.ts';
import { PROTOCOL_VERSION } from '../../common/version.ts';
import { createCounterMemory } from '../../protocol/counters.ts';
import type { AccessOptions } from '../../server/access.ts';
import { logReport } from '../../server/client-log.ts';
import { DEFAULT_LIMITS } from '../../server/limits.ts';
import { createMeterMemory, meterOf } from '../../server/metering/metering.ts';
import { ThreadServer } from '../../server/thread-server.ts';
import { Asker } from '../../storage/lookup-counts.ts';
import type { CachedStore } from '../once.ts';
import { AskedKeys } from './asked-keys.ts';
import { onceProtocol } from './session.ts';
import { GET_LINE_BYTES_MAX } from './text.ts';

const LIMITS = {
  ...DEFAULT_LIMITS,
  keysMax: 10_000,
  lineBytesMax: GET_LINE_BYTES_MAX,
  /** As many of the largest values as are read side by side, and what was sent. */
  connectionBufferedBytesMax: 80 * 1024 * 1024,
};

export interface WireOptions {
  readonly address: Address;
  readonly access: AccessOptions;
}

export interface Wire {
  readonly address: Address;
  /** Reads certificates and users again. @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID. */
  reload(): void;
  close(): Promise<void>;
}

/**
 * Serves clients of memcached and Redis, in this thread.
 *
 * @throws GoromdbError ADDRESS_UNAVAILABLE, FILE_UNREADABLE, OPTION_INVALID.
 */
export async function startWire(
  { address, access }: WireOptions,
  store: CachedStore,
  logger: Logger,
): Promise<Wire> {
  const asker = new Asker();
  const server = new ThreadServer({
    ...{ access, logger, asker, limits: LIMITS, thread: 0, sessions: {}, shutdown: undefined },
    ...{ protocol: onceProtocol, handler: new AskedKeys(store) },
    foreign: () => new AskedKeys(store),
    counterMemory: createCounterMemory(1),
    meter: meterOf(createMeterMemory(1), 0, asker),
    onReport: (report) => {
      if (report.kind === 'failed login') logReport(logger, report);
    },
    facts: {
      ...{ version: PROTOCOL_VERSION, threads: 1, startedAt: Date.now() },
      connectionsMax: LIMITS.connectionsMax,
    },
  });
  const bound = await server.listen(address);
  logger.info(`listens on ${formatAddress(bound)}`, { event: 'server-listening' });
  return { address: bound, reload: () => server.reload(), close: () => server.close() };
}
