import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { CONNECTIONS_MAX, PIPELINED_MAX } from './limits.ts';

/**
 * Limits the connections of a server. One too many takes the place of the one that has been idle
 * longest, so that connections which ask nothing cannot keep a probe out of `/healthz`. Only when all
 * are being answered, it is closed itself.
 */
export class Connections {
  readonly #all = new Set<Socket>();
  /** Those without a request under way, the one that has been idle longest first. */
  readonly #idle = new Set<Socket>();
  /** How many requests of each are under way. */
  readonly #asked = new WeakMap<Socket, number>();

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => this.#add(socket));
  }

  /**
   * A request has come: its connection is not idle until the response is out. Node hands over all that one
   * read has brought before anybody else has a turn, some 1,500 requests: 30 clients that sent such reads
   * kept each probe from its answer for more than 5 s (2026-11-28).
   *
   * @returns Whether it is to be answered; if not, its connection has ended.
   */
  noteRequest({ socket }: { readonly socket: Socket }, response: ServerResponse): boolean {
    if (socket.destroyed) return false;
    const asked = (this.#asked.get(socket) ?? 0) + 1;
    if (asked > PIPELINED_MAX) {
      socket.destroy();
      return false;
    }
    this.#asked.set(socket, asked);
    this.#idle.delete(socket);
    response.once('close', () => {
      const left = (this.#asked.get(socket) ?? 1) - 1;
      this.#asked.set(socket, left);
      if (left === 0 && this.#all.has(socket)) this.#idle.add(socket);
    });
    return true;
  }

  #add(socket: Socket): void {
    if (this.#all.size >= CONNECTIONS_MAX) {
      const [longest = socket] = this.#idle;
      this.#remove(longest);
      longest.destroy();
      if (longest === socket) return;
    }
    this.#all.add(socket);
    this.#idle.add(socket);
    socket.once('close', () => this.#remove(socket));
  }

  #remove(socket: Socket): void {
    this.#all.delete(socket);
    this.#idle.delete(socket);
  }
}
