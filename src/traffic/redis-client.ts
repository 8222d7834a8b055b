import type net from 'node:net';
import type { Address } from '../common/address.ts';
import { GoromdbError } from '../common/errors.ts';
import { connectTo } from './connect.ts';
import { type RespValue, readResp, respRequest } from './resp.ts';

/** How long the server may be silent while it owes a reply. */
const SILENCE_MS = 30_000;

/** Longest reply that is read: a thousand keys of Redis' usual lengths are far shorter. */
const REPLY_BYTES_MAX = 16 * 1024 * 1024;

/** A client that sends one request at a time, for what happens before the traffic. */
export class RedisClient {
  readonly #socket: net.Socket;
  readonly #chunks: AsyncIterator<Buffer>;

  constructor(address: Address) {
    this.#socket = connectTo(address);
    this.#socket.setTimeout(SILENCE_MS, () => {
      this.#socket.destroy(new Error(`silent for ${SILENCE_MS / 1000} s`));
    });
    this.#chunks = this.#socket[Symbol.asyncIterator]();
  }

  /**
   * Sends a request, whose characters are bytes.
   *
   * @returns The reply, which may be an error of the server.
   * @throws Error of the system; SyntaxError when the reply is not Redis'; GoromdbError LOAD_FAILED
   *   when it has no end.
   */
  async ask(words: readonly string[]): Promise<RespValue> {
    this.#socket.write(respRequest(words), 'latin1');
    let input: Buffer = Buffer.alloc(0);
    while (input.length <= REPLY_BYTES_MAX) {
      const { done, value: chunk } = await this.#chunks.next();
      if (done) throw new GoromdbError('LOAD_FAILED', 'the server closed the connection');
      input = Buffer.concat([input, chunk]);
      const reply = readResp(input, 0);
      if (reply !== undefined) return reply.value;
    }
    const message = `expected a reply of at most ${REPLY_BYTES_MAX} bytes, found a longer one`;
    throw new GoromdbError('LOAD_FAILED', message);
  }

  close(): void {
    this.#socket.destroy();
  }
}
