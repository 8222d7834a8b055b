import type { Handler } from '../handler/handler.ts';
import type { Counters } from './counters.ts';
import type { Reply } from './reply.ts';

/** What the protocols can tell about the server they run in. */
export interface ServerFacts {
  /** Three dotted numbers; memcached clients accept nothing else. */
  readonly version: string;
  /** Serving threads. */
  readonly threads: number;
  /** When the server started, in milliseconds since 1970. */
  readonly startedAt: number;
  readonly connectionsMax: number;
  /** More lines for `stats settings`: memcached's names, with what this server was started with. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

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

/** What a session may use. Shared by all sessions of a thread. */
export interface SessionContext {
  readonly handler: Handler;
  /** This thread's counters. */
  readonly counters: Counters;
  /** The counters of all threads, summed now. */
  readonly sumCounters: () => Counters;
  readonly facts: ServerFacts;
  /** Answer refused writes with an error, not with "not stored" or "not found". */
  readonly loudRefusals?: boolean;
  /** Makes the sums of the counters begin again at 0. Without it, `stats reset` is not allowed. */
  readonly resetCounters?: () => void;
  /** The connections of this server. Without it, `stats conns` says that they are not tracked. */
  readonly connections?: () => Iterable<ConnectionFacts>;
  /** Ends the server. Without it, `shutdown` is not enabled. */
  readonly shutdown?: () => void;
  /** Is told of each write that was well-formed and refused, by the name of its command. */
  readonly onRefusedWrite?: (command: string) => void;
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
  createSession(context: SessionContext): Session;
}
