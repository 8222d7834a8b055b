import { type ChildProcess, fork } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, errorLineIn, GoromdbError } from '../../common/errors.ts';
import { findStrays } from '../../common/strays.ts';
import { Places } from '../../common/turns.ts';
import type { Progress } from './progress.ts';
import type { LoadRequest, LoadResult } from './worker.ts';

/**
 * Heap of the loader process, in MiB. Records and index live outside of it; a file that makes the
 * scanner need more than this is rejected, and the server lives.
 */
const HEAP_MIB = 512;

/**
 * One thread does all, collects garbage too, and the heap for young objects is small, so that a load
 * takes one processor at most, and gives way with all that it does. Beside 10,000 gets a second on two
 * processors, while a million JSON keys were replaced, p99 was 3.2 ms and the load took 1.1 s. A
 * thread of the server had to rest three quarters of its time for a p99 of 3.3 ms, since V8's helper
 * threads, which have no lower priority, worked beside it; so its load took 3.4 s (2026-11-28).
 */
const FLAGS = [`--max-old-space-size=${HEAP_MIB}`, '--max-semi-space-size=1', '--single-threaded'];

/**
 * How long a process waits for another file. To start one takes some 80 ms; an hourly file should not
 * keep one.
 */
const IDLE_MS = 2_000;

/**
 * Loads of all data sets at one time. Many drop at the same hour: each load takes some 60 MB and more,
 * and all of them together must leave the serving threads their processors.
 */
const LOADS_AT_ONCE = 4;

/** Above its standard streams and its channel. */
const FIRST_FREE_FD = 4;

const ABORTED = 'it was aborted';

const MODULE_FLAG = /^(?:-r|-C|--import|--require|--conditions|--(?:experimental-)?loader)(=|$)/;

/** What is kept of its standard error, in characters. */
const LAST_WORDS_MAX = 4_096;

/** What the loader process sends. */
export type LoaderMessage =
  /** First, and once: a request before it could be lost to a module of `--import` that listens, too. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'result'; readonly result: LoadResult }
  | { readonly kind: 'error'; readonly code: ErrorCode; readonly message: string };

/** How a load is watched. */
export interface LoadWatch {
  readonly onProgress: (progress: Progress) => void;
  /** How long it may take. */
  readonly msMax: number;
  /** Ends it at once; its promise is then rejected. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Verifies files and makes tables of them in processes of their own: neither their memory nor their
 * garbage is the server's, and whatever a file does to one, the server lives. All data sets share them.
 */
export class LoaderProcesses {
  readonly #places = new Places(LOADS_AT_ONCE);
  readonly #idle = new Map<Child, NodeJS.Timeout>();

  /**
   * Waits its turn, in which an abort is heard too.
   *
   * @throws GoromdbError with the scanner's code, or LOADER_FAILED, or FILE_UNREADABLE, or
   *   LIMIT_EXCEEDED when it takes too much memory or time.
   */
  async run(request: LoadRequest, watch: LoadWatch): Promise<LoadResult> {
    if (!(await this.#places.take(watch.signal))) throw failed(request.path, ABORTED);
    try {
      return await this.#runNow(request, watch);
    } finally {
      this.#places.giveBack();
    }
  }

  async #runNow(request: LoadRequest, watch: LoadWatch): Promise<LoadResult> {
    const child = this.#take();
    try {
      const result = await answerOf(child, request, watch);
      this.#keep(child);
      return result;
    } catch (error) {
      // Nobody knows what is left in a process that failed.
      await child.end();
      throw error;
    }
  }

  /** Ends the processes that wait. */
  async close(): Promise<void> {
    await Promise.all([...this.#idle.keys()].map((child) => this.#end(child)));
  }

  #take(): Child {
    for (const [child, timer] of this.#idle) {
      clearTimeout(timer);
      this.#idle.delete(child);
      if (child.hasEnded) continue;
      child.ref();
      return child;
    }
    return new Child();
  }

  #keep(child: Child): void {
    child.unref();
    const timer = setTimeout(() => void this.#end(child), IDLE_MS);
    timer.unref();
    this.#idle.set(child, timer);
  }

  #end(child: Child): Promise<void> {
    clearTimeout(this.#idle.get(child));
    this.#idle.delete(child);
    return child.end();
  }
}

class Child {
  readonly process: ChildProcess;
  readonly #ended: Promise<void>;
  #lastWords = '';
  hasEnded = false;
  isReady = false;

  constructor() {
    const strays = JSON.stringify(findStrays(FIRST_FREE_FD));
    this.process = fork(fileURLToPath(new URL('./loader-main.js', import.meta.url)), [strays], {
      execArgv: [...moduleFlags(process.execArgv), ...FLAGS],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-LAST_WORDS_MAX);
      // A scanner of a user's own may write there; the trace of V8 would say nothing to anybody.
      if (!this.isOutOfHeap) process.stderr.write(text);
    });
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.hasEnded = true;
        resolve();
      };
      // A process that could not be started says `error`, and nothing else.
      this.process.once('error', end).once('close', end);
    });
  }

  get isOutOfHeap(): boolean {
    return this.#lastWords.includes('heap out of memory');
  }

  /** What Node wrote of an error that ended it, in a line. */
  get error(): string | undefined {
    return errorLineIn(this.#lastWords);
  }

  /** Resolves when its files are closed. */
  async end(): Promise<void> {
    // Who waits for its end must live to see it.
    this.ref();
    this.process.kill('SIGKILL');
    await this.#ended;
  }

  /** For another load: what an earlier one wrote does not explain its end. */
  ref(): void {
    this.#lastWords = '';
    this.process.ref();
    this.process.channel?.ref();
  }

  /** It alone keeps no program from ending. */
  unref(): void {
    this.process.unref();
    this.process.channel?.unref();
    (this.process.stderr as { unref?(): void } | null)?.unref?.();
  }
}

