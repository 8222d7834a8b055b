import { Worker } from 'node:worker_threads';
import { WorkerClient } from '../rpc.ts';
import type { DataSetInfo } from '../storage/storage.ts';
import type { TableMap } from '../storage/table-map.ts';
import type { ClientReport } from './client-log.ts';
import {
  type PlacedSet,
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
  /** The thread has ended. @param fault What ended it. */
  readonly onExit: (fault: Error) => void;
}

/** One worker that serves. */
export class ServingThread implements Watched {
  readonly #worker: Worker;
  readonly #client: WorkerClient<ThreadRequest, ThreadReply>;
  #fault: Error | undefined;
  /** The tables that it reads from, by the number of each use. */
  readonly #maps = new Map<number, TableMap>();
  #nextLease = 1;
  #isAlive = true;

  constructor(data: ThreadData, { onShutdown, onReport, onExit }: ThreadEvents) {
    this.#worker = new Worker(new URL('./thread.js', import.meta.url), {
      workerData: data,
      name: `serve ${data.thread}`,
    });
    this.#worker.on('message', (news: ThreadNews) => {
      if (news === SHUTDOWN) onShutdown();
      else if ('report' in news) onReport(news.report);
      else if ('released' in news) this.#release(news.released);
    });
    this.#worker.on('error', (error: Error) => {
      this.#fault ??= error;
    });
    // First, so that who waits for a reply finds the fault already told of.
    this.#worker.on('exit', (code) => {
      this.#isAlive = false;
      for (const lease of [...this.#maps.keys()]) this.#release(lease);
      onExit(this.#fault ?? new Error(`it has ended with code ${code}`));
    });
    this.#client = new WorkerClient(this.#worker);
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** @throws GoromdbError what the thread answers, or what has ended it. */
  request(body: ThreadRequest): Promise<ThreadReply> {
    return this.#client.request(body);
  }

  /**
   * Puts a table into service. The thread holds its map from now on, until nothing reads from it.
   *
   * @throws GoromdbError as `request`.
   */
  async swap(placed: PlacedSet, map: TableMap, info: DataSetInfo): Promise<void> {
    const lease = this.#nextLease++;
    this.#maps.set(lease, map);
    map.retain();
    try {
      await this.request({ kind: 'swap', ...placed, table: map.parts, info, lease });
    } catch (error) {
      this.#release(lease);
      throw error;
    }
  }

  #release(lease: number): void {
    const map = this.#maps.get(lease);
    this.#maps.delete(lease);
    map?.release();
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
