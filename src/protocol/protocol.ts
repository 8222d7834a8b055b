/**
 * What belongs in this folder: what all protocols share: the `Protocol` interface, replies, login,
 * counters.
 */
import type { LoadNews, Settings } from '../common/status.ts';
import type { ForeignKeys } from '../handler/foreign-keys.ts';
import type { ViewSource } from '../handler/handler.ts';
import type { ShardPlace } from '../shards/place.ts';
import type { Asker } from '../storage/lookup-counts.ts';
import type { Counters } from './counters.ts';
import type { RedisCluster } from './redis-cluster.ts';
import type { Reply } from './reply.ts';
import type { SharedParts } from './shared-parts.ts';

/** What the protocols can report of the server they run in. */
export interface ServerFacts {
  /** Three dotted numbers; memcached clients accept nothing else. */
  readonly version: string;
  /** Serving threads. */
  readonly threads: number;
  /** When the server started, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly connectionsMax: number;
  /** The lines of `stats settings` that depend on what this server was started with. */
  readonly settings?: Settings;
}

/** Whether somebody with this name has this password. */
export type Authenticate = (user: string, password: string) => boolean;

/** What one request may be. */
export interface RequestLimits {
  /** Bytes of a line that gets keys, in memcached's text protocol. */
  readonly lineBytesMax: number;
  /** Keys that one request may name: `get`, `MGET` and the like. */
  readonly keysMax: number;
}

/** Some 4,000 of memcached's longest keys in a line; as many keys as Redis has taken arguments. */
export const DEFAULT_REQUEST_LIMITS: RequestLimits = {
  lineBytesMax: 1024 * 1024,
  keysMax: 1024 * 1024,
};

/** The smallest that makes sense: all lines of that protocol may have 2,048 bytes. */
export const LEAST_REQUEST_LIMITS: RequestLimits = { lineBytesMax: 2048, keysMax: 1 };

/** One open connection, as `stats conns` reports it. */
export interface ConnectionFacts {
  /** A number that no other open connection has. */
  readonly id: number;
  /** The client's address in memcached's form: `tcp:127.0.0.1:40530`, `unix:/path`. */
  readonly address: string;
  readonly listenAddress: string;
  /** memcached's names: `conn_read` waits for input, `conn_write` for a client that reads slowly. */
  readonly state: 'conn_read' | 'conn_write';
  readonly idleSeconds: number;
}

/** A connection without the number that it has in the list of all. */
export type ConnectionPlace = Omit<ConnectionFacts, 'id'>;

/** What an operator decides for all sessions of a server. They go to its threads as they are. */
export interface SessionSettings {
  /** Answer refused writes with an error. Default: with "not stored" or "not found". */
  readonly loudRefusals?: boolean;
}

/** Those settings among all options of a server, each with its default. */
export function sessionSettings({ loudRefusals = false }: SessionSettings): SessionSettings {
  return { loudRefusals };
}

/** The same, and what a server says on an address for clients of a Redis Cluster. */
export interface ThreadSettings extends SessionSettings {
  readonly redisCluster?: RedisCluster;
  /** Which part of the keys is here; undefined: all. */
  readonly place?: ShardPlace;
}

/** What a session may use. Sessions of a thread share all of it but the reports of clients. */
export interface SessionContext extends SessionSettings {
  readonly handler: ViewSource;
  /**
   * The handler once more, when other servers have a part of the keys. A session that finds `isWanted`
   * set stops before the command that needs the key, and is called again when that is known.
   */
  readonly foreign?: ForeignKeys;
  /** This thread's counters. */
  readonly counters: Counters;
  /** Where sessions say which protocol asks the handler. Default: nobody wants to know. */
  readonly asker?: Asker;
  /** The counters of all threads, summed now. */
  readonly sumCounters: () => Counters;
  readonly facts: ServerFacts;
  /** Where a protocol keeps what its sessions of this thread share. */
  readonly shared: SharedParts;
  /** Default: {@link DEFAULT_REQUEST_LIMITS}. */
  readonly requestLimits?: RequestLimits;
  /** Makes the counters begin again at 0. Without it, `stats reset` is not allowed. */
  readonly resetCounters?: () => void;
  /** The connections of this server. Without it, `stats conns` says that they are not tracked. */
  readonly connections?: () => Iterable<ConnectionFacts>;
  /** The connection of this session. Without it, nobody learns its addresses. */
  readonly connection?: () => ConnectionPlace;
  /** What is reported of loads, by the prefix of the data set's keys; empty: without. */
  readonly loadNews?: ReadonlyMap<string, LoadNews>;
  /** Ends the server. Without it, `shutdown` is not enabled. */
  readonly shutdown?: () => void;
  /** Called for each write that was well-formed and refused, by the name of its command. */
  readonly onRefusedWrite?: (command: string) => void;
  /** Clients have to log in, and this knows who may. See `Protocol.hasLogin`. */
  readonly authenticate?: Authenticate;
  /** On an address for clients of a Redis Cluster: who has which keys. */
  readonly redisCluster?: RedisCluster;
  /** Called for each login that failed. */
  readonly onFailedLogin?: () => void;
}

/**
 * What becomes of the connection: `open`, `close` once the reply is out, or `reset` (end it at
 * once, as an error).
 */
export type SessionState = 'open' | 'close' | 'reset';

/**
 * One client's conversation. It sees bytes and answers with bytes; it knows no socket. All state
 * that outlives a call is here, so input may be split anywhere.
 */
export interface Session {
  readonly state: SessionState;
  /**
   * Whether an answer has begun that goes on in the next call, from the data that it began with.
   * A session that never holds data from one call to the next does without it.
   */
  readonly isSuspended?: boolean;
  /**
   * To be called when the data was replaced. When `hasNews` is then true, `receive` has something
   * to say to the client, also without input.
   */
  noteSwap?(): void;
  /** The same, when no thread of the server has the data before that any more. */
  noteSwapEverywhere?(): void;
  readonly hasNews?: boolean;
  /** Bytes of input that the session keeps; the server's limits on buffered bytes count them. */
  readonly heldBytes?: number;
  /**
   * Runs the commands in input[start, end) and appends what they answer to `reply`. It stops early
   * when `reply.isFull`: call it again with the rest when the reply is out.
   *
   * @returns How many bytes are done with. The rest, the beginning of a command that is not yet
   *   whole or not yet answered, must be given again, with more behind it or not.
   */
  receive(input: Buffer, start: number, end: number, reply: Reply): number;
  /** Frees what the session holds: the connection is gone. */
  close(): void;
}

/** A language that clients speak. Implement it to serve another one. */
export interface Protocol {
  readonly name: string;
  /**
   * Whether its sessions let nobody in who has not logged in, when the context has `authenticate`. In
   * front of a protocol that does not know about it comes the login of memcached's text protocol.
   */
  readonly hasLogin?: boolean;
  createSession(context: SessionContext): Session;
}
