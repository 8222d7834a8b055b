import { GoromdbError } from '../common/errors.ts';
import { type Attempt, Endpoint, type EtcdTls } from './endpoint.ts';
import type { Outcome } from './etcd.ts';
import { type Fault, faultOf } from './faults.ts';
import { ENDPOINTS_MAX, READ_ATTEMPT_MS_MAX, REQUEST_MS_MAX } from './limits.ts';

export interface EtcdOptions {
  /** `http://HOST:PORT` or `https://…` of each endpoint. */
  readonly endpoints: readonly string[];
  /** Default: etcd asks for no login. */
  readonly login?: { readonly user: string; readonly password: string } | undefined;
  readonly tls?: EtcdTls;
  /** Default: {@link REQUEST_MS_MAX}. */
  readonly requestMsMax?: number;
}

/** Whether a request may be sent again when nobody knows what came of it. */
type Safety = 'read' | 'write';

/** Why there is no token. */
type NoLogin = Exclude<Outcome<never>, { kind: 'done' }>;

/** Posts requests to one endpoint after the other until one answers. */
export class Gateway {
  readonly endpoints: readonly Endpoint[];
  readonly #options: EtcdOptions;
  readonly #requestMsMax: number;
  /** The endpoint that answered last. */
  #at = 0;
  #token: string | undefined;
  /** The login that is running. */
  #login: Promise<NoLogin | undefined> | undefined;

  constructor(options: EtcdOptions) {
    const { endpoints, tls = {}, requestMsMax = REQUEST_MS_MAX } = options;
    if (endpoints.length === 0 || endpoints.length > ENDPOINTS_MAX) {
      const message = `expected 1 to ${ENDPOINTS_MAX} endpoints of etcd, found ${endpoints.length}`;
      throw new GoromdbError('OPTION_INVALID', message);
    }
    this.#options = options;
    this.#requestMsMax = requestMsMax;
    this.endpoints = endpoints.map((url) => new Endpoint(url, tls));
  }

  /** The endpoint that is asked first. */
  get current(): Endpoint {
    return this.endpoints[this.#at % this.endpoints.length];
  }

  get token(): string | undefined {
    return this.#token;
  }

  /** Has the others asked before this endpoint. */
  leave(endpoint: Endpoint): void {
    if (endpoint === this.current) this.#at = (this.#at + 1) % this.endpoints.length;
  }

  /**
   * @param read Makes of the answer what is wanted of it. It throws when etcd would never answer so.
   * @param only The one endpoint to ask. Default: all, until one answers.
   */
  async post<T>(
    path: string,
    body: object,
    safety: Safety,
    read: (answer: object) => T,
    only?: Endpoint,
  ): Promise<Outcome<T>> {
    const text = JSON.stringify(body);
    if (this.#options.login !== undefined && this.#token === undefined) {
      const login = await this.#logInOnce();
      if (login !== undefined) return login;
    }
    const token = this.#token;
    const outcome = await this.#postOnce(path, text, safety, read, only);
    if (outcome !== 'token-bad') return outcome;
    // Another request may have logged in meanwhile.
    const login = token === this.#token ? await this.#logInOnce() : undefined;
    if (login !== undefined) return login;
    const again = await this.#postOnce(path, text, safety, read, only);
    if (again !== 'token-bad') return again;
    return { kind: 'not-done', reason: 'forbidden', why: 'etcd takes no token of its own login' };
  }

  async #postOnce<T>(
    path: string,
    body: string,
    safety: Safety,
    read: (answer: object) => T,
    only: Endpoint | undefined,
  ): Promise<Outcome<T> | 'token-bad'> {
    const untilMs = performance.now() + this.#requestMsMax;
    const whys: string[] = [];
    for (let i = 0; i < (only ? 1 : this.endpoints.length); i++) {
      const leftMs = Math.ceil(untilMs - performance.now());
      if (leftMs <= 0) break;
      const endpoint = only ?? this.current;
      const msMax = safety === 'read' ? Math.min(leftMs, READ_ATTEMPT_MS_MAX) : leftMs;
      const attempt = await endpoint.post(path, body, this.#token, msMax);
      const result = resultOf(endpoint, attempt, read);
      if ('value' in result) return { kind: 'done', value: result.value };
      const { fault } = result;
      const wasSent = attempt.kind === 'answer' || attempt.wasSent;
      // It was refused before anything was done.
      if (fault.isTokenBad && this.#options.login !== undefined) return 'token-bad';
      if (fault.refusal !== undefined && fault.refusal !== 'busy') {
        return { kind: 'not-done', reason: fault.refusal, why: fault.why };
      }
      whys.push(fault.why);
      this.leave(endpoint);
      if (fault.refusal === 'busy' && safety === 'write') {
        return { kind: 'not-done', reason: 'busy', why: fault.why };
      }
      if (wasSent && safety === 'write') return { kind: 'unknown', why: fault.why };
    }
    return { kind: 'not-done', reason: 'unreachable', why: whys.join('; ') };
  }

  /** Has a new token, where there is a login at all. */
  async renewToken(): Promise<void> {
    if (this.#options.login !== undefined) await this.#logInOnce();
  }

  /** All requests that wait for a token wait for one login: etcd hashes the password for each. */
  #logInOnce(): Promise<NoLogin | undefined> {
    this.#login ??= this.#logIn().finally(() => {
      this.#login = undefined;
    });
    return this.#login;
  }

  /** @returns undefined: there is a token now. */
  async #logIn(): Promise<NoLogin | undefined> {
    const { user, password } = this.#options.login!;
    this.#token = undefined;
    const body = JSON.stringify({ name: user, password });
    const path = '/v3/auth/authenticate';
    const outcome = await this.#postOnce(path, body, 'read', tokenOf, undefined);
    if (outcome === 'token-bad' || (outcome.kind === 'not-done' && outcome.reason === 'invalid')) {
      return { kind: 'not-done', reason: 'forbidden', why: 'etcd refuses the user or password' };
    }
    if (outcome.kind !== 'done') return outcome;
    this.#token = outcome.value;
    return undefined;
  }

  close(): void {
    for (const endpoint of this.endpoints) endpoint.close();
  }
}

/** What one attempt has brought. */
function resultOf<T>(
  { url }: Endpoint,
  attempt: Attempt,
  read: (answer: object) => T,
): { readonly value: T } | { readonly fault: Fault } {
  const unknown = (why: string): { readonly fault: Fault } => {
    return { fault: { refusal: undefined, why, isTokenBad: false } };
  };
  if (attempt.kind === 'fault') return unknown(attempt.why);
  if (attempt.status !== 200) return { fault: faultOf(attempt.status, attempt.text) };
  try {
    const answer: unknown = JSON.parse(attempt.text);
    if (typeof answer !== 'object' || answer === null) throw new Error('no object');
    return { value: read(answer) };
  } catch {
    // What answers here may be a proxy, or another program: nobody knows what it means.
    return unknown(`${url}: expected an answer of etcd, found another one; check the endpoints`);
  }
}

function tokenOf({ token }: { readonly token?: unknown }): string {
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new Error('no token');
}
