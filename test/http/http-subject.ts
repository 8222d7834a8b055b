import http from 'node:http';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Goromdb, startGoromdb } from '../../src/app/app.ts';
import type { GoromdbOptions } from '../../src/app/options.ts';
import { type Address, parseAddress } from '../../src/common/address.ts';
import type { HttpOptions } from '../../src/http/http.ts';
import { type CollectingLogger, collectingLogger } from '../support/collecting-logger.ts';
import { temporaryFolder } from '../support/folder.ts';

export const TOKEN = 'a-token-of-more-than-16';

interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

/** A server with its HTTP side, on a free port unless told otherwise. */
export class HttpSubject {
  readonly goromdb: Goromdb;
  readonly http: Address;
  readonly file: string;
  readonly logger: CollectingLogger;

  private constructor(goromdb: Goromdb, address: Address, file: string, logger: CollectingLogger) {
    this.goromdb = goromdb;
    this.http = address;
    this.file = file;
    this.logger = logger;
  }

  static async start(
    options: Partial<HttpOptions> = {},
    others: Partial<GoromdbOptions> = {},
  ): Promise<HttpSubject> {
    const folder = temporaryFolder();
    const file = join(folder, 'data.json');
    const logger = collectingLogger();
    const goromdb = await startGoromdb({
      ...{ address: parseAddress('127.0.0.1:0'), file, basedir: join(folder, 'base') },
      ...{ storage: 'json', logger, http: { address: parseAddress('127.0.0.1:0'), ...options } },
      ...others,
    });
    onTestFinished(() => goromdb.close());
    const line = logger.lines.find((one) => one.includes('answers HTTP on'))!;
    const address = parseAddress(/answers HTTP on (\S+)/.exec(line)![1]);
    return new HttpSubject(goromdb, address, file, logger);
  }

  async ask(
    path: string,
    { method = 'GET', headers = {}, body = '' }: AskOptions = {},
  ): Promise<Reply> {
    const request = this.request(path, { method, headers });
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject).end(body);
    });
    let text = '';
    for await (const piece of response.setEncoding('utf8')) text += piece;
    return { status: response.statusCode!, headers: response.headers, text };
  }

  post(path: string, token: string | undefined): Promise<Reply> {
    const headers: Record<string, string> =
      token === undefined ? {} : { authorization: `Bearer ${token}` };
    return this.ask(path, { method: 'POST', headers });
  }

  request(path: string, options: http.RequestOptions = {}): http.ClientRequest {
    const { http: address } = this;
    const target =
      address.kind === 'unix'
        ? { socketPath: address.path }
        : { host: '127.0.0.1', port: address.port };
    return http.request({ ...target, path, agent: false, ...options });
  }
}

interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}
