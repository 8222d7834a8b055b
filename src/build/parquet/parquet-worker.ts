/** What runs in the thread of `parquetRows`. */
import { parentPort, workerData } from 'node:worker_threads';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { ByteText } from '../rows/byte-text.ts';
import { KIND } from '../rows/row.ts';
import { ColumnValues, PAGES_BYTES_MAX, type PageRoom } from './column-values.ts';
import { openParquet } from './parquet-file.ts';
import type { Answer, Batch, ParquetRequest } from './parquet-rows.ts';
import { columnText } from './value-text.ts';

/** A batch has so many rows or bytes. */
const BATCH_ROWS = 8192;
const BATCH_BYTES = 1024 * 1024;

const { file, wanted } = workerData as ParquetRequest;

function* batches(): Generator<Answer> {
  const { columns, groups } = openParquet(file, wanted);
  const texts = columns.map(({ element }) => columnText(file.path, element));
  yield { columns: columns.map(({ name }) => name) };
  const bytes = new ByteText(2 * PAGES_BYTES_MAX);
  const kinds = new Uint8Array(BATCH_ROWS * columns.length);
  const ends = new Uint32Array(BATCH_ROWS * columns.length);
  let rowsBefore = 0;
  for (const [index, { rows, chunks }] of groups.entries()) {
    const room: PageRoom = { used: 0 };
    const values = chunks.map((chunk, i) => new ColumnValues(file, chunk, columns[i], rows, room));
    let count = 0;
    const batch = (row: number): Batch => {
      const cells = count * columns.length;
      const read = values.reduce((sum, column) => sum + column.bytesRead, 0);
      const made = {
        ...{ group: index + 1, firstRow: rowsBefore + row + 2 - count, count, read },
        // A copy: a message takes along all the memory that a Buffer is a part of, of a long row before, too.
        bytes: new Uint8Array(bytes.bytes.subarray(0, bytes.length)),
        kinds: kinds.slice(0, cells),
        ends: ends.slice(0, cells),
      };
      bytes.length = 0;
      count = 0;
      return made;
    };
    for (let row = 0; row < rows; row++) {
      let cell = count * columns.length;
      for (let i = 0; i < columns.length; i++, cell++) {
        kinds[cell] = append(bytes, values[i].next(), texts[i]);
        ends[cell] = bytes.length;
      }
      count++;
      if (count === BATCH_ROWS || bytes.length >= BATCH_BYTES) yield batch(row);
    }
    if (count > 0) yield batch(rows - 1);
    for (const column of values) column.close();
    rowsBefore += rows;
  }
}

function append(
  bytes: ByteText,
  value: unknown,
  { kind, text }: ReturnType<typeof columnText>,
): number {
  if (value === null) return KIND.null;
  const found = text(value);
  if (typeof found !== 'string') {
    bytes.append(found, 0, found.length);
    return kind;
  }
  for (let i = 0; i < found.length; i++) bytes.appendByte(found.charCodeAt(i));
  // JSON has no such numbers.
  return found === 'NaN' || found.endsWith('Infinity') ? KIND.text : kind;
}

const source = batches();
// One batch for each message, so that memory holds few of them.
parentPort!.on('message', () => {
  try {
    const { done, value } = source.next();
    parentPort!.postMessage(done === true ? {} : value);
  } catch (error) {
    const isOwn = error instanceof GoromdbError;
    const code = isOwn ? error.code : 'DATA_CORRUPT';
    const message = isOwn ? error.message : `${file.path}: ${messageOf(error)}`;
    parentPort!.postMessage({ fault: { code, message } } satisfies Answer);
  }
});
