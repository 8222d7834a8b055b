import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Counters } from '../protocol/counters.ts';
import type { ConnectionFacts, Session } from '../protocol/protocol.ts';
import { LEND_BYTES_MIN, type Reply } from '../protocol/reply.ts';
import type { BufferBudget, Limits } from './limits.ts';
import { readSocket } from './read-socket.ts';

/**
 * How often in a row one connection may fill the reply and go on. Then the others get their turn:
 * a client that reads as fast as we write would otherwise keep the thread to itself.
 */
const ROUNDS_MAX = 8;

/** How long a closing connection may take to read what is still to be sent. */
const CLOSE_TIMEOUT_MS = 2_000;

/** A connection on which nothing moves this long is asked whether its client is still there. */
const KEEP_ALIVE_DELAY_MS = 60_000;

/** What a reply that waits to be read holds: the slab that it was built in. */
const UNREAD_REPLY_BYTES = 64 * 1024;

/** Smallest memory for input that is kept. Most is the beginning of one short line. */
const REST_BYTES_MIN = 64;

/** What the connections of one thread share: they are served one after the other. */
export interface ConnectionShare {
  readonly reply: Reply;
  readonly counters: Counters;
  /** Where all connections read to: what is not used at once is copied out of it. */
  readonly readBuffer: Buffer;
  readonly limits: Limits;
  readonly budget: BufferBudget;
  /** Milliseconds on a clock that is set once a sweep; reading it costs nothing. */
  nowMs: number;
  readonly onClose: (connection: Connection) => void;
  /** Told of a fault of a storage, handler or protocol. Only the connection it came from ends. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Moves bytes between a socket and a session. Input that the session cannot use yet is kept here;
 * while a client does not read its replies, nothing more is read from it.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #session: Session;
  readonly #share: ConnectionShare;
  /** Input that is not done with: #rest[#restStart, #restEnd). */
  #rest: Buffer | undefined;
  #restStart = 0;
  #restEnd = 0;
  #isWaiting = false;
  /** It waits because the client does not read. */
  #isStalled = false;
  #isEnding = false;
  #isFinished = false;
  #activeAtMs: number;
  /** What this connection has taken of the budget. */
  #taken = 0;

