import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { messageOf } from '../../common/errors.ts';
import type { Logger } from '../../common/log.ts';
import type { Guests } from '../../http/guests.ts';
import { ClientLog } from '../../server/client-log.ts';
import type { Admin } from '../admin/admin.ts';
import { KEY_BYTES_MAX } from '../limits.ts';
import type { CachedStore } from '../once.ts';
import { type Access, accessFault } from './access.ts';
import { type Answer, faultOf } from './answers.ts';
import { headerFault, NO_REQUEST, refuseInput } from './no-request.ts';
import { asPrivate, itemAnswer } from './read.ts';
import { type Call, KEY_PATH, noSuchPath, ROUTES } from './routes.ts';
import { send } from './send.ts';

/** Requests of all connections that are being answered. */
const REQUESTS_MAX = 8_192;

const PLAIN_KEY_PATH = /^\/key\/[^%?]+$/;
const PLAIN_PATH_MAX = KEY_PATH.length + KEY_BYTES_MAX;
/** Clients of a proxy name the server in the target as well (RFC 9112, section 3.2.2). */
const ORIGIN = /^https?:\/\/[^/?]*/i;

/** What a connection has asked for last. */
interface Latest {
  readonly response: ServerResponse;
  /** What comes of the last creation. */
  readonly creation: Promise<unknown> | undefined;
}

/** Answers the requests of all connections. */
export class Desk {
  access: Access;
  readonly #store: CachedStore;
  readonly #admin: Admin | undefined;
  readonly #guests: Guests;
  readonly #logger: Logger;
  readonly #strangers: ClientLog;
  readonly #latest = new WeakMap<Socket, Latest>();
  /** Those that are closed once their last answer is out. */
  readonly #closing = new WeakSet<Socket>();
  /** The path of a plain request, while its key is looked up. */
  readonly #path = Buffer.alloc(PLAIN_PATH_MAX);

  constructor(
    access: Access,
    { store, admin }: Pick<Call, 'store' | 'admin'>,
    guests: Guests,
    logger: Logger,
  ) {
    this.access = access;
    this.#store = store;
    this.#admin = admin;
    this.#guests = guests;
    this.#logger = logger;
    this.#strangers = new ClientLog(({ client }) => {
      const message = `HTTP from ${client} with a wrong login or token; others from there are not logged for a minute`;
      logger.warn(message, { event: 'login-failed', client });
    });
  }

  serve(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const { users } = this.access;
    // Nothing is before it on its connection: what is sent now is not kept anywhere.
    if (users === undefined && response.socket !== null && isPlain(request)) {
      if (!this.#guests.touch(socket)) return;
      if (this.#answersAtOnce(request, response)) {
        const isOut = response.writableEnded && response.writableLength === 0;
        if (!isOut) this.#guests.begin(socket, response);
        return;
      }
    }
    // Whoever was told so must not have anything done by a request behind (RFC 9112, section 9.6).
    if (this.#closing.has(socket)) return;
    request.on('error', () => {});
    response.on('error', () => {});
    if (!this.#guests.begin(socket, response)) return;
    this.#answer(request, response)
      .catch((error: unknown) => this.#thrown(error, socket))
      .then((answer) => {
        // Node never closes a response that was to follow another one on a connection that has ended.
        if (response.socket === null && socket.destroyed) return;
        if (answer.status === 401 && request.headers.authorization !== undefined) {
          const client = socket.remoteAddress ?? 'a UNIX socket';
          this.#strangers.report({ kind: 'failed login', client }, performance.now());
        }
        this.#send(request, response, users === undefined ? answer : asPrivate(answer));
      })
      .catch(() => response.destroy());
  }

  /** Answers what is no request. */
  refuse(error: Error, socket: Socket): void {
    const requests = this.#guests.requestsOf(socket);
    const isBegun = this.#latest.get(socket)?.response.headersSent !== false;
    refuseInput(error, socket, requests > 1 || (requests === 1 && isBegun));
  }

  /** Without a promise, where the cache has the key. @returns Whether it was so simple. */
  #answersAtOnce(request: IncomingMessage, response: ServerResponse): boolean {
    const { url = '', socket } = request;
    this.#path.write(url, 'latin1');
    try {
      const item = this.#store.cached(this.#path, KEY_PATH.length, url.length);
      if (item !== undefined) this.#send(request, response, itemAnswer(item, request));
      return item !== undefined;
    } catch (error) {
      const answer = this.#thrown(error, socket);
      if (response.headersSent) response.destroy();
      else this.#send(request, response, answer);
      return true;
    }
  }

  /** Only what changes nothing may be done side by side on a connection (RFC 9112, section 9.3.2). */
  #answer(request: IncomingMessage, response: ServerResponse): Promise<Answer> {
    const { socket } = request;
    const isBusy = this.#guests.requests > REQUESTS_MAX;
    const call = { request, store: this.#store, admin: this.#admin };
    const before = this.#latest.get(socket)?.creation;
    const answer =
      before === undefined
        ? answerOf(this.access, call, isBusy)
        : before.then(() => answerOf(this.access, call, isBusy));
    const creation = isRead(request) ? before : answer.catch(() => {});
    this.#latest.set(socket, { response, creation });
    return answer;
  }

  #send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    if (!send(request, response, answer)) this.#closing.add(request.socket);
  }

  #thrown(error: unknown, { destroyed }: Socket): Answer {
    // The client has gone away.
    if (destroyed) throw error;
    const message = `a request over HTTP failed: ${messageOf(error)}`;
    this.#logger.error(message, { event: 'request-failed' });
    return faultOf(500, 'SERVER_FAILED', 'the server has a fault: its log says which');
  }
}

