import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { onTestFinished } from 'vitest';
import type { Address } from '../../src/common/address.ts';

/** All that memcached answers to a `get`, which may come in pieces. */
export const WHOLE_GET = /(?:^|\r\n)END\r\n$|^\w*ERROR.*\r\n$/;

/** A connection that is closed when the test is over and keeps what it was sent. */
export class RawClient {
  readonly socket: net.Socket;
  #received = '';
  readonly #isOver: Promise<void>;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
    });
    socket.on('error', () => {});
    this.#isOver = new Promise((resolve) => socket.once('close', () => resolve()));
    onTestFinished(() => void socket.destroy());
  }

  static async connect(address: Address, options?: tls.ConnectionOptions): Promise<RawClient> {
    const target =
      address.kind === 'unix'
        ? { path: address.path }
        : { port: address.port, host: address.host ?? '127.0.0.1' };
    if (options === undefined) {
      const client = new RawClient(net.connect(target));
      await once(client.socket, 'connect');
      return client;
    }
    const client = new RawClient(tls.connect({ ...target, ...options }));
    await once(client.socket, 'secureConnect');
    return client;
  }

  /** Sends a request and waits for an answer that ends so, or is such. */
  async ask(request: string, end: string | RegExp = '\r\n'): Promise<string> {
    const isWhole = (answer: string): boolean =>
      typeof end === 'string' ? answer.endsWith(end) : end.test(answer);
    this.#received = '';
    this.socket.write(request, 'latin1');
    while (!isWhole(this.#received)) {
      if (this.socket.destroyed) throw new Error(`closed after ${JSON.stringify(this.#received)}`);
      const more = new Promise((resolve) => this.socket.once('data', resolve));
      await Promise.race([more, this.#isOver]);
    }
    return this.#received;
  }

  /** Everything that is still sent, when the server has closed. */
  async readToEnd(): Promise<string> {
    await this.#isOver;
    return this.#received;
  }
}
