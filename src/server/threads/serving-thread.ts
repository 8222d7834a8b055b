import process from 'node:process';
import { Worker } from 'node:worker_threads';
import type { LogEntry } from '../../common/log.ts';
import { WorkerClient } from '../../common/rpc.ts';
import type { DataSetInfo } from '../../storage/storage.ts';
import type { TableMap } from '../../storage/table/table-map.ts';
import type { ClientReport } from '../client-log.ts';
import {
  LOADED,
  type PlacedSet,
  SHUTDOWN,
  type ThreadData,
  type ThreadNews,
  type ThreadReply,
  type ThreadRequest,
  type ThreadStart,
} from './thread-messages.ts';
import { HANG_ROUNDS, type Watched } from './watchdog.ts';

/** What a thread reports without being asked. */
export interface ThreadEvents {
  /** A client has sent `shutdown`. */
  readonly onShutdown: () => void;
  /** A report of a client for the log. */
  readonly onReport: (report: ClientReport) => void;
  readonly onLog: (entry: LogEntry) => void;
  /** The thread has ended. @param fault What ended it. */
  readonly onExit: (fault: Error) => void;
}

/** A thread has loaded its native code long before, unless its disk does not answer. */
const LOAD_TIMEOUT_MS = 5_000;

/** Of the threads that load native code. */
const loading = new Set<ThreadStart['loaded']>();

// Also an exit of the process ends threads: see `ServingThread.end`.
process.on('exit', () => {
  for (const loaded of loading) Atomics.wait(loaded, 0, 0, LOAD_TIMEOUT_MS);
});

/** One worker that serves. */
export class ServingThread implements Watched {
  readonly #worker: Worker;
  readonly #client: WorkerClient<ThreadRequest, ThreadReply>;
  readonly #isLoaded: Promise<void>;
  #fault: Error | undefined;
  /** The tables that it may read from, by the number of each use. */
  readonly #maps = new Map<number, TableMap>();
  #nextLease = 1;
  #isAlive = true;

  constructor(data: ThreadData, { onShutdown, onReport, onLog, onExit }: ThreadEvents) {
    const loaded = new Int32Array(new SharedArrayBuffer(4));
    loading.add(loaded);
    this.#worker = new Worker(new URL('./thread.js', import.meta.url), {
      workerData: { ...data, loaded } satisfies ThreadStart,
      name: `serve ${data.thread}`,
    });
    let noteLoaded = (): void => {};
    this.#isLoaded = new Promise((resolve) => {
      noteLoaded = () => {
        loading.delete(loaded);
        resolve();
      };
    });
    this.#worker.on('message', (news: ThreadNews) => {
      if (news === LOADED) noteLoaded();
      else if (news === SHUTDOWN) onShutdown();
      else if ('report' in news) onReport(news.report);
      else if ('log' in news) onLog(news.log);
      else if ('released' in news) this.#release(news.released);
    });
    this.#worker.on('error', (error: Error) => {
      this.#fault ??= error;
    });
    // First, so that whoever waits for a reply finds the fault already reported.
    this.#worker.on('exit', (code) => {
      this.#isAlive = false;
      noteLoaded();
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
   * Puts a table into service. Its map is held from now on until the thread reports that nothing in
   * it reads from there any more, or ends: an error says neither.
   *
   * @throws GoromdbError as `request`.
   */
  async swap(placed: PlacedSet, map: TableMap, info: DataSetInfo): Promise<void> {
    const lease = this.#nextLease++;
    if (this.#isAlive) this.#maps.set(lease, map.hold());
    await this.request({ kind: 'swap', ...placed, table: map.parts, info, lease });
  }

  #release(lease: number): void {
    this.#maps.get(lease)?.release();
    this.#maps.delete(lease);
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
    // The package `lmdb` aborts the process when the thread that loads it is ended meanwhile.
    await this.#isLoaded;
    await this.#worker.terminate();
  }
}
