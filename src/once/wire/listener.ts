import net from 'node:net';
import tls from 'node:tls';
import { type Address, formatAddress } from '../../common/address.ts';
import { messageOf } from '../../common/errors.ts';
import type { Logger } from '../../common/log.ts';
import { PROTOCOL_VERSION } from '../../common/version.ts';
import { countersOf, createCounterMemory, sumCounters } from '../../protocol/counters.ts';
import type { SessionContext } from '../../protocol/protocol.ts';
import { Reply } from '../../protocol/reply.ts';
import { SharedParts } from '../../protocol/shared-parts.ts';
import { isListed } from '../../server/access.ts';
import { listen } from '../../server/listener.ts';
import { Guests } from '../guests.ts';
import type { CachedStore } from '../once.ts';
import { converse } from './conversation.ts';
import { type Known, viewOf } from './known-view.ts';

/** Connections at one time. */
const CONNECTIONS_MAX = 1_024;
const HANDSHAKE_MS_MAX = 10_000;

export interface WireOptions {
  readonly address: Address;
  readonly allow?: net.BlockList | undefined;
  readonly tls?: tls.TlsOptions | undefined;
}

export interface Wire {
  readonly address: Address;
  close(): Promise<void>;
}

/**
 * Serves clients of memcached and Redis. Sessions answer at once, from a view of the data, and etcd does
 * not: so this listener reads the keys of a request first, and leaves the data plane as it is.
 *
 * @throws GoromdbError ADDRESS_UNAVAILABLE.
 */
export async function startWire(
  { address, allow, tls: tlsOptions }: WireOptions,
  store: CachedStore,
  logger: Logger,
): Promise<Wire> {
  const guests = new Guests(CONNECTIONS_MAX);
  const { context, know } = sessionParts();
  const reply = new Reply();
  const accept = (socket: net.Socket): void => {
    const from = socket.remoteAddress;
    if (allow !== undefined && from !== undefined && !isListed(allow, from)) {
      socket.destroy();
      return;
    }
    socket.on('error', () => socket.destroy());
    if (!guests.admit(socket)) return;
    converse(socket, { store, context, know, reply, guests }).catch((error: unknown) => {
      const message = `a request failed, and its connection was cut: ${messageOf(error)}`;
      if (!socket.destroyed) logger.error(message, { event: 'request-failed' });
      socket.destroy();
    });
  };
  const server =
    tlsOptions === undefined
      ? net.createServer({ noDelay: true }, accept)
      : tls.createServer(
          { ...tlsOptions, noDelay: true, handshakeTimeout: HANDSHAKE_MS_MAX },
          accept,
        );
  server.on('tlsClientError', () => {});
  const bound = await listen(server, { address, reusePort: false }, undefined, '-addr');
  logger.info(`listens on ${formatAddress(bound)}`, { event: 'server-listening' });
  return {
    address: bound,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      guests.closeAll();
      await closed;
    },
  };
}

/** What sessions need, and how they are given the data for one request. */
function sessionParts(): {
  readonly context: SessionContext;
  readonly know: (known: Known) => void;
} {
  const memory = createCounterMemory(1);
  let view = viewOf(new Map());
  const facts = {
    ...{ version: PROTOCOL_VERSION, threads: 1 },
    ...{ startedAt: Date.now(), connectionsMax: CONNECTIONS_MAX },
  };
  const context: SessionContext = {
    handler: { view: () => view },
    counters: countersOf(memory, 0),
    sumCounters: () => sumCounters(memory),
    facts,
    shared: new SharedParts(),
  };
  return {
    context,
    know(known) {
      view = viewOf(known);
    },
  };
}
