import type { Socket } from 'node:net';
import type { Counters } from '../protocol/counters.ts';
import type { Session } from '../protocol/protocol.ts';
import { LEND_BYTES_MIN, type Reply } from '../protocol/reply.ts';
import type { AcceptedSocket } from './accepted-socket.ts';

/**
 * How often in a row one connection may fill the reply and go on. Then the others get their turn:
 * a client that reads as fast as we write would otherwise keep the thread to itself.
 */
const ROUNDS_MAX = 8;

/** How long a closing connection may take to read what is still to be sent. */
const CLOSE_TIMEOUT_MS = 2_000;

/** What the connections of one thread share: they are served one after the other. */
export interface ConnectionShare {
  readonly reply: Reply;
  readonly counters: Counters;
  /** Where all connections read to: what is not used at once is copied out of it. */
  readonly readBuffer: Buffer;
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
  #isEnding = false;

  constructor(accepted: AcceptedSocket, session: Session, share: ConnectionShare) {
    this.#session = session;
    this.#share = share;
    const socket = accepted.read(share.readBuffer, (chunk, length) => this.#receive(chunk, length));
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('drain', () => this.#continue());
    socket.on('end', () => this.end());
    // A client that goes away is no fault of the server's; 'close' follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      session.close();
      share.onClose(this);
    });
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
      this.#socket.resetAndDestroy();
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
    if (reply.length === 0) return true;
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
      this.#rest = undefined;
    } else if (input === this.#rest) {
      this.#restStart = start;
    } else {
      // A copy: the next read of any connection goes to the same memory.
      this.#rest = Buffer.from(input.subarray(start, end));
      this.#restStart = 0;
      this.#restEnd = end - start;
    }
  }

  #append(chunk: Buffer, chunkBytes: number): void {
    const rest = this.#rest!;
    const length = this.#restEnd - this.#restStart;
    if (this.#restEnd + chunkBytes > rest.length) {
      // Doubling keeps the copying linear for a client that sends a long line in small pieces.
      const larger = Buffer.allocUnsafe(Math.max(length * 2, length + chunkBytes));
      rest.copy(larger, 0, this.#restStart, this.#restEnd);
      this.#rest = larger;
      this.#restStart = 0;
      this.#restEnd = length;
    }
    chunk.copy(this.#rest!, this.#restEnd, 0, chunkBytes);
    this.#restEnd += chunkBytes;
  }

  #wait(isSent: boolean): void {
    this.#isWaiting = true;
    this.#socket.pause();
    if (!isSent) return;
    this.#share.counters.conn_yields++;
    setImmediate(() => this.#continue());
  }

  #continue(): void {
    if (!this.#isWaiting || this.#socket.destroyed) return;
    this.#isWaiting = false;
    this.#socket.resume();
    if (this.#rest !== undefined) this.#guard(this.#rest, this.#restStart, this.#restEnd);
    else if (this.#isEnding) this.#finish();
  }

  #finish(): void {
    const socket = this.#socket;
    if (this.#session.state === 'reset') {
      socket.resetAndDestroy();
      return;
    }
    this.#rest = undefined;
    socket.setTimeout(CLOSE_TIMEOUT_MS, () => socket.destroy());
    socket.destroySoon();
  }
}
