/**
 * What belongs in this folder: answers those who run it over HTTP: health, metrics, status, events, and
 * what a token allows.
 *
 * It runs in the main thread, which serves no client of the data: whatever is asked here costs these no
 * time.
 */
import { rmSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Address, formatAddress } from '../common/address.ts';
import { codeOf, GoromdbError } from '../common/errors.ts';
import type { Logger } from '../common/log.ts';
import { LoopDelay } from '../common/loop-delay.ts';
import type { FolderEvent } from '../common/status.ts';
import type { InheritedListener } from '../server/inherited.ts';
import { descriptorOf, type ListenTarget, listen } from '../server/listener.ts';
import { listenShared, type SharedListener } from '../server/threads/shared-listener.ts';
import { EventFeed } from './event-feed.ts';
import { bearerOf, originFault, readToken, type Token } from './guard.ts';
import { Guests } from './guests.ts';
import {
  CLOSE_MS_MAX,
  CONNECTIONS_MAX,
  HEADER_BYTES_MAX,
  HEADERS_MS_MAX,
  KEEP_ALIVE_MS,
  PIPELINED_MAX,
  REQUEST_MS_MAX,
  REQUESTS_PER_SECOND_MAX,
  RESPONSE_MS_MAX,
  WARN_INTERVAL_MS,
} from './limits.ts';
import {
  type Answer,
  actionRoutes,
  faultAnswer,
  type Route,
  readRoutes,
  type Subject,
  thrownAnswer,
} from './routes.ts';

/** Where HTTP clients come, and what they may do. */
export interface HttpOptions {
  readonly address: Address;
  /** Names by which clients may ask, beside localhost, IP addresses and the host of `address`. */
  readonly hosts?: readonly string[] | undefined;
  /** What ends the prefixes of keys that `/api/prefixes` counts. Default: it shows nothing of keys. */
  readonly prefixDelimiter?: string | undefined;
  /** Path of the file with the token for requests that change something. Default: there are none. */
  readonly tokenFile?: string | undefined;
}

/** Whoever asks too much elsewhere must not have the server taken for one that is not ready. */
const PROBES = ['/healthz', '/readyz'];

/** The HTTP side of a server. */
export class HttpServer {
  readonly #options: HttpOptions;
  readonly #logger: Logger;
  readonly #server: http.Server;
  readonly #guests = new Guests(CONNECTIONS_MAX, PIPELINED_MAX);
  readonly #feed = new EventFeed();
  readonly #loopDelay = new LoopDelay();
  readonly #reads: ReturnType<typeof readRoutes>;
  readonly #actions: ReturnType<typeof actionRoutes>;
  #token: Token | undefined;
  #isDraining = false;
  #listener: SharedListener | undefined;
  /** Whoever removes a UNIX socket's file when it closes: this process or another one. */
  ownsSocketFile = true;
  /** Until then, a wrong token is not logged. */
  #quietUntilMs = 0;
  /** Requests in the second that began then. */
  #second = 0;
  #requests = 0;