  constructor(accepted: Socket, session: Session, share: ConnectionShare) {
    this.#session = session;
    this.#share = share;
    this.#activeAtMs = share.nowMs;
    const socket = readSocket(accepted, share.readBuffer, (chunk, length) =>
      this.#receive(chunk, length),
    );
    this.#socket = socket;
    socket.setNoDelay(true);
    // A client that vanishes without a word would keep its place for ever.
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    socket.on('drain', () => this.#continue());
    socket.on('end', () => this.end());
    // Only a stalled or closing connection has a timeout set.
    socket.on('timeout', () => socket.destroy());
    // A client that goes away is no fault of the server's; 'close' follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      session.close();
      this.#take(-this.#taken);
      share.onClose(this);
    });
  }

  /** The client's address without its port. */
  get client(): string {
    return this.#socket.remoteAddress ?? 'a client of the UNIX socket';
  }

  /** What `stats conns` tells of it. */
  describe(): Pick<ConnectionFacts, 'address' | 'state' | 'idleSeconds'> {
    const { remoteAddress, remotePort, remoteFamily } = this.#socket;
    const kind = remoteFamily === 'IPv6' ? 'tcp6' : 'tcp';
    const host = remoteFamily === 'IPv6' ? `[${remoteAddress}]` : remoteAddress;
    return {
      address: remoteAddress === undefined ? 'unix' : `${kind}:${host}:${remotePort}`,
      state: this.#isStalled ? 'conn_write' : 'conn_read',
      idleSeconds: Math.floor((this.#share.nowMs - this.#activeAtMs) / 1000),
    };
  }

  /** Closes the connection if it has asked for nothing for the time that it may be idle. */
  closeIfIdle(): void {
    const { nowMs, limits } = this.#share;
    if (!this.#isWaiting && nowMs - this.#activeAtMs > limits.idleTimeoutMs) this.#finish();
  }

  /** Answers what was asked so far, then closes. */
  end(): void {
    this.#isEnding = true;
    if (!this.#isWaiting) this.#finish();
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer, length: number): void {
    if (this.#isFinished) return;
    this.#activeAtMs = this.#share.nowMs;
    this.#share.counters.bytes_read += length;
    if (this.#rest === undefined) {
      this.#guard(chunk, 0, length);
      return;
    }
    this.#append(chunk, length);
    // While the socket is full, input that was under way already waits with the rest.
    if (!this.#isWaiting) this.#guard(this.#rest, this.#restStart, this.#restEnd);
  }

  #guard(input: Buffer, start: number, end: number): void {
    try {
      this.#process(input, start, end);
    } catch (error) {
      // What was answered before is in a state nobody knows: nothing of it is sent.
      this.#share.reply.reset();
      this.#share.onFault(error);
      this.#cut();
    }
  }

  #process(input: Buffer, start: number, end: number): void {
    const { reply } = this.#share;
    let at = start;
    for (let round = 1; ; round++) {
      at += this.#session.receive(input, at, end, reply);
      const isFull = reply.isFull;
      const isSent = this.#send();
      if (this.#session.state !== 'open') {
        this.#finish();
        return;
      }
      if (!isFull && isSent) break;
      if (!isSent || round === ROUNDS_MAX) {
        this.#keep(input, at, end);
        this.#wait(isSent);
        return;
      }
    }
    this.#keep(input, at, end);
    if (this.#isEnding) this.#finish();
  }

  /**
   * The one place that writes to the socket: all that a batch of commands answered, at once.
   *
   * @returns Whether the client keeps up; if not, 'drain' will tell when it has caught up.
   */
  #send(): boolean {
    const { reply, counters } = this.#share;
    if (reply.length === 0) {
      reply.reset();
      return true;
    }
    counters.bytes_written += reply.length;
    const socket = this.#socket;
    const isBehind = socket.writableLength > 0;
    const parts = reply.take();
    let keepsUp = true;
    if (parts.length > 1) socket.cork();
    for (const part of parts) {
      // Behind a slow client a small reply would keep its whole slab alive: it gets its own bytes.
      const bytes = isBehind && part.length < LEND_BYTES_MIN ? Buffer.from(part) : part;
      keepsUp = socket.write(bytes);
    }
    if (parts.length > 1) socket.uncork();
    if (socket.writableLength === 0) reply.reset();
    else reply.detach();
    return keepsUp || socket.writableLength === 0;
  }

  #keep(input: Buffer, start: number, end: number): void {
    if (start === end) {
      this.#dropRest();
    } else if (input === this.#rest) {
      this.#restStart = start;
    } else {
      // A copy: the next read of any connection goes to the same memory.
      this.#growRest(input, start, end, end - start);
    }
  }

  #append(chunk: Buffer, chunkBytes: number): void {
    const rest = this.#rest!;
    const length = this.#restEnd - this.#restStart;
    if (this.#restEnd + chunkBytes > rest.length) {
      // Doubling keeps the copying linear for a client that sends a long line in small pieces.
      const bytes = Math.max(length * 2, length + chunkBytes);
      this.#growRest(rest, this.#restStart, this.#restEnd, bytes);
    }
    chunk.copy(this.#rest!, this.#restEnd, 0, chunkBytes);
    this.#restEnd += chunkBytes;
  }

  /** Takes memory of its own for input[start, end), with room up to so many bytes. */
  #growRest(input: Buffer, start: number, end: number, bytes: number): void {
    // Not from Node's pool: a few bytes kept for hours would keep all of a pool's memory.
    const rest = Buffer.allocUnsafeSlow(Math.max(bytes, REST_BYTES_MIN));
    input.copy(rest, 0, start, end);
    this.#take(rest.length - (this.#rest?.length ?? 0));
    this.#rest = rest;
    this.#restStart = 0;
    this.#restEnd = end - start;
  }

  #dropRest(): void {
    if (this.#rest === undefined) return;
    this.#take(-this.#rest.length);
    this.#rest = undefined;
  }

  /** Accounts for memory; where there is no more to be had, this connection is what has to go. */
  #take(bytes: number): void {
    this.#taken += bytes;
    if (this.#share.budget.take(bytes)) return;
    this.#cut();
  }

  #wait(isSent: boolean): void {
    this.#isWaiting = true;
    this.#socket.pause();
    if (isSent) {
      this.#share.counters.conn_yields++;
      setImmediate(() => {
        // A stall that began meanwhile ends when the client reads, not now.
        if (!this.#isStalled) this.#continue();
      });
    } else {
      // Any progress of the reading client starts the time anew.
      this.#socket.setTimeout(this.#share.limits.stallTimeoutMs);
      this.#take(UNREAD_REPLY_BYTES);
      this.#isStalled = true;
    }
  }

  #continue(): void {
    if (!this.#isWaiting || this.#socket.destroyed) return;
    this.#isWaiting = false;
    if (this.#isStalled) {
      this.#isStalled = false;
      this.#socket.setTimeout(0);
      this.#take(-UNREAD_REPLY_BYTES);
    }
    this.#activeAtMs = this.#share.nowMs;
    this.#socket.resume();
    if (this.#rest !== undefined) this.#guard(this.#rest, this.#restStart, this.#restEnd);
    else if (this.#isEnding) this.#finish();
  }

  /** Ends the connection as an error. Only TCP has a reset: a pipe or TLS would throw. */
  #cut(): void {
    this.#isFinished = true;
    const socket = this.#socket;
    if (socket instanceof TLSSocket || socket.remoteAddress === undefined) socket.destroy();
    else socket.resetAndDestroy();
  }

  #finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#dropRest();
    if (this.#session.state === 'reset') {
      this.#cut();
      return;
    }
    this.#socket.setTimeout(CLOSE_TIMEOUT_MS);
    this.#socket.destroySoon();
  }
}
