/** What belongs in this folder: the HTTP API of set-once keys. */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import type tls from 'node:tls';
import { type Address, formatAddress } from '../../common/address.ts';
import { messageOf } from '../../common/errors.ts';
import type { Logger } from '../../common/log.ts';
import { bearerOf, originFault, type Token } from '../../http/guard.ts';
import { isListed } from '../../server/access.ts';
import { listen } from '../../server/listener.ts';
import type { Admin } from '../admin/admin.ts';
import { Guests } from '../guests.ts';
import type { CachedStore } from '../once.ts';
import { type Answer, faultOf } from './answers.ts';
import { holdAnswer } from './answers-held.ts';
import { createMany, createOne, putOne } from './create.ts';
import { operatorsRoute } from './operators.ts';
import { itemAnswer, keyOfPath, readOne } from './read.ts';

/** Connections at one time. */
const CONNECTIONS_MAX = 4_096;
/** Requests that one connection may send before the first of them is answered. */
const PIPELINED_MAX = 32;
/** Requests of all connections that are being answered. */
const REQUESTS_MAX = 8_192;
const HANDSHAKE_MS_MAX = 10_000;
const HEADER_BYTES_MAX = 16 * 1024;
const HEADERS_MS_MAX = 10_000;
/** A body that takes longer is cut off. */
const REQUEST_MS_MAX = 30_000;
const KEEP_ALIVE_MS = 60_000;
/** An answer that is read more slowly is cut off. */
const RESPONSE_MS_MAX = 60_000;
const CLOSE_MS_MAX = 5_000;

const KEY_PATH = '/key/';
const PLAIN_KEY_PATH = /^\/key\/[^%?]+$/;

export interface ApiOptions {
  readonly address: Address;
  /** Names by which clients may ask who create keys without a token. */
  readonly hosts?: readonly string[];
  /** Whoever creates keys must have it. Default: everybody may. */
  readonly token?: Token | undefined;
  readonly allow?: net.BlockList | undefined;
  readonly tls?: tls.TlsOptions | undefined;
  /** Default: there is no admin page. */
  readonly admin?: Admin | undefined;
}

export interface Api {
  readonly address: Address;
  close(): Promise<void>;
}

/** @throws GoromdbError ADDRESS_UNAVAILABLE. */
export async function startApi(
  options: ApiOptions,
  store: CachedStore,
  logger: Logger,
): Promise<Api> {
  const limits = {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout: HEADERS_MS_MAX,
    requestTimeout: REQUEST_MS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: 1_000,
  };
  const guests = new Guests(CONNECTIONS_MAX);
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    request.on('error', () => {});
    response.on('error', () => {});
    const { socket } = request;
    if (guests.begin(socket) > PIPELINED_MAX) socket.destroy();
    if (socket.destroyed) return;
    response.once('close', () => guests.end(socket));
    const known = knownAnswer(store, request, logger);
    if (known !== undefined) {
      send(request, response, known);
      return;
    }
    const answer = guests.requests > REQUESTS_MAX ? busy() : answerOf(options, store, request);
    answer
      .catch((error: unknown) => thrown(error, logger, socket))
      .then((answered) => {
        // Node never closes a response that was to follow another one on a connection that has ended.
        if (response.socket !== null || !socket.destroyed) send(request, response, answered);
      })
      .catch(() => response.destroy());
  };
  const server =
    options.tls === undefined
      ? http.createServer(limits, serve)
      : https.createServer(
          { ...limits, ...options.tls, handshakeTimeout: HANDSHAKE_MS_MAX },
          serve,
        );
  const { allow } = options;
  server.on('connection', (socket: net.Socket) => {
    const from = socket.remoteAddress;
    if (allow !== undefined && from !== undefined && !isListed(allow, from)) socket.destroy();
  });
  const greeting = options.tls === undefined ? 'connection' : 'secureConnection';
  server.on(greeting, (socket: net.Socket) => {
    if (!socket.destroyed) guests.admit(socket);
  });
  const target = { address: options.address, reusePort: false };
  const address = await listen(server, target, undefined, '-http');
  logger.info(`answers HTTP on ${formatAddress(address)}`, { event: 'http-listening' });
  return {
    address,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS_MAX);
      server.closeIdleConnections();
      await closed;
      clearTimeout(timer);
    },
  };
}

