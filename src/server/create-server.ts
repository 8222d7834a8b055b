import net from 'node:net';
import type { Handler } from '../handler/handler.ts';
import { createSimpleHandler } from '../handler/simple.ts';
import { type Logger, silentLogger } from '../log.ts';
import {
  type Counters,
  countersOf,
  createCounterMemory,
  sumCounters,
} from '../protocol/counters.ts';
import { memcachedProtocol } from '../protocol/memcached/memcached.ts';
import type { Protocol, ServerFacts, SessionContext } from '../protocol/protocol.ts';
import { Reply } from '../protocol/reply.ts';
import type { Storage } from '../storage/storage.ts';
import { PROTOCOL_VERSION } from '../version.ts';
import { AcceptedSocket } from './accepted-socket.ts';
import type { Address } from './address.ts';
import { Connection, type ConnectionShare } from './connection.ts';
import { type ListenTarget, listen } from './listener.ts';
import type { Server } from './server.ts';

/** Connections that one server holds at most; further ones are closed at once. */
export const CONNECTIONS_MAX = 10_000;

/** Bytes that one read takes at most. */
const READ_BYTES = 64 * 1024;

/** How long `close` waits for clients to read their replies. */
const CLOSE_GRACE_MS = 1_000;

export interface CreateServerOptions {
  /** What to serve: a storage, or a handler that finds the storage for a key. */
  readonly handler?: Handler;
  readonly storage?: Storage;
  /** Default: memcached's text protocol. */
  readonly protocol?: Protocol;
  /** Told of faults in the parts above. */
  readonly logger?: Logger;
}

/** Everything that one thread serves with. */
export interface ServerParts {
  readonly handler: Handler;
  readonly protocol: Protocol;
  readonly counterMemory: SharedArrayBuffer;
  readonly thread: number;
  readonly facts: ServerFacts;
  readonly logger: Logger;
}

function faultOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Serves in the thread that it is made in. */
export class ThreadServer implements Server {
  readonly #server: net.Server;
  readonly #connections = new Set<Connection>();
  readonly #protocol: Protocol;
  readonly #context: SessionContext;
  readonly #share: ConnectionShare;
  #closing: Promise<void> | undefined;

  constructor(parts: ServerParts) {
    const counters: Counters = countersOf(parts.counterMemory, parts.thread);
    this.#protocol = parts.protocol;
    this.#share = {
      reply: new Reply(),
      counters,
      readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
      onClose: (connection) => {
        counters.curr_connections--;
        this.#connections.delete(connection);
      },
      onFault: (error) => parts.logger.error(`a request failed: ${faultOf(error)}`),
    };
    this.#context = {
      handler: parts.handler,
      counters,
      sumCounters: () => sumCounters(parts.counterMemory),
      facts: parts.facts,
    };
    // Half-open: a client may end its side and still wait for the answers.
    this.#server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
      this.#accept(socket),
    );
    this.#server.maxConnections = Math.ceil(parts.facts.connectionsMax / parts.facts.threads);
    this.#server.on('drop', () => counters.rejected_connections++);
  }

  /** For threads that listen together: see `ListenTarget`. */
  listenOn(target: ListenTarget): Promise<Address | undefined> {
    return listen(this.#server, target);
  }

  async listen(address: Address): Promise<Address> {
    return (await this.listenOn({ address, reusePort: false }))!;
  }

  /** The descriptor that is listened on; Node documents no way to ask for it. */
  get descriptor(): number | undefined {
    return (this.#server as unknown as { _handle?: { fd?: number } })._handle?.fd;
  }

  close(graceMs: number = CLOSE_GRACE_MS): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    const isClosed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const connection of this.#connections) connection.end();
    const cut = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, graceMs);
    await isClosed;
    clearTimeout(cut);
  }

  #accept(socket: net.Socket): void {
    const { counters } = this.#share;
    const session = this.#protocol.createSession(this.#context);
    this.#connections.add(new Connection(new AcceptedSocket(socket), session, this.#share));
    counters.curr_connections++;
    counters.total_connections++;
  }
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
  return new ThreadServer({
    handler,
    protocol: options.protocol ?? memcachedProtocol,
    logger: options.logger ?? silentLogger,
    counterMemory: createCounterMemory(1),
    thread: 0,
    facts: {
      version: PROTOCOL_VERSION,
      threads: 1,
      startedAt: Date.now(),
      connectionsMax: CONNECTIONS_MAX,
    },
  });
}
