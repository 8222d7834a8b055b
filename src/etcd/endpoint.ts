import { type Dispatcher, Pool } from 'undici';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { ANSWER_BYTES_MAX, CONNECT_MS_MAX, CONNECTIONS_MAX, PLACE_MS_MAX } from './limits.ts';

/** How one attempt at one endpoint ended: `wasSent` says whether etcd can have seen the request. */
export type Attempt =
  | { readonly kind: 'answer'; readonly status: number; readonly text: string }
  | { readonly kind: 'fault'; readonly wasSent: boolean; readonly why: string };

/** Keys and certificates for https, as node:tls takes them. */
export interface EtcdTls {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

/** A connection that says nothing is kept for so long. */
const IDLE_MS_MAX = 60_000;
/** From then on the system asks whether the other side is still there. */
const QUIET_MS = 1_000;

/**
 * One endpoint of etcd, and the connections that are kept to it.
 *
 * They are not those of node:http: a process that both asks and answers by it takes 31.9 µs for a cached value
 * over HTTP where it takes 27.1 so, as V8 compiles its functions for both at once (2026-11-29, 100,000 values).
 */
export class Endpoint {
  /** Without a login: messages name it. */
  readonly url: string;
  readonly #pool: Pool;
  readonly #prefix: string;
  readonly #headers: Readonly<Record<string, string>>;
  /** Requests that undici has. */
  #busy = 0;
  /**
   * What begins when there is a place for it, the first first. It waits here, since nothing can be taken
   * back from undici: what nobody waits for any more would be kept, and cost a connection each.
   */
  readonly #waiting = new Set<() => void>();

  constructor(url: string, tls: EtcdTls) {
    const { origin, pathname, username, password } = new URL(url);
    const path = pathname.replace(/\/+$/, '');
    this.url = origin + path;
    const login = `${unescaped(username)}:${unescaped(password)}`;
    this.#headers = {
      'content-type': 'application/json',
      ...(login !== ':' && { authorization: `Basic ${Buffer.from(login).toString('base64')}` }),
    };
    this.#prefix = path;
    this.#pool = new Pool(origin, {
      connections: CONNECTIONS_MAX,
      keepAliveTimeout: IDLE_MS_MAX,
      // Whoever asks has a time for all of it.
      ...{ headersTimeout: 0, bodyTimeout: 0 },
      connect: { ...tls, timeout: CONNECT_MS_MAX, keepAliveInitialDelay: QUIET_MS },
    });
  }

  /** Posts JSON and reads the whole answer. It never throws. */
  post(path: string, body: string, token: string | undefined, msMax: number): Promise<Attempt> {
    return this.#ask({ ...this.#requestOf('POST', path, token), body }, msMax);
  }

  /** Gets a path that is none of the gateway's. It never throws. */
  get(path: string, msMax: number): Promise<Attempt> {
    return this.#ask(this.#requestOf('GET', path, undefined), msMax);
  }

  /** Posts JSON; what is answered comes in pieces, until the signal. @throws When there is no answer. */
  async *stream(
    path: string,
    body: string,
    token: string | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<Buffer> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const leave = this.#whenFree(resolve);
      const stop = (): void => {
        if (leave()) reject(signal.reason);
      };
      signal.addEventListener('abort', stop, { once: true });
    });
    try {
      const request = { ...this.#requestOf('POST', path, token), body, signal };
      yield* (await this.#pool.request(request)).body;
    } finally {
      this.#free();
    }
  }

  close(): void {
    this.#pool.destroy().catch(() => {});
    // Each has its error at once.
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    this.#busy += waiting.length;
    for (const begin of waiting) begin();
  }

  /** @returns Has it wait no longer, and says whether it has waited. */
  #whenFree(begin: () => void): () => boolean {
    if (this.#busy < CONNECTIONS_MAX) {
      this.#busy++;
      begin();
    } else {
      this.#waiting.add(begin);
    }
    return () => this.#waiting.delete(begin);
  }

  #free(): void {
    this.#busy--;
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    this.#busy++;
    next();
  }

  #requestOf(method: 'GET' | 'POST', path: string, token: string | undefined) {
    const headers = { ...this.#headers, ...(token && { authorization: token }) };
    return { method, path: this.#prefix + path, headers };
  }

  #ask(request: Dispatcher.DispatchOptions, msMax: number): Promise<Attempt> {
    return new Promise((resolve) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      let status = 0;
      let wasSent = false;
      let isOver = false;
      let stop = (): void => {};
      let leave = (): boolean => false;
      const end = (attempt: Attempt): void => {
        isOver = true;
        clearTimeout(timer);
        clearTimeout(patience);
        resolve(attempt);
      };
      const fault = (why: string): void => {
        if (isOver) return;
        end({ kind: 'fault', wasSent, why: `${this.url}: ${why}` });
        leave();
        stop();
      };
      const timer = setTimeout(() => fault(`no answer in ${msMax} ms`), msMax);
      let patience = setTimeout(
        () => fault(`no connection was free in ${PLACE_MS_MAX} ms`),
        PLACE_MS_MAX,
      );
      const handler: Dispatcher.DispatchHandler = {
        // There is a connection, and nothing of it was sent yet.
        onRequestStart(controller) {
          stop = () => controller.abort(new Error('nobody waits for the answer'));
          // It has waited for the connection for too long: it was said that it is not sent.
          if (isOver) stop();
          else clearTimeout(patience);
          wasSent = true;
        },
        onResponseStart(_, code) {
          status = code;
        },
        onResponseData(_, piece) {
          bytes += piece.length;
          pieces.push(piece);
          if (bytes > ANSWER_BYTES_MAX) fault(`an answer of more than ${ANSWER_BYTES_MAX} bytes`);
        },
        onResponseEnd: () => {
          this.#free();
          if (!isOver)
            end({ kind: 'answer', status, text: Buffer.concat(pieces).toString('utf8') });
        },
        onResponseError: (_, error) => {
          this.#free();
          fault(messageOf(error));
        },
      };
      leave = this.#whenFree(() => {
        clearTimeout(patience);
        const why = `no connection in ${CONNECT_MS_MAX} ms`;
        patience = setTimeout(() => fault(why), CONNECT_MS_MAX);
        this.#pool.dispatch(request, handler);
      });
    });
  }
}

/** Of a URL. @throws GoromdbError OPTION_INVALID. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    const message =
      'the user or password in the URL of etcd: expected UTF-8 and escapes such as %40';
    throw new GoromdbError('OPTION_INVALID', `${message}, found another one`, { cause });
  }
}
