import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { LEND_BYTES_MIN, type Reply, type Unsent } from '../protocol/reply.ts';
import { DirectWriter } from './direct-write.ts';

/**
 * Over TLS so much is given to the socket at a time: it encrypts all that it is given at once, and
 * keeps it until it is read. 50 MB for each of 30 clients that read nothing took 1,500 MB; in pieces
 * they take 12 MB. Pieces of 256 KiB are not faster (2026-11-21).
 */
export const TLS_PIECE_BYTES = 64 * 1024;

const NOTHING = Buffer.alloc(0);

/** The way out to one client, and the one place that writes to its socket. */
export class Outbox {
  readonly #socket: Socket;
  readonly #isEncrypted: boolean;
  /** The shorter way for short replies. */
  readonly #direct: DirectWriter | undefined;
  readonly #onSent: () => void;
  /** Only over TLS: what the socket was not given yet, from #offset of the first part on. */
  #parts: Buffer[] = [];
  #offset = 0;
  #heldBytes = 0;
  /** What the socket still reads from, and whom to give it back to. */
  #unsent: Unsent | undefined;
  #reply: Reply | undefined;

  /** @param onSent Called when the rest of a reply that could not be sent at once is out. */
  constructor(socket: Socket, onSent: () => void) {
    this.#socket = socket;
    this.#isEncrypted = socket instanceof TLSSocket;
    this.#onSent = onSent;
    this.#direct = this.#isEncrypted ? undefined : DirectWriter.on(socket, () => this.#onWritten());
  }

  /** Memory that the unsent rest of a reply keeps, as long as there is one. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * Sends all that a batch of commands answered. Nothing may be sent until the last reply is out.
   *
   * @returns Whether all of it is out: the system has taken it. If not, `onSent` will be called,
   *   unless the connection ends before.
   */
  send(reply: Reply): boolean {
    this.#heldBytes = reply.heldBytes;
    const { length } = reply;
    const short = this.#direct === undefined || length === 0 ? undefined : reply.takeShort();
    if (short !== undefined) return this.#sendShort(this.#direct!, short, reply);
    const parts = reply.take();
    if (this.#isEncrypted) {
      this.#encrypt(parts, length, reply);
      return length === 0;
    }
    const socket = this.#socket;
    if (parts.length > 1) socket.cork();
    for (const part of parts) socket.write(part);
    if (parts.length > 1) socket.uncork();
    if (socket.writableLength === 0) {
      reply.reset();
      return true;
    }
    this.#detach(reply);
    // 'drain' comes only behind much; this is called behind anything.
    socket.write(NOTHING, this.#onWritten);
    return false;
  }

  #sendShort(direct: DirectWriter, bytes: Buffer, reply: Reply): boolean {
    const isSent = direct.write(bytes);
    if (isSent) reply.reset();
    else this.#detach(reply);
    return isSent;
  }

  /** Lets go of what was not given to the socket yet. */
  close(): void {
    this.#parts = [];
  }

  /** To be called when the socket has closed: it reads from no memory any more. */
  free(): void {
    if (this.#unsent !== undefined) this.#reply?.reuse(this.#unsent);
    this.#unsent = undefined;
  }

  #encrypt(parts: readonly Buffer[], length: number, reply: Reply): void {
    if (length === 0) {
      reply.reset();
    } else if (length < LEND_BYTES_MIN) {
      // TLS never has it out at once, and a slab is too much to keep for a small reply.
      this.#parts = [Buffer.concat(parts)];
      this.#heldBytes = 2 * length;
      reply.reset();
    } else {
      this.#parts = [...parts];
      this.#heldBytes += Math.min(length, TLS_PIECE_BYTES);
      this.#detach(reply);
    }
    if (length > 0) this.#writePiece();
  }

  #writePiece(): void {
    const socket = this.#socket;
    socket.cork();
    let room = TLS_PIECE_BYTES;
    while (room > 0 && this.#parts.length > 0) {
      const part = this.#parts[0];
      const piece = part.subarray(this.#offset, this.#offset + room);
      room -= piece.length;
      this.#offset += piece.length;
      if (this.#offset === part.length) {
        this.#parts.shift();
        this.#offset = 0;
      }
      const isLast = room === 0 || this.#parts.length === 0;
      socket.write(piece, isLast ? this.#onWritten : undefined);
    }
    socket.uncork();
  }

  #detach(reply: Reply): void {
    this.#reply = reply;
    this.#unsent = reply.detach();
  }

  /** Called after a failed write, too: then the connection ends. */
  readonly #onWritten = (error?: Error | null): void => {
    if (error) return;
    if (this.#parts.length > 0) {
      this.#writePiece();
      return;
    }
    this.free();
    this.#onSent();
  };
}
