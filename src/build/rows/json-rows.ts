import { isUtf8 } from 'node:buffer';
import { JsonRow } from './json-row.ts';
import { BadRow, Cells, type RowSink } from './row.ts';
import { RowBuffer } from './row-buffer.ts';

const LF = 0x0a;

/**
 * Hands on the rows of JSON Lines: on each line an object with any fields. Empty lines are passed over.
 *
 * @param columns The fields that are wanted; the cell behind them is the whole row.
 * @throws GoromdbError LIMIT_EXCEEDED; what `sink` and `chunks` throw.
 */
export async function jsonRows(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  columns: readonly string[],
  sink: RowSink,
): Promise<void> {
  const buffer = new RowBuffer(path);
  const row = new JsonRow(columns);
  const cells = new Cells();
  let line = 1;
  const take = (end: number, isChecked: boolean): void => {
    const { bytes, rowStart } = buffer;
    try {
      if (!isChecked && !isUtf8(bytes.subarray(rowStart, end))) throw new BadRow('expected UTF-8');
      cells.line = line;
      if (row.read(bytes, rowStart, end, cells)) sink.row(cells);
    } catch (error) {
      if (!(error instanceof BadRow)) throw error;
      sink.bad(line, error);
    }
    line++;
  };
  sink.begin(columns);
  for await (const chunk of chunks) {
    buffer.add(chunk, line);
    const last = buffer.bytes.lastIndexOf(LF, buffer.end - 1);
    // One look at many lines is faster than one at each.
    const isChecked = last >= buffer.rowStart && isUtf8(buffer.bytes.subarray(0, last));
    for (;;) {
      const end = buffer.bytes.indexOf(LF, Math.max(buffer.at, buffer.rowStart));
      if (end === -1 || end >= buffer.end) break;
      take(end, isChecked);
      buffer.rowStart = end + 1;
    }
    buffer.at = buffer.end;
  }
  if (buffer.rowStart < buffer.end) take(buffer.end, false);
}