/**
 * The flags of this program that say how modules are loaded: a scanner of a user's own may be in a
 * language that needs them, as `--import tsx`.
 */
function moduleFlags(flags: readonly string[]): readonly string[] {
  return flags.flatMap((flag, at) => {
    const [, equals] = MODULE_FLAG.exec(flag) ?? [];
    if (equals === undefined) return [];
    return equals === '=' ? [flag] : [flag, ...flags.slice(at + 1, at + 2)];
  });
}

function answerOf(
  child: Child,
  request: LoadRequest,
  { onProgress, msMax, signal }: LoadWatch,
): Promise<LoadResult> {
  const { path } = request;
  const over = new AbortController();
  const answer = new Promise<LoadResult>((resolve, reject) => {
    const timer = setTimeout(() => reject(tooLong(path, msMax)), msMax);
    const ask = (): void => {
      child.isReady = true;
      // If it has ended, it says so itself.
      child.process.send?.(request, () => {});
    };
    const listeners = {
      message: (message: LoaderMessage) => {
        if (message.kind === 'ready') ask();
        else if (message.kind === 'progress') onProgress(message.progress);
        else if (message.kind === 'result') resolve(message.result);
        else reject(new GoromdbError(message.code, message.message));
      },
      error: (cause: Error) => reject(failed(path, cause.message, cause)),
      // After all that it said.
      close: (code: number | null, by: string | null) => reject(endOf(child, path, code, by)),
    };
    const abort = (): void => reject(failed(path, ABORTED));
    signal?.addEventListener('abort', abort);
    for (const [event, listener] of Object.entries(listeners)) child.process.on(event, listener);
    over.signal.addEventListener('abort', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      for (const [event, listener] of Object.entries(listeners)) child.process.off(event, listener);
    });
    if (child.isReady) ask();
  });
  return answer.finally(() => over.abort());
}

function endOf(child: Child, path: string, code: number | null, by: string | null): GoromdbError {
  if (child.isOutOfHeap) {
    const message = `${path}: expected to scan it in ${HEAP_MIB} MiB of heap, found that it needs more`;
    return new GoromdbError('LIMIT_EXCEEDED', message);
  }
  const hint = by === 'SIGKILL' ? ', as the system does when memory is short' : '';
  const error = child.error === undefined ? '' : `: ${child.error}`;
  return failed(path, `its process was ended by ${by ?? `exit code ${code}`}${hint}${error}`);
}

function failed(path: string, why: string, cause?: Error): GoromdbError {
  return new GoromdbError('LOADER_FAILED', `${path}: ${why}`, { cause });
}

function tooLong(path: string, msMax: number): GoromdbError {
  const message = `${path}: expected to load it within ${Math.ceil(msMax / 1000)} s, found that it takes longer`;
  return new GoromdbError('LIMIT_EXCEEDED', message);
}
