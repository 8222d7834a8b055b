import net from 'node:net';

/** What is used of a socket's insides; Node documents none of it. */
interface SocketInside {
  _handle: { readonly readStart?: unknown; readonly useUserBuffer?: unknown } | null;
  _server: unknown;
}

/** A socket that has been accepted and not yet read from. */
export class AcceptedSocket {
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    this.#socket = socket;
  }

  /**
   * Begins to read. The bytes come in `buffer`, or in memory of their own; they are lent for the
   * call.
   *
   * Node can read to a given buffer (`onread`, documented for `new net.Socket`), which saves an
   * allocation and the stream machinery for each read, but `createServer` has no such option. So
   * the accepted socket's handle is given to a new socket. Where a version of Node does not have
   * what that needs, the socket is read by 'data' events.
   *
   * @returns The socket to write to.
   */
  read(buffer: Buffer, onRead: (bytes: Buffer, length: number) => void): net.Socket {
    const inside = this.#socket as unknown as SocketInside;
    const handle = inside._handle;
    if (handle === null || typeof handle.useUserBuffer !== 'function') {
      this.#socket.on('data', (chunk: Buffer) => onRead(chunk, chunk.length));
      this.#socket.resume();
      return this.#socket;
    }
    const callback = (length: number): boolean => {
      onRead(buffer, length);
      return true;
    };
    inside._handle = null;
    const options = { handle, allowHalfOpen: true, onread: { buffer, callback } };
    const socket = new net.Socket(options as net.SocketConstructorOpts);
    // The server counts its connections by this.
    (socket as unknown as SocketInside)._server = inside._server;
    inside._server = null;
    return socket;
  }
}