  constructor(options: HttpOptions, subject: Subject, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
    const parts = {
      ...{ subject, feed: this.#feed, loopDelay: this.#loopDelay },
      prefixDelimiter: options.prefixDelimiter,
      isDraining: () => this.#isDraining,
    };
    this.#reads = readRoutes(parts);
    this.#actions = actionRoutes(parts);
    const limits = {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_MS_MAX,
      requestTimeout: REQUEST_MS_MAX,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1_000,
    };
    this.#server = http.createServer(limits, (request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    this.#server.on('connection', (socket) => this.#guests.admit(socket));
  }

  /**
   * @param inherited What to listen on in place of binding a socket.
   * @throws GoromdbError ADDRESS_UNAVAILABLE, FILE_UNREADABLE, OPTION_INVALID.
   */
  async listen(inherited?: InheritedListener): Promise<Address> {
    await this.reload();
    const target = await this.#target(inherited);
    const address = await listen(this.#server, target, undefined, '-http');
    this.#logger.info(`answers HTTP on ${formatAddress(address)}`, { event: 'http-listening' });
    return address;
  }

  async #target(inherited: InheritedListener | undefined): Promise<ListenTarget> {
    if (inherited !== undefined) return { fd: inherited.fds[0], address: inherited.address };
    const { address } = this.#options;
    if (address.kind === 'tcp') return { address, reusePort: false };
    // Its file would go with a server that has made it.
    const socket = { address, unixMode: undefined, count: 1, flag: '-http' };
    this.#listener = await listenShared(socket);
    return { fd: this.#listener.fds[0], address };
  }

  /** The socket that it listens on, for a process that takes over. */
  get descriptor(): number | undefined {
    return descriptorOf(this.#server);
  }

  /** Reads the token again. @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID; then it stays. */
  async reload(): Promise<void> {
    const { tokenFile } = this.#options;
    if (tokenFile !== undefined) this.#token = await readToken(tokenFile);
  }

  /** @param set The prefix of the data set that it happened to. */
  note(set: string, event: FolderEvent): void {
    this.#feed.add(set, event);
  }

  /** From now on, `/readyz` says that the server closes. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Accepts nobody any more, and answers what was asked. */
  async close(): Promise<void> {
    this.#loopDelay.close();
    this.#feed.close();
    if (!this.#server.listening) return;
    const isClosed = new Promise((resolve) => this.#server.close(resolve));
    const timer = setTimeout(() => this.#server.closeAllConnections(), CLOSE_MS_MAX);
    await isClosed;
    clearTimeout(timer);
    this.#listener?.close(false);
    const { address } = this.#options;
    if (address.kind === 'unix' && this.ownsSocketFile) rmSync(address.path, { force: true });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A request that is not read to its end loses it.
    const { socket } = request;
    if (!this.#guests.begin(socket, response)) return;
    // Whoever goes away in the middle is no fault.
    request.on('error', () => {});
    response.on('error', () => {});
    let answer: Answer | undefined;
    try {
      answer = await this.#answer(request, response);
    } catch (error) {
      answer = thrownAnswer(error);
    }
    // Node never closes a response that was to follow another one on a connection that has ended.
    const isGone = response.socket === null && socket.destroyed;
    if (answer !== undefined && !isGone) send(request, response, answer);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<Answer | undefined> {
    const { address, hosts = [] } = this.#options;
    const { method = '', url: target = '' } = request;
    const url = URL.canParse(target, 'http://goromdb') && new URL(target, 'http://goromdb');
    if (!url) return faultAnswer(400, 'OPTION_INVALID', 'the target of the request is no URL');
    const { pathname } = url;
    if (!PROBES.includes(pathname) && this.#isTooMuch()) return tooMuch();
    const fault = originFault(request, address, hosts);
    if (fault !== undefined) return faultAnswer(403, 'FORBIDDEN', fault);
    const action = this.#actions.get(pathname);
    const route = action ?? this.#reads.get(pathname);
    if (route === undefined) return faultAnswer(404, 'NOT_FOUND', 'there is no such path');
    const allowed = action === undefined ? ['GET', 'HEAD'] : ['POST'];
    if (!allowed.includes(method)) {
      const headers = { allow: allowed.join(', ') };
      return { ...faultAnswer(405, 'NOT_ALLOWED', 'the path has no such method'), headers };
    }
    if (action === undefined) return route(url, request, response);
    return (
      this.#tokenFault(request) ?? this.#audited(url, request, () => route(url, request, response))
    );
  }

  #tokenFault(request: IncomingMessage): Answer | undefined {
    if (this.#token === undefined) {
      return faultAnswer(403, 'FORBIDDEN', 'this server was started without -http-token-file');
    }
    const given = bearerOf(request);
    if (given !== undefined && this.#token(given)) return undefined;
    this.#warnOf(request);
    const headers = { 'www-authenticate': 'Bearer' };
    return {
      ...faultAnswer(401, 'UNAUTHORIZED', 'expected the token as Authorization: Bearer'),
      headers,
    };
  }

  /** Once a minute: whoever guesses must not fill the log. */
  #warnOf(request: IncomingMessage): void {
    const nowMs = performance.now();
    if (nowMs < this.#quietUntilMs) return;
    this.#quietUntilMs = nowMs + WARN_INTERVAL_MS;
    this.#logger.warn(
      `HTTP from ${clientOf(request)} without the right token; further ones are not logged for a minute`,
      { event: 'http-token-wrong', client: clientOf(request) },
    );
  }

  /** Has the log say who did what, and what came of it. */
  async #audited(
    { pathname, searchParams }: URL,
    request: IncomingMessage,
    run: () => ReturnType<Route>,
  ): Promise<Answer | undefined> {
    const dataSet = searchParams.get('data_set') ?? '';
    const about = dataSet === '' ? {} : { dataSet };
    const client = clientOf(request);
    const what = `HTTP ${pathname} of data set ${JSON.stringify(dataSet)} from ${client}`;
    const fields = { event: 'http-action', ...about, client, command: pathname } as const;
    try {
      const answer = await run();
      this.#logger.info(`${what}: done`, fields);
      return answer;
    } catch (error) {
      const answer = thrownAnswer(error);
      this.#logger.warn(`${what}: ${answer.body.trim()}`, { ...fields, code: codeOf(error) });
      return answer;
    }
  }

  #isTooMuch(): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#second) this.#requests = 0;
    this.#second = second;
    this.#requests++;
    return this.#requests > REQUESTS_PER_SECOND_MAX;
  }
}

/** @throws GoromdbError OPTION_INVALID. */
export function checkHttp({ address }: HttpOptions, data: Address): void {
  const where = formatAddress(address);
  if (where !== formatAddress(data) || (address.kind === 'tcp' && address.port === 0)) return;
  throw new GoromdbError(
    'OPTION_INVALID',
    `-http: ${where} is where the data is served; choose another address`,
  );
}

function clientOf({ socket }: IncomingMessage): string {
  return socket.remoteAddress ?? 'a UNIX socket';
}

function tooMuch(): Answer {
  const answer = faultAnswer(
    429,
    'LIMIT_EXCEEDED',
    `expected at most ${REQUESTS_PER_SECOND_MAX} requests a second`,
  );
  return { ...answer, headers: { 'retry-after': '1' } };
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const { status, type = 'text/plain; charset=utf-8', headers = {}, body } = answer;
  // A body that was not read would be taken for the next request.
  if (!request.complete) response.shouldKeepAlive = false;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  const timer = setTimeout(() => response.destroy(), RESPONSE_MS_MAX);
  response.once('close', () => clearTimeout(timer));
  response.end(request.method === 'HEAD' ? undefined : body);
}
