/** What belongs in this folder: the HTTP API of set-once keys. */
import http from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import type tls from 'node:tls';
import { type Address, formatAddress } from '../../common/address.ts';
import type { Logger } from '../../common/log.ts';
import { Guests } from '../../http/guests.ts';
import { isListed } from '../../server/access.ts';
import { listen } from '../../server/listener.ts';
import type { Admin } from '../admin/admin.ts';
import type { CachedStore } from '../once.ts';
import type { Access, Secrets } from './access.ts';
import { Desk } from './desk.ts';

/** Connections at one time. */
const CONNECTIONS_MAX = 4_096;
/** Requests that one connection may send before the first of them is answered. */
const PIPELINED_MAX = 32;
const HANDSHAKE_MS_MAX = 10_000;
/** TLS handshakes that are not over. */
const HANDSHAKES_MAX = 1_024;
const HEADER_BYTES_MAX = 16 * 1024;
const HEADERS_MS_MAX = 10_000;
/** A request whose body takes longer is cut off. */
const REQUEST_MS_MAX = 30_000;
/** How often it is looked for such requests, and for connections that say nothing. */
const LOOK_MS = 1_000;
const KEEP_ALIVE_MS = 60_000;
const CLOSE_MS_MAX = 5_000;
/** By default Node refuses a handshake that is about HTTP/1.0 alone, which it speaks. */
const VERSIONS = ['http/1.1', 'http/1.0'];

export interface ApiOptions extends Access {
  readonly allow?: net.BlockList | undefined;
  readonly tls?: tls.TlsOptions | undefined;
  /** Default: there is no admin page. */
  readonly admin?: Admin | undefined;
  /** How long a request may take to arrive. */
  readonly requestMsMax?: number;
  /** How long a TLS handshake may take. */
  readonly handshakeMsMax?: number;
}

export interface Api {
  readonly address: Address;
  /** @param certificates For connections to come; undefined: it has none. */
  use(secrets: Secrets, certificates: tls.TlsOptions | undefined): void;
  close(): Promise<void>;
}

/** @throws GoromdbError ADDRESS_UNAVAILABLE. */
export async function startApi(
  options: ApiOptions,
  store: CachedStore,
  logger: Logger,
): Promise<Api> {
  const {
    requestMsMax = REQUEST_MS_MAX,
    handshakeMsMax = HANDSHAKE_MS_MAX,
    admin,
    allow,
  } = options;
  const limits = {
    // The desk says what is wrong without one.
    requireHostHeader: false,
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: Math.min(HEADERS_MS_MAX, requestMsMax),
    requestTimeout: requestMsMax,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: Math.min(LOOK_MS, requestMsMax),
  };
  const guests = new Guests(CONNECTIONS_MAX, PIPELINED_MAX);
  const desk = new Desk(options, { store, admin }, guests, logger);
  const serve: http.RequestListener = (request, response) => desk.serve(request, response);
  const server =
    options.tls === undefined
      ? http.createServer(limits, serve)
      : https.createServer(
          {
            ...limits,
            ...options.tls,
            handshakeTimeout: handshakeMsMax,
            ALPNProtocols: VERSIONS,
          },
          serve,
        );
  server.on('connection', (socket: net.Socket) => {
    const from = socket.remoteAddress;
    if (allow !== undefined && from !== undefined && !isListed(allow, from)) socket.destroy();
    else if (options.tls === undefined) guests.admit(socket);
  });
  if (options.tls !== undefined) limitHandshakes(server, guests);
  server.on('checkExpectation', serve);
  server.on('clientError', (error, socket) => desk.refuse(error, socket as net.Socket));
  const target = { address: options.address, reusePort: false };
  const address = await listen(server, target, undefined, '-http');
  logger.info(`answers HTTP on ${formatAddress(address)}`, { event: 'http-listening' });
  return {
    address,
    use(secrets, certificates) {
      desk.access = { ...desk.access, ...secrets };
      if (certificates !== undefined) (server as https.Server).setSecureContext(certificates);
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS_MAX);
      server.closeIdleConnections();
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Whoever begins many handshakes, and ends none, must not lock out the others. */
function limitHandshakes(server: net.Server, guests: Guests): void {
  /** What TLS runs over, by the client's address and port: Node does not say which is whose. */
  const sockets = new Map<string, net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    if (socket.destroyed) return;
    const peer = peerOf(socket);
    sockets.set(peer, socket);
    socket.once('close', () => {
      if (sockets.get(peer) === socket) sockets.delete(peer);
    });
    if (sockets.size <= HANDSHAKES_MAX) return;
    const [[longest, first]] = sockets;
    sockets.delete(longest);
    first.destroy();
  });
  server.on('secureConnection', (socket: net.Socket) => {
    sockets.delete(peerOf(socket));
    if (!socket.destroyed) guests.admit(socket);
  });
  // Nothing can be said to whoever has not ended it: what is written would wait for ever.
  server.on('tlsClientError', (_, socket: net.Socket) => socket.destroy());
}

function peerOf({ remoteAddress, remotePort }: net.Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
