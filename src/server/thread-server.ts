import type net from 'node:net';
import type { Address } from '../common/address.ts';
import { collectGarbage } from '../common/collect-garbage.ts';
import type { Logger } from '../common/log.ts';
import type { ForeignKeys } from '../handler/foreign-keys.ts';
import type { ViewSource } from '../handler/handler.ts';
import { type Counters, countersOf, resetCounters, sumCounters } from '../protocol/counters.ts';
import { withLogin } from '../protocol/login.ts';
import type {
  Authenticate,
  ConnectionFacts,
  ConnectionPlace,
  Protocol,
  ServerFacts,
  Session,
  SessionContext,
  ThreadSettings,
} from '../protocol/protocol.ts';
import { Reply } from '../protocol/reply.ts';
import { respProtocol } from '../protocol/resp/resp.ts';
import { SharedParts } from '../protocol/shared-parts.ts';
import type { Asker } from '../storage/lookup-counts.ts';
import { Acceptor } from './acceptor.ts';
import { type AccessOptions, createAllowList, isListed, loadTls, loadUsers } from './access.ts';
import { ClientLog, type ClientReport } from './client-log.ts';
import { Connection, type ConnectionShare } from './connection.ts';
import { Drain } from './drain.ts';
import { BufferBudget, type Limits } from './limits.ts';
import type { ListenRole, ListenTarget } from './listener.ts';
import type { ThreadMeter } from './metering/metering.ts';
import type { Server } from './server.ts';

/** Bytes that one read takes at most. */
const READ_BYTES = 64 * 1024;

/** What memcached says to a connection above its limit. */
const TOO_MANY = 'ERROR Too many open connections\r\n';

/** How often idle connections are looked for, and the clock for it is set. */
const SWEEP_INTERVAL_MS = 1_000;

/**
 * A reply that is still under way from data which was replaced has this long when there is to be a
 * third data set: most need a few milliseconds.
 */
const STALE_GRACE_MS = 1_000;

/**
 * Connections that were cut held this part of the budget: then their memory is collected. V8 from
 * Node 24 on lets it lie for as long as a thread does nothing else: 200 TLS clients that had sent
 * 1 MiB each left 130 to 180 MiB resident, in six runs of ten (2026-11-28).
 */
const CUT_SHARE_A_COLLECTION = 1 / 4;

/** But never for less: a collection stops the thread, and a disconnected client may come again at once. */
const CUT_BYTES_A_COLLECTION_MIN = 4 * 1024 * 1024;

/** So many connections have gone: their memory, some 13 KB each, is collected for the same reason. */
const GONE_CONNECTIONS_A_COLLECTION = 1_000;

/** How long `close` waits for clients to read their replies. */
const CLOSE_GRACE_MS = 1_000;

/** Everything that one thread serves with. */
export interface ServerParts {
  readonly handler: ViewSource;
  /** Makes what one connection sees of all shards; undefined: all keys are here. */
  readonly foreign?: (() => ForeignKeys) | undefined;
  readonly protocol: Protocol;
  readonly counterMemory: SharedArrayBuffer;
  readonly thread: number;
  /** What sessions set; the meter reads it. */
  readonly asker: Asker;
  readonly meter: ThreadMeter;
  readonly facts: ServerFacts;
  readonly limits: Limits;
  readonly access: AccessOptions;
  readonly sessions: ThreadSettings;
  /** What the command `shutdown` does; undefined: nobody may. */
  readonly shutdown: (() => void) | undefined;
  /** Called for clients that write or cannot log in, for each address once a minute. */
  readonly onReport: (report: ClientReport) => void;
  /** See `SessionContext`. */
  readonly loadNews?: SessionContext['loadNews'];
  readonly logger: Logger;
}

function faultOf(error: unknown): string {
  return `a request failed: ${error instanceof Error ? (error.stack ?? error.message) : error}`;
}

/** Serves in the thread that it is made in. */
export class ThreadServer implements Server {
  /** By what the addresses are for that they accept on. */
  readonly #acceptors: Readonly<Record<ListenRole, Acceptor>>;
  readonly #parts: ServerParts;
  readonly #protocol: Protocol;
  #authenticate: Authenticate | undefined;
  readonly #connections = new Set<Connection>();
  /** What the address is for that they came to. */
  readonly #roles = new WeakMap<Connection, ListenRole>();
  /** What connections held that were cut since garbage was collected. */
  #cutBytes = 0;
  /** The most connections there were since garbage was collected. */
  #crowd = 0;
  /** Of an address for clients of a Redis Cluster, with the cluster. */
  readonly #contexts: Readonly<Record<ListenRole, SessionContext>>;
  readonly #share: ConnectionShare;
  readonly #allowList: net.BlockList;
  readonly #clientLog: ClientLog;
  #sweep: NodeJS.Timeout | undefined;
  #drain: Drain | undefined;
  #closing: Promise<void> | undefined;