async function answerOf(
  access: Access,
  call: Omit<Call, 'name'>,
  isBusy: boolean,
): Promise<Answer> {
  const { method = '', url = '', httpVersionMajor } = call.request;
  // Node takes a path without a version behind it: what was meant for one would be a part of the key.
  if (httpVersionMajor !== 1) return faultOf(400, 'NO_REQUEST', NO_REQUEST);
  const headers = headerFault(call.request);
  if (headers !== undefined) return headers;
  // Not by class URL: it would take `.` and `..` in a key for folders.
  const [path] = url.replace(ORIGIN, '').split('?', 1);
  const isKey = path.startsWith(KEY_PATH);
  const route = ROUTES.get(isKey ? '/key/{key}' : path);
  if (route === undefined) return noSuchPath();
  const isReading = isRead(call.request);
  const handler = route.methods.get(isReading ? 'GET' : method);
  if (handler === undefined) return notAllowed([...route.methods.keys()]);
  // Whoever asks for many keys must not have the node taken for one that is dead.
  if (isBusy && path.startsWith('/key')) return busy();
  const fault = route.isOpen ? undefined : accessFault(access, call.request, !isReading);
  const name = isKey ? path.slice(KEY_PATH.length) : '';
  return fault ?? handler({ ...call, name });
}

/** Whether it asks for a key, without escapes or a query. */
function isPlain(request: IncomingMessage): boolean {
  const { method, url = '', httpVersionMajor } = request;
  if (method !== 'GET' || httpVersionMajor !== 1 || url.length > PLAIN_PATH_MAX) return false;
  return PLAIN_KEY_PATH.test(url) && headerFault(request) === undefined;
}

function isRead({ method }: IncomingMessage): boolean {
  return method === 'GET' || method === 'HEAD';
}

function notAllowed(methods: readonly string[]): Answer {
  const allow = methods.map((one) => (one === 'GET' ? 'GET, HEAD' : one)).join(', ');
  const answer = faultOf(405, 'NOT_ALLOWED', `expected one of ${allow}`);
  return { ...answer, headers: { ...answer.headers, allow } };
}

function busy(): Answer {
  return faultOf(503, 'UNAVAILABLE', 'too many requests at one time: nothing was created');
}
