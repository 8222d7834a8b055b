import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { CONNECTIONS_MAX } from './limits.ts';

/**
 * Limits the connections of a server. One too many takes the place of the one that has been idle
 * longest, so that connections which ask nothing cannot keep a probe out of `/healthz`. Only when all
 * are being answered, it is closed itself.
 */
export class Connections {
  readonly #all = new Set<Socket>();
  /** Those without a request under way, the one that has been idle longest first. */
  readonly #idle = new Set<Socket>();

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => this.#add(socket));
  }

  /** A request has come: its connection is not idle until the response is out. */
  noteRequest({ socket }: { readonly socket: Socket }, response: ServerResponse): void {
    this.#idle.delete(socket);
    response.once('close', () => {
      if (this.#all.has(socket)) this.#idle.add(socket);
    });
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
