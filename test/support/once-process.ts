import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { temporaryFolder } from './folder.ts';
import { GoromdbProcess } from './goromdb-process.ts';
import type { Client } from './once-history.ts';

/** A node that is stopped is given up by its client then. */
const PATIENCE_MS = 8_000;
/** Whoever is refused at once must not fill the history with that. */
const REFUSED_MS = 20;

interface Answered {
  readonly status: number;
  readonly text: string;
}

/** A node, whatever process it is at the time. It listens on a UNIX socket, whatever its network is. */
export class OnceProcess implements Client {
  readonly isStale: boolean;
  readonly #args: readonly string[];
  readonly #within: readonly string[];
  readonly #folder = temporaryFolder();
  readonly #socketPath = join(this.#folder, 'node.sock');
  /** Where clients of memcached and Redis come. */
  readonly wirePath = join(this.#folder, 'wire.sock');
  process: GoromdbProcess;

  /** @param within A command that runs it, in its own process. */
  constructor(
    endpoints: readonly string[],
    flags: readonly string[] = [],
    within: readonly string[] = [],
  ) {
    const http = `unix:${this.#socketPath}`;
    const addr = `unix:${this.wirePath}`;
    const etcd = endpoints.join(',');
    this.#args = ['once', '-etcd', etcd, '-http', http, '-addr', addr, ...flags];
    this.#within = within;
    this.isStale = flags.includes('-stale-reads');
    this.process = this.#start();
  }

  #start(): GoromdbProcess {
    return new GoromdbProcess(this.#args, undefined, undefined, this.#within);
  }

  /** Waits until it listens; starts it if it has ended. */
  async restart(): Promise<void> {
    if (this.process.hasEnded) this.process = this.#start();
    await this.process.says(/answers HTTP on/);
  }

  create: Client['create'] = async (key, value) => {
    const answered = await this.#ask('POST', '/key', JSON.stringify({ key, value }));
    const { code } = JSON.parse(answered?.text ?? '{"code":"UNKNOWN"}') as { code: string };
    const kinds = { CREATED: 'created', SAME: 'same', CONFLICT: 'conflict' } as const;
    if (code in kinds) return { kind: kinds[code as keyof typeof kinds] };
    return { kind: code === 'UNAVAILABLE' ? 'failed' : 'unknown' };
  };

  read: Client['read'] = async (key) => {
    const answered = await this.#ask('GET', `/key/${key}`);
    if (answered?.status === 200) return { kind: 'found', value: answered.text };
    return { kind: answered?.status === 404 ? 'absent' : 'unknown' };
  };

  /** @returns undefined: nobody knows what came of it. */
  async #ask(method: string, path: string, body = ''): Promise<Answered | undefined> {
    try {
      return await new Promise<Answered>((resolve, reject) => {
        const signal = AbortSignal.timeout(PATIENCE_MS);
        const options = { socketPath: this.#socketPath, method, path, signal, agent: false };
        const request = http.request(options, async (response) => {
          let text = '';
          try {
            for await (const piece of response.setEncoding('utf8')) text += piece;
            resolve({ status: response.statusCode ?? 0, text });
          } catch (error) {
            reject(error);
          }
        });
        request.on('error', reject).end(body);
      });
    } catch {
      await delay(REFUSED_MS);
      return undefined;
    }
  }
}