/** What is answered at once, without a promise; undefined: it is not that simple. */
function knownAnswer(
  store: CachedStore,
  request: IncomingMessage,
  logger: Logger,
): Answer | undefined {
  const { method, url = '' } = request;
  // Without a key that has escapes, or a query.
  if (method !== 'GET' || !PLAIN_KEY_PATH.test(url)) return undefined;
  try {
    const item = store.cached(Buffer.from(url, 'latin1'), KEY_PATH.length);
    return item && itemAnswer(item, request);
  } catch (error) {
    return thrown(error, logger, request.socket);
  }
}

async function answerOf(
  options: ApiOptions,
  store: CachedStore,
  request: IncomingMessage,
): Promise<Answer> {
  const { method = '', url = '' } = request;
  // Not by class URL: it would take `.` and `..` in a key for folders.
  const [path] = url.split('?', 1);
  const isRead = method === 'GET' || method === 'HEAD';
  if (path.startsWith(KEY_PATH)) {
    const key = keyOfPath(path.slice(KEY_PATH.length));
    if (!Buffer.isBuffer(key)) return key;
    if (isRead) return readOne(store, key, request);
    if (method === 'PUT') return writeFault(options, request) ?? putOne(store, key, request);
    return notAllowed('GET, HEAD, PUT');
  }
  if (path === '/key' || path === '/keys') {
    if (method !== 'POST') return notAllowed('POST');
    const create = path === '/key' ? createOne : createMany;
    return writeFault(options, request) ?? create(store, request);
  }
  const route = operatorsRoute(path, { store, admin: options.admin });
  if (route !== undefined) return isRead ? route() : notAllowed('GET, HEAD');
  const expected = 'expected /key, /keys, /key/KEY, /admin, /status, /metrics or /healthz';
  return faultOf(404, 'NO_SUCH_PATH', expected);
}

/** Why somebody may not create keys. A page of another site must not have a browser do it. */
function writeFault(options: ApiOptions, request: IncomingMessage): Answer | undefined {
  const { token, address, hosts = [] } = options;
  if (token === undefined) {
    const fault = originFault(request, address, hosts);
    return fault === undefined ? undefined : faultOf(403, 'FORBIDDEN', fault);
  }
  const given = bearerOf(request);
  if (given !== undefined && token(given)) return undefined;
  const answer = faultOf(401, 'UNAUTHORIZED', 'expected the token as Authorization: Bearer');
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': 'Bearer' } };
}

function notAllowed(allow: string): Answer {
  const answer = faultOf(405, 'NOT_ALLOWED', `expected one of ${allow}`);
  return { ...answer, headers: { ...answer.headers, allow } };
}

async function busy(): Promise<Answer> {
  return faultOf(503, 'UNAVAILABLE', 'too many requests at one time: nothing was created');
}

function thrown(error: unknown, logger: Logger, { destroyed }: net.Socket): Answer {
  // The client has gone away.
  if (destroyed) throw error;
  logger.error(`a request over HTTP failed: ${messageOf(error)}`, { event: 'request-failed' });
  return faultOf(500, 'SERVER_FAILED', 'the server has a fault: its log says which');
}

function hasBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = headers;
  return length !== '0' || encoding !== undefined;
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const { status, headers, body } = answer;
  // A body that was not read would be taken for the next request.
  if (!request.complete && hasBody(request)) response.shouldKeepAlive = false;
  response.writeHead(status, headers);
  response.end(request.method === 'HEAD' ? undefined : body);
  if (response.writableLength === 0) return;
  const timer = setTimeout(() => response.destroy(), RESPONSE_MS_MAX);
  response.once('close', () => clearTimeout(timer));
  if (Buffer.isBuffer(body)) holdAnswer(response, body);
}
