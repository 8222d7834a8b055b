import net from 'node:net';
import { TLSSocket } from 'node:tls';

/** After so long without a word a client is asked whether it is still there. */
const KEEP_ALIVE_DELAY_MS = 60_000;

/** What is used of a socket's insides; Node documents none of it. */
interface SocketInside {
  _handle: { readonly useUserBuffer?: unknown } | null;
  _server: unknown;
}

/**
 * Begins to read from a socket that was accepted and paused. The bytes come in `buffer`, or in
 * memory of their own; they are lent for the call.
 *
 * Node can read to a given buffer (`onread`, documented for `new net.Socket`), which saves an
 * allocation and the stream machinery for each read, but `createServer` has no such option. So the
 * accepted socket's handle is given to a new socket. Where a version of Node does not have what that
 * needs, and for TLS, the socket is read by 'data' events.
 *
 * @returns The socket to write to.
 */
export function readSocket(
  accepted: net.Socket,
  buffer: Buffer,
  onRead: (bytes: Buffer, length: number) => void,
): net.Socket {
  const socket = readableSocket(accepted, buffer, onRead);
  socket.setNoDelay(true);
  // A client that vanishes without a word would keep its place for ever.
  socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
  return socket;
}

function readableSocket(
  accepted: net.Socket,
  buffer: Buffer,
  onRead: (bytes: Buffer, length: number) => void,
): net.Socket {
  const inside = accepted as unknown as SocketInside;
  const handle = inside._handle;
  const canRead = typeof handle?.useUserBuffer === 'function' && !(accepted instanceof TLSSocket);
  if (!canRead) {
    accepted.on('data', (chunk: Buffer) => onRead(chunk, chunk.length));
    accepted.resume();
    return accepted;
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
