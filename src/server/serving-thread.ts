import { Worker } from 'node:worker_threads';
import { WorkerClient } from '../rpc.ts';
import type { ClientReport } from './client-log.ts';
import {
  type LeftTable,
  SHUTDOWN,
  type ThreadData,
  type ThreadNews,
  type ThreadReply,
  type ThreadRequest,
} from './thread-messages.ts';
import { HANG_ROUNDS, type Watched } from './watchdog.ts';

/** What a thread tells without being asked. */
export interface ThreadEvents {
  /** A client has sent `shutdown`. */
  readonly onShutdown: () => void;
  /** Something of a client that the log should tell. */
  readonly onReport: (report: ClientReport) => void;
  /**
   * The thread has ended.
   *
   * @param fault What ended it.
   * @param left The tables that it served, if they were its own and it could still hand them back.
   */
  readonly onExit: (fault: Error, left: readonly LeftTable[]) => void;
}

/** One worker that serves. */
export class ServingThread implements Watched {
  readonly #worker: Worker;
  readonly #client: WorkerClient<ThreadRequest, ThreadReply>;
  #fault: Error | undefined;
  #left: readonly LeftTable[] = [];
  #isAlive = true;

  constructor(data: ThreadData, { onShutdown, onReport, onExit }: ThreadEvents) {
    this.#worker = new Worker(new URL('./thread.js', import.meta.url), {
      workerData: data,
      name: `serve ${data.thread}`,
    });
    this.#worker.on('message', (news: ThreadNews) => {
      if (news === SHUTDOWN) onShutdown();
      else if ('report' in news) onReport(news.report);
      else if ('left' in news) this.#left = news.left;
    });
    this.#worker.on('error', (error: Error) => {
      this.#fault ??= error;
    });
    // First, so that who waits for a reply finds the fault and the table already told of.
    this.#worker.on('exit', (code) => {
      this.#isAlive = false;
      onExit(this.#fault ?? new Error(`it has ended with code ${code}`), this.#left);
    });
    this.#client = new WorkerClient(this.#worker);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** @throws GoromdbError what the thread answers, or what has ended it. */
  request(body: ThreadRequest, transfer?: readonly ArrayBuffer[]): Promise<ThreadReply> {
    return this.#client.request(body, transfer);
  }

  /** See `Watched`. */
  ping(): Promise<unknown> {
    return this.#client.request({ kind: 'ping' });
  }

  onHang(): void {
    void this.end(new Error(`it has not answered for ${HANG_ROUNDS} s: it hangs`));
  }

  /** Ends it at once, also out of an endless loop. @param fault Why, for `onExit`. */
  async end(fault?: Error): Promise<void> {
    this.#fault ??= fault;
    await this.#worker.terminate();
  }
}
