import net from 'node:net';
import tls from 'node:tls';
import type { Handler } from '../handler/handler.ts';
import { createSimpleHandler } from '../handler/simple.ts';
import { type Logger, silentLogger } from '../log.ts';
import {
  type Counters,
  countersOf,
  createCounterMemory,
  sumCounters,
} from '../protocol/counters.ts';
import { detectingProtocol } from '../protocol/detect.ts';
import { LoginSession } from '../protocol/login.ts';
import type { Protocol, ServerFacts, Session, SessionContext } from '../protocol/protocol.ts';
import { Reply } from '../protocol/reply.ts';
import type { Storage } from '../storage/storage.ts';
import { PROTOCOL_VERSION } from '../version.ts';
import {
  type AccessOptions,
  type Authenticate,
  createAllowList,
  isListed,
  loadTls,
  loadUsers,
} from './access.ts';
import type { Address } from './address.ts';
import { Connection, type ConnectionShare } from './connection.ts';
import { BufferBudget, DEFAULT_LIMITS, type Limits } from './limits.ts';
import { type ListenTarget, listen } from './listener.ts';
import type { Server } from './server.ts';

/** Bytes that one read takes at most. */
const READ_BYTES = 64 * 1024;

/** What memcached says to a connection above its limit. */
const TOO_MANY = 'ERROR Too many open connections\r\n';

/** How often idle connections are looked for, and the clock for it is set. */
const SWEEP_INTERVAL_MS = 1_000;

/** How long a client may take for the TLS handshake. */
const HANDSHAKE_TIMEOUT_MS = 10_000;

/** How long `close` waits for clients to read their replies. */
const CLOSE_GRACE_MS = 1_000;

export interface CreateServerOptions {
  /** What to serve: a storage, or a handler that finds the storage for a key. */
  readonly handler?: Handler;
  readonly storage?: Storage;
  /** Default: the protocol is told by the first byte that a client sends. */
  readonly protocol?: Protocol;
  readonly limits?: Partial<Limits>;
  readonly access?: AccessOptions;
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
  readonly limits: Limits;
  readonly access: AccessOptions;
  readonly logger: Logger;
}

function faultOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Serves in the thread that it is made in. */
export class ThreadServer implements Server {
  readonly #server: net.Server;
  readonly #parts: ServerParts;
  #authenticate: Authenticate | undefined;
  readonly #connections = new Set<Connection>();
  /** What TLS runs over: there from before the handshake. */
  readonly #encrypted = new Set<net.Socket>();
  readonly #context: SessionContext;
  readonly #share: ConnectionShare;
  readonly #allowList: net.BlockList;
  #sweep: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: ServerParts) {
    const counters: Counters = countersOf(parts.counterMemory, parts.thread);
    const { access, limits, facts } = parts;
    this.#parts = parts;
    this.#authenticate = access.userFile === undefined ? undefined : loadUsers(access.userFile);
    this.#allowList = createAllowList(access.allow);
    this.#share = {
      reply: new Reply(),
      counters,
      readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
      limits,
      budget: new BufferBudget(limits.bufferedBytesMax / facts.threads),
      nowMs: performance.now(),
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
      facts,
    };
    this.#server = this.#createServer();
  }

  /**
   * Reads certificates and users again, for connections to come.
   *
   * @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID; what was in use stays.
   */
  reload(): void {
    const { access } = this.#parts;
    if (access.userFile !== undefined) this.#authenticate = loadUsers(access.userFile);
    if (access.tls !== undefined)
      (this.#server as tls.Server).setSecureContext(loadTls(access.tls));
  }

  /** For threads that listen together: see `ListenTarget`. */
  listenOn(target: ListenTarget): Promise<Address | undefined> {
    this.#sweep ??= setInterval(() => this.#sweepIdle(), SWEEP_INTERVAL_MS);
    return listen(this.#server, target, this.#parts.access.unixMode);
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
      for (const socket of this.#encrypted) socket.destroy();
    }, graceMs);
    await isClosed;
    clearTimeout(cut);
    clearInterval(this.#sweep);
  }

  /** Half-open: a client may end its side and still wait for the answers. */
  #createServer(): net.Server {
    const { access } = this.#parts;
    const options = { allowHalfOpen: true, pauseOnConnect: true };
    const accept = (socket: net.Socket): void => this.#accept(socket);
    if (access.tls === undefined) return net.createServer(options, accept);
    const server = tls.createServer({
      ...options,
      ...loadTls(access.tls),
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    server.prependListener('connection', (socket) => {
      this.#encrypted.add(socket);
      socket.once('close', () => this.#encrypted.delete(socket));
      // Refused before it costs a handshake.
      if (!this.#isAllowed(socket)) socket.destroy();
    });
    server.on('secureConnection', accept);
    // A client that cannot speak TLS, or whose certificate is not accepted, is its own fault.
    server.on('tlsClientError', (_, socket) => socket.destroy());
    return server;
  }

  #isAllowed(socket: net.Socket): boolean {
    const { remoteAddress } = socket;
    const { allow } = this.#parts.access;
    // A UNIX socket has no address: its file's mode says who may connect.
    return (
      allow.length === 0 || remoteAddress === undefined || isListed(this.#allowList, remoteAddress)
    );
  }

  #accept(socket: net.Socket): void {
    const { counters, limits } = this.#share;
    counters.total_connections++;
    if (!this.#isAllowed(socket)) {
      counters.rejected_connections++;
      socket.destroy();
      return;
    }
    if (this.#context.sumCounters().curr_connections >= limits.connectionsMax) {
      counters.rejected_connections++;
      socket.on('error', () => {});
      socket.end(TOO_MANY, () => socket.destroy());
      return;
    }
    counters.curr_connections++;
    const session = this.#createSession();
    this.#connections.add(new Connection(socket, session, this.#share));
  }

  #createSession(): Session {
    const { protocol } = this.#parts;
    const authenticate = this.#authenticate;
    if (authenticate === undefined) return protocol.createSession(this.#context);
    return new LoginSession(protocol, this.#context, authenticate);
  }

  #sweepIdle(): void {
    this.#share.nowMs = performance.now();
    if (this.#share.limits.idleTimeoutMs === 0) return;
    for (const connection of this.#connections) connection.closeIfIdle();
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
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  return new ThreadServer({
    handler,
    protocol: options.protocol ?? detectingProtocol,
    logger: options.logger ?? silentLogger,
    limits,
    access: options.access ?? { allow: [] },
    counterMemory: createCounterMemory(1),
    thread: 0,
    facts: {
      version: PROTOCOL_VERSION,
      threads: 1,
      startedAt: Date.now(),
      connectionsMax: limits.connectionsMax,
    },
  });
}
