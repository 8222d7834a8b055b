import { Worker } from 'node:worker_threads';
import { GoromdbError } from '../../common/errors.ts';
import { WorkerClient } from '../../common/rpc.ts';
import type { LoadRequest, LoadResult } from './worker.ts';

/**
 * Heap of the loader worker, in MiB. Records live outside the heap, in the table's budget; a file
 * that makes the scanner need more than this is refused, and the process lives.
 */
const WORKER_HEAP_MIB = 512;

/**
 * Heap for young objects of the loader worker, in MiB. V8 collects up to a megabyte of them in the
 * thread itself; for more it wakes helper threads, which have no lower priority: in a trace of a
 * load these held up the serving thread more often than the loader did.
 */
const WORKER_YOUNG_MIB = 1;

/**
 * How long a worker waits for another file. To start one took 40 ms and more, several times as long
 * as loading a small file; an hourly file should not keep a thread for it.
 */
const IDLE_MS = 2_000;

/** Whether the worker waits for another file for ever, or only for a moment. */
export type Patience = 'waits' | 'ends';

type Client = WorkerClient<LoadRequest, LoadResult>;

/** Verifies files and makes tables of them in a worker thread, one at a time. */
export class LoaderWorker {
  #idle: Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #patience: Patience;

  /**
   * @param patience One that waits takes 10 MB and has its code compiled already. V8 compiles in helper
   *   threads, at the serving threads' cost: while a million keys were replaced beside 10,000 gets a
   *   second on two processors, p99 was 1.8 to 3.1 ms with it and 2.9 to 9.9 ms without, and p99.9 1.2
   *   to 1.3 times the steady one in place of 2.6 to 2.8.
   */
  constructor(patience: Patience) {
    this.#patience = patience;
  }

  /**
   * @param msMax How long it may take.
   * @param signal Ends the worker at once; the promise is then rejected.
   * @throws GoromdbError with the scanner's code, or LOADER_FAILED, or FILE_UNREADABLE, or
   *   LIMIT_EXCEEDED when it takes too much memory or time.
   */
  async run(request: LoadRequest, msMax: number, signal?: AbortSignal): Promise<LoadResult> {
    const stopped = new Error('it was stopped');
    if (signal?.aborted) throw workerError(request.path, stopped);
    const client = this.#take();
    const { worker } = client;
    let fail = (_error: GoromdbError): void => {};
    const isOver = new Promise<never>((_, reject) => {
      fail = reject;
    });
    const stop = (cause: NodeJS.ErrnoException): void => fail(workerError(request.path, cause));
    const abort = (): void => stop(stopped);
    const timer = setTimeout(() => fail(timeError(request.path, msMax)), msMax);
    worker.once('error', stop);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    try {
      const result = await Promise.race([client.request(request), isOver]);
      this.#keep(client, result);
      return result;
    } catch (error) {
      // Nobody knows what is left in a worker that failed.
      await worker.terminate();
      throw error;
    } finally {
      clearTimeout(timer);
      worker.removeListener('error', stop);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Ends the worker, if one waits. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const idle = this.#idle;
    this.#idle = undefined;
    await idle?.worker.terminate();
  }

  #take(): Client {
    clearTimeout(this.#timer);
    const idle = this.#idle;
    this.#idle = undefined;
    if (idle !== undefined) {
      idle.worker.ref();
      return idle;
    }
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      name: 'load',
      resourceLimits: {
        maxOldGenerationSizeMb: WORKER_HEAP_MIB,
        maxYoungGenerationSizeMb: WORKER_YOUNG_MIB,
      },
    });
    const client: Client = new WorkerClient(worker);
    worker.once('exit', () => {
      if (this.#idle === client) this.#idle = undefined;
    });
    return client;
  }

  #keep(client: Client, { kind }: LoadResult): void {
    this.#idle = client;
    client.worker.unref();
    // One that has handed nothing over may still have the memory of a whole table.
    if (this.#patience === 'waits' && kind === 'table') return;
    this.#timer = setTimeout(() => void this.close(), IDLE_MS);
    this.#timer.unref();
  }
}

function workerError(path: string, cause: NodeJS.ErrnoException): GoromdbError {
  if (cause.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const message = `${path} needs more than ${WORKER_HEAP_MIB} MiB of heap to scan`;
    return new GoromdbError('LIMIT_EXCEEDED', message, { cause });
  }
  return new GoromdbError('LOADER_FAILED', `loading ${path} failed: ${cause.message}`, { cause });
}

function timeError(path: string, msMax: number): GoromdbError {
  const message = `${path} took more than ${Math.ceil(msMax / 1000)} s to load`;
  return new GoromdbError('LIMIT_EXCEEDED', message);
}