  constructor(parts: ServerParts) {
    const counters: Counters = countersOf(parts.counterMemory, parts.thread);
    const { access, limits, facts } = parts;
    this.#parts = parts;
    this.#protocol = withLogin(parts.protocol);
    this.#authenticate = access.userFile === undefined ? undefined : loadUsers(access.userFile);
    this.#allowList = createAllowList(access.allow);
    this.#share = {
      reply: new Reply(),
      counters,
      readBuffer: Buffer.allocUnsafeSlow(READ_BYTES),
      limits,
      meter: parts.meter.requests,
      budget: new BufferBudget(limits.bufferedBytesMax / facts.threads),
      makeRoom: () => this.#makeRoom(),
      nowMs: performance.now(),
      onClose: (connection) => {
        counters.curr_connections--;
        this.#connections.delete(connection);
      },
      onFault: (error) => parts.logger.error(faultOf(error), { event: 'request-failed' }),
    };
    this.#clientLog = new ClientLog(parts.onReport);
    const { redisCluster, place: _, ...sessions } = parts.sessions;
    const data: SessionContext = {
      ...sessions,
      handler: parts.handler,
      counters,
      asker: parts.asker,
      sumCounters: () => sumCounters(parts.counterMemory),
      resetCounters: () => resetCounters(parts.counterMemory),
      connections: () => this.#describeConnections(),
      shared: new SharedParts(),
      requestLimits: limits,
      ...(parts.loadNews === undefined ? {} : { loadNews: parts.loadNews }),
      ...(parts.shutdown === undefined ? {} : { shutdown: parts.shutdown }),
      facts,
    };
    this.#contexts = { data, cluster: { ...data, ...(redisCluster && { redisCluster }) } };
    this.#acceptors = { data: this.#acceptor('data'), cluster: this.#acceptor('cluster') };
  }

  /**
   * Reads certificates and users again, for connections to come.
   *
   * @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID; the old ones stay in use.
   */
  reload(): void {
    const { access } = this.#parts;
    // All is read before any of it is used.
    const users = access.userFile === undefined ? undefined : loadUsers(access.userFile);
    const certificates = access.tls === undefined ? undefined : loadTls(access.tls);
    this.#authenticate = users;
    if (certificates === undefined) return;
    for (const acceptor of Object.values(this.#acceptors)) acceptor.useCertificates(certificates);
  }

  /**
   * To be called when the handler has other data. Replies that are under way may go on from what
   * they began with for a time; those of still older data, for a moment.
   */
  noteSwap(): void {
    this.hurryStale();
    const untilMs = performance.now() + this.#share.limits.staleTimeoutMs;
    for (const connection of this.#connections) connection.noteSwap(untilMs);
    this.#endStale(performance.now());
  }

  /** To be called when the handlers of all threads have other data. */
  noteSwapEverywhere(): void {
    for (const connection of this.#connections) connection.noteSwapEverywhere();
  }

  /** Other data is about to be loaded: what keeps replaced data in memory ends in a moment. */
  hurryStale(): void {
    const untilMs = performance.now() + STALE_GRACE_MS;
    for (const connection of this.#connections) connection.hurry(untilMs);
  }

  /** For threads that listen together: see `ListenTarget`. */
  async listenOn(target: ListenTarget, role: ListenRole = 'data'): Promise<Address> {
    this.#sweep ??= setInterval(() => this.#sweepOnce(), SWEEP_INTERVAL_MS);
    return await this.#acceptors[role].listen(target);
  }

  listen(address: Address): Promise<Address> {
    return this.listenOn({ address, reusePort: false });
  }

  /** The descriptor that it listens on. */
  descriptorOf(role: ListenRole): number | undefined {
    return this.#acceptors[role].descriptor;
  }

  /** Stops accepting, and closes each connection between two requests: see `Limits`. */
  drain(): Promise<void> {
    this.#closing ??= this.#drainThenClose();
    return this.#closing;
  }

  close(graceMs: number = CLOSE_GRACE_MS): Promise<void> {
    this.#drain?.end();
    this.#closing ??= this.#close(graceMs, this.#stopAccepting());
    return this.#closing;
  }

  async #stopAccepting(): Promise<void> {
    await Promise.all(Object.values(this.#acceptors).map((acceptor) => acceptor.stop()));
  }

  async #drainThenClose(): Promise<void> {
    const isClosed = this.#stopAccepting();
    this.#drain = new Drain(this.#connections, this.#share);
    await Promise.race([isClosed, this.#drain.isOver]);
    this.#drain.end();
    await this.#close(CLOSE_GRACE_MS, isClosed);
  }

  async #close(graceMs: number, isClosed: Promise<void>): Promise<void> {
    for (const connection of this.#connections) connection.end();
    for (const acceptor of Object.values(this.#acceptors)) acceptor.endHandshakes();
    const cut = setTimeout(() => {
      for (const connection of this.#connections) connection.cut();
      for (const acceptor of Object.values(this.#acceptors)) acceptor.cutEncrypted();
    }, graceMs);
    await isClosed;
    clearTimeout(cut);
    clearInterval(this.#sweep);
  }

  #acceptor(role: ListenRole): Acceptor {
    const { access } = this.#parts;
    // What is said of a UNIX socket is said of the other address.
    return new Acceptor(role === 'data' ? access : { ...access, unixMode: undefined }, {
      accept: (socket) => this.#accept(socket, role),
      admits: (socket) => this.#admits(socket),
    });
  }

  /** Refused before it costs a handshake. Those in one count too, or there were no limit on them. */
  #admits(socket: net.Socket): boolean {
    let encrypted = 0;
    for (const acceptor of Object.values(this.#acceptors)) encrypted += acceptor.encrypted;
    if (encrypted <= this.#share.limits.connectionsMax && this.#isAllowed(socket)) return true;
    this.#share.counters.rejected_connections++;
    return false;
  }

  #isAllowed(socket: net.Socket): boolean {
    if ((this.#parts.access.allow ?? []).length === 0) return true;
    const { remoteAddress } = socket;
    return remoteAddress !== undefined && isListed(this.#allowList, remoteAddress);
  }

  #accept(socket: net.Socket, role: ListenRole): void {
    const { counters, limits } = this.#share;
    counters.total_connections++;
    if (!this.#isAllowed(socket)) {
      counters.rejected_connections++;
      socket.destroy();
      return;
    }
    if (this.#contexts[role].sumCounters().curr_connections >= limits.connectionsMax) {
      counters.rejected_connections++;
      socket.on('error', () => {});
      socket.end(TOO_MANY, () => socket.destroy());
      return;
    }
    counters.curr_connections++;
    const report = (kind: ClientReport['kind'], command?: string): void => {
      const nobody = this.#acceptors[role].isUnix
        ? 'a client of the UNIX socket'
        : 'a client that has gone';
      const { client = nobody } = connection;
      this.#clientLog.report({ kind, client, ...(command && { command }) }, this.#share.nowMs);
    };
    const foreign = role === 'data' ? this.#parts.foreign?.() : undefined;
    const context: SessionContext = {
      ...this.#contexts[role],
      ...(foreign && { handler: foreign, foreign }),
      ...(this.#authenticate && { authenticate: this.#authenticate }),
      onRefusedWrite: (command) => {
        this.#parts.meter.refusals.count(command);
        report('refused write', command);
      },
      onFailedLogin: () => report('failed login'),
      connection: () => this.#placeOf(connection),
    };
    const session = this.#createSession(context, role);
    const connection = new Connection(socket, session, this.#share, foreign);
    this.#connections.add(connection);
    this.#roles.set(connection, role);
    this.#crowd = Math.max(this.#crowd, this.#connections.size);
  }

  #createSession(context: SessionContext, role: ListenRole): Session {
    return (role === 'data' ? this.#protocol : respProtocol).createSession(context);
  }

  *#describeConnections(): Iterable<ConnectionFacts> {
    let id = 0;
    for (const connection of this.#connections) {
      id++;
      yield { id, ...this.#placeOf(connection) };
    }
  }

  #placeOf(connection: Connection): ConnectionPlace {
    const { address } = this.#acceptors[this.#roles.get(connection) ?? 'data'];
    return { listenAddress: address, ...connection.describe() };
  }

  #sweepOnce(): void {
    const { limits, counters } = this.#share;
    const nowMs = performance.now();
    // The clock is set last: who was active since the last sweep has been idle for no time at all.
    if (limits.idleTimeoutMs !== 0) {
      for (const connection of this.#connections) connection.closeIfIdle();
    }
    if (counters.stale_connections > 0) this.#endStale(nowMs);
    this.#share.nowMs = nowMs;
    const { size } = this.#connections;
    if (this.#crowd - size < GONE_CONNECTIONS_A_COLLECTION) return;
    this.#crowd = size;
    collectGarbage();
  }

  /** Ends the connections whose time with replaced data is over, and counts the others. */
  #endStale(nowMs: number): void {
    const { counters } = this.#share;
    let count = 0;
    for (const connection of this.#connections) {
      const untilMs = connection.staleUntilMs;
      if (untilMs === undefined) continue;
      if (nowMs < untilMs) {
        count++;
      } else {
        counters.stale_kicks++;
        connection.cut();
      }
    }
    counters.stale_connections = count;
  }

  /** The largest go: the others, most of whom hold next to nothing, keep being served. */
  #makeRoom(): void {
    const { budget, counters } = this.#share;
    while (budget.isExceeded) {
      let largest: Connection | undefined;
      for (const connection of this.#connections) {
        if (connection.heldBytes > (largest?.heldBytes ?? 0)) largest = connection;
      }
      if (largest === undefined) return;
      counters.buffer_kicks++;
      this.#cutBytes += largest.heldBytes;
      largest.cut();
    }
    const enough = Math.max(budget.bytesMax * CUT_SHARE_A_COLLECTION, CUT_BYTES_A_COLLECTION_MIN);
    if (this.#cutBytes < enough) return;
    this.#cutBytes = 0;
    // They close behind the first one: until then they are no garbage.
    setImmediate(() => setImmediate(collectGarbage));
  }
}
