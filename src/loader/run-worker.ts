import { Worker } from 'node:worker_threads';
import { GoromdbError } from '../errors.ts';
import { WorkerClient } from '../rpc.ts';
import type { LoadRequest, LoadResult } from './worker.ts';

/**
 * Heap of the loader worker, in MiB. Records live outside the heap, in the table's budget; a file
 * that makes the scanner need more than this is refused, and the process lives.
 */
const WORKER_HEAP_MIB = 512;

/**
 * Verifies, scans and indexes a file in a worker thread of its own.
 *
 * @param signal Ends the worker at once; the promise is then rejected.
 * @throws GoromdbError with the scanner's code, or LOADER_FAILED, or FILE_UNREADABLE.
 */
export async function runWorker(request: LoadRequest, signal?: AbortSignal): Promise<LoadResult> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    name: 'load',
    resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MIB },
  });
  const client = new WorkerClient<LoadRequest, LoadResult>(worker);
  let stop = (): void => {};
  const isOver = new Promise<never>((_, reject) => {
    worker.once('error', (cause: NodeJS.ErrnoException) =>
      reject(workerError(request.path, cause)),
    );
    stop = () => reject(new GoromdbError('LOADER_FAILED', `loading ${request.path} was stopped`));
  });
  signal?.addEventListener('abort', stop);
  try {
    return await Promise.race([client.request(request), isOver]);
  } finally {
    signal?.removeEventListener('abort', stop);
    await worker.terminate();
  }
}

function workerError(path: string, cause: NodeJS.ErrnoException): GoromdbError {
  if (cause.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    const message = `${path} needs more than ${WORKER_HEAP_MIB} MiB of heap to scan`;
    return new GoromdbError('LIMIT_EXCEEDED', message, { cause });
  }
  return new GoromdbError('LOADER_FAILED', `loading ${path} failed: ${cause.message}`, { cause });
}
