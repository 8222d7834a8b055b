/** What belongs in this folder: reads the rows of Parquet, in a thread of its own. */
import { Worker } from 'node:worker_threads';
import { type ErrorCode, GoromdbError } from '../../common/errors.ts';
import { Cells, type RowSink } from '../rows/row.ts';
import type { OpenFile } from './parquet-file.ts';

/** Memory of the thread in MB, without pages. If it takes more, it ends, and not the process. */
const HEAP_MB_MAX = 768;

/** What the thread is started with. */
export interface ParquetRequest {
  readonly file: OpenFile;
  /** The columns to read; undefined: all. */
  readonly wanted: readonly string[] | undefined;
}

/** Rows of one row group, cell behind cell. */
export interface Batch {
  /** The number of the row group, from 1. */
  readonly group: number;
  /** The number of the first row in the file, from 1. */
  readonly firstRow: number;
  readonly count: number;
  /** Bytes of the row group that are read. */
  readonly read: number;
  readonly bytes: Uint8Array;
  readonly kinds: Uint8Array;
  /** Where each cell ends in `bytes`; the next one begins there. */
  readonly ends: Uint32Array;
}

/** What the thread says: the columns first, then batches; nothing at the end. */
export type Answer =
  | Partial<Batch & { readonly columns: readonly string[] }>
  | { readonly fault: { readonly code: ErrorCode; readonly message: string } };

/**
 * Hands on the rows of a Parquet file.
 *
 * @param wanted The columns to read; undefined: all.
 * @throws GoromdbError DATA_CORRUPT, FORMAT_UNKNOWN, FORMAT_UNSUPPORTED, LIMIT_EXCEEDED; what `sink` and
 *   `onProgress` throw.
 */
export async function parquetRows(
  file: OpenFile,
  wanted: readonly string[] | undefined,
  onProgress: (bytes: number) => void,
  sink: RowSink,
): Promise<void> {
  const workerData: ParquetRequest = { file, wanted };
  const worker = new Worker(new URL('./parquet-worker.js', import.meta.url), {
    ...{ name: 'parquet', workerData },
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB_MAX },
  });
  const failed = new Promise<never>((_, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the thread that reads Parquet has ended')));
  });
  // Whoever asks hears of it.
  failed.catch(() => {});
  const ask = (): Promise<Answer> => {
    const answer = new Promise<Answer>((resolve) => worker.once('message', resolve));
    return Promise.race([answer, failed]);
  };
  try {
    worker.postMessage('next');
    await handOn(file, worker, ask, sink, onProgress);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_WORKER_OUT_OF_MEMORY') throw cause;
    const message = `${file.path}: expected pages that take at most ${HEAP_MB_MAX} MB of memory, found more`;
    throw new GoromdbError('LIMIT_EXCEEDED', message, { cause });
  } finally {
    // The caller closes the file.
    await worker.terminate();
  }
}

async function handOn(
  file: OpenFile,
  worker: Worker,
  ask: () => Promise<Answer>,
  sink: RowSink,
  onProgress: (bytes: number) => void,
): Promise<void> {
  const cells = new Cells();
  let group = 0;
  let readBefore = 0;
  let read = 0;
  for (;;) {
    const answer = await ask();
    if ('fault' in answer) throw new GoromdbError(answer.fault.code, answer.fault.message);
    // The thread makes the next batch while this one is used.
    if (answer.columns !== undefined || answer.count !== undefined) worker.postMessage('next');
    if (answer.columns !== undefined) sink.begin(answer.columns);
    else if (answer.count === undefined) return;
    else {
      const batch = answer as Batch;
      takeBatch(batch, cells, sink);
      if (batch.group !== group) readBefore += read;
      group = batch.group;
      read = batch.read;
      onProgress(Math.min(file.size, readBefore + read));
    }
  }
}

function takeBatch(
  { group, firstRow, count, bytes, kinds, ends }: Batch,
  cells: Cells,
  sink: RowSink,
): void {
  const columns = kinds.length / count;
  cells.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  cells.count = columns;
  cells.group = group;
  cells.reserve(columns);
  let start = 0;
  for (let row = 0, cell = 0; row < count; row++) {
    cells.line = firstRow + row;
    for (let i = 0; i < columns; i++, cell++) {
      cells.kinds[i] = kinds[cell];
      cells.starts[i] = start;
      start = ends[cell];
      cells.ends[i] = start;
    }
    sink.row(cells);
  }
}
