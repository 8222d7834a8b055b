import { setTimeout as delay } from 'node:timers/promises';
import type tls from 'node:tls';
import type { Address } from '../../src/common/address.ts';
import { RawClient } from './raw-client.ts';
import { processorMsOf } from './vitals.ts';

/** Between two requests, so that many tests at once leave the machine some air. */
const PACE_MS = 2;

/** A request and what it must be answered, byte for byte. */
export interface Exchange {
  readonly request: string;
  readonly answer: string;
}

/** What a good client has seen. */
export interface Experience {
  readonly answers: number;
  readonly wrong: readonly string[];
  /** Of the slowest answer. */
  readonly slowestMs: number;
  /** Most of the server's processor time that went by from a request to its answer. */
  readonly costliestMs: number;
}

/** A client that asks all the time, on one connection, while others misbehave. */
export class GoodClient {
  #answers = 0;
  #slowestMs = 0;
  #costliestMs = 0;
  #isOver = false;
  readonly #wrong: string[] = [];
  readonly #work: Promise<void>;

  private constructor(client: RawClient, exchanges: readonly Exchange[], pid: number) {
    this.#work = this.#run(client, exchanges, pid);
    // `stop` rejects with it; until then it is no unhandled rejection.
    this.#work.catch(() => {});
  }

  /** @param pid Of the server. */
  static async start(
    address: Address,
    exchanges: readonly Exchange[],
    pid: number,
    options?: tls.ConnectionOptions,
  ): Promise<GoodClient> {
    return new GoodClient(await RawClient.connect(address, options), exchanges, pid);
  }

  /** Ends it. @throws Error when its connection was lost. */
  async stop(): Promise<Experience> {
    this.#isOver = true;
    await this.#work;
    return {
      ...{ answers: this.#answers, wrong: this.#wrong },
      ...{ slowestMs: this.#slowestMs, costliestMs: this.#costliestMs },
    };
  }

  async #run(client: RawClient, exchanges: readonly Exchange[], pid: number): Promise<void> {
    for (let turn = 0; !this.#isOver; turn++) {
      const { request, answer } = exchanges[turn % exchanges.length];
      const [askedAt, costBefore] = [performance.now(), processorMsOf(pid)];
      const found = await client.ask(request, 'END\r\n');
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - askedAt);
      this.#costliestMs = Math.max(this.#costliestMs, processorMsOf(pid) - costBefore);
      this.#answers++;
      if (found !== answer) this.#wrong.push(found.slice(0, 200));
      await delay(PACE_MS);
    }
    client.socket.destroy();
  }
}
