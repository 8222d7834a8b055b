import { GoromdbError } from '../common/errors.ts';
import { Endpoint, type EtcdTls } from './endpoint.ts';
import type { Outcome } from './etcd.ts';
import { faultOf } from './faults.ts';
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

/** Posts requests to one endpoint after the other until one answers. */
export class Gateway {
  readonly endpoints: readonly Endpoint[];
  readonly #options: EtcdOptions;
  readonly #requestMsMax: number;
  /** The endpoint that answered last. */
  #at = 0;
  #token: string | undefined;

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

  /** @param only The one endpoint to ask. Default: all, until one answers. */
  async post<T>(path: string, body: object, safety: Safety, only?: Endpoint): Promise<Outcome<T>> {
    if (this.#options.login !== undefined && this.#token === undefined) {
      const login = await this.#logIn();
      if (login !== undefined) return login;
    }
    const outcome = await this.#postOnce<T>(path, JSON.stringify(body), safety, only);
    if (outcome !== 'token-bad') return outcome;
    const login = await this.#logIn();
    if (login !== undefined) return login;
    const again = await this.#postOnce<T>(path, JSON.stringify(body), safety, only);
    if (again !== 'token-bad') return again;
    return { kind: 'not-done', reason: 'forbidden', why: 'etcd takes no token of its own login' };
  }

  async #postOnce<T>(
    path: string,
    body: string,
    safety: Safety,
    only: Endpoint | undefined,
  ): Promise<Outcome<T> | 'token-bad'> {
    const untilMs = performance.now() + this.#requestMsMax;
    const whys: string[] = [];
    for (let i = 0; i < (only ? 1 : this.endpoints.length); i++) {
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0) break;
      const endpoint = only ?? this.current;
      const msMax = safety === 'read' ? Math.min(leftMs, READ_ATTEMPT_MS_MAX) : leftMs;
      const attempt = await endpoint.post(path, body, this.#token, msMax);
      if (attempt.kind === 'answer' && attempt.status === 200) {
        const value = objectOf<T>(attempt.text);
        if (value !== undefined) return { kind: 'done', value };
      }
      const wasSent = attempt.kind === 'answer' || attempt.wasSent;
      const fault =
        attempt.kind === 'answer'
          ? faultOf(attempt.status, attempt.text)
          : { refusal: undefined, why: attempt.why, isTokenBad: false };
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

  /** @returns undefined: there is a token now. */
  async #logIn(): Promise<Exclude<Outcome<never>, { kind: 'done' }> | undefined> {
    const { user, password } = this.#options.login!;
    this.#token = undefined;
    const body = JSON.stringify({ name: user, password });
    const outcome = await this.#postOnce<{ readonly token?: string }>(
      '/v3/auth/authenticate',
      body,
      'read',
      undefined,
    );
    if (outcome === 'token-bad' || (outcome.kind === 'not-done' && outcome.reason === 'invalid')) {
      return { kind: 'not-done', reason: 'forbidden', why: 'etcd refuses the user or password' };
    }
    if (outcome.kind !== 'done') return outcome;
    this.#token = outcome.value.token;
    return undefined;
  }

  close(): void {
    for (const endpoint of this.endpoints) endpoint.close();
  }
}

/** @returns undefined: it is no JSON object, so nobody knows what it means. */
function objectOf<T>(text: string): T | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
