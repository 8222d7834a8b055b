import { type MessagePort, parentPort, type Transferable, type Worker } from 'node:worker_threads';
import { type ErrorCode, GoromdbError, messageOf } from './errors.ts';
import { explained } from './system-fault.ts';

/** How one thread asks another: a request with a number, and a reply with the same number. */
interface Request<T> {
  readonly id: number;
  readonly body: T;
}

interface Answer<T> {
  readonly id: number;
  readonly result?: T;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

interface Waiting<T> {
  readonly resolve: (result: T) => void;
  readonly reject: (error: Error) => void;
}

/** Asks a worker thread. Requests that wait when the worker ends, or come later, are rejected. */
export class WorkerClient<Body, Result> {
  readonly worker: Worker;
  readonly #waiting = new Map<number, Waiting<Result>>();
  #nextId = 1;
  #fault: Error | undefined;
  #hasEnded = false;

  constructor(worker: Worker) {
    this.worker = worker;
    worker.on('error', (fault: Error) => {
      this.#fault = fault;
    });
    worker.on('message', (answer: Answer<Result>) => this.#settle(answer));
    worker.on('exit', () => {
      this.#hasEnded = true;
      this.#rejectAll();
    });
  }

  request(body: Body, transfer: readonly Transferable[] = []): Promise<Result> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      // A message to a worker that has ended is dropped silently.
      if (this.#hasEnded) this.#rejectAll();
      else this.worker.postMessage({ id, body } satisfies Request<Body>, transfer);
    });
  }

  #settle(answer: Answer<Result>): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (waiting === undefined) return;
    if (answer.error === undefined) waiting.resolve(answer.result as Result);
    else waiting.reject(new GoromdbError(answer.error.code, answer.error.message));
  }

  #rejectAll(): void {
    const error = threadError(this.#fault ?? new Error('the worker thread has ended'));
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** What ended a thread. Between threads an error keeps its name and code, not its class. */
export function threadError(fault: Error): GoromdbError {
  const { name, message, code } = fault as Error & { readonly code?: ErrorCode };
  const isOurs = name === 'GoromdbError' && code !== undefined;
  return new GoromdbError(isOurs ? code : 'SERVER_FAILED', message, { cause: fault });
}

/**
 * Answers the requests of the thread that started this one.
 *
 * @param transferOf The parts of a result that are transferred, not copied.
 */
export function answerRequests<Body, Result>(
  answer: (body: Body) => Promise<Result>,
  transferOf: (result: Result) => readonly Transferable[] = () => [],
): void {
  const port = parentPort as MessagePort;
  port.on('message', ({ id, body }: Request<Body>) => {
    answer(body).then(
      (result) => port.postMessage({ id, result } satisfies Answer<Result>, transferOf(result)),
      (caught: unknown) => {
        const error = explained(caught, 'a file');
        const code = error instanceof GoromdbError ? error.code : 'SERVER_FAILED';
        port.postMessage({
          id,
          error: { code, message: messageOf(error) },
        } satisfies Answer<Result>);
      },
    );
  });
}
