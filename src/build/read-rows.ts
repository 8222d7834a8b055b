import { closeSync } from 'node:fs';
import { GoromdbError } from '../common/errors.ts';
import { unpack } from '../loader/worker/unpack.ts';
import { recognise } from '../storage/formats/recognise.ts';
import { readBytes } from '../storage/scanners/byte-source.ts';
import { type Reading, STANDARD_INPUT, withFile } from './inputs.ts';
import { parquetRows } from './parquet/parquet-rows.ts';
import { csvRows } from './rows/csv-rows.ts';
import { jsonRows } from './rows/json-rows.ts';
import type { RowSink } from './rows/row.ts';
import { columnsOf, isWholeRow, type RowLayout } from './rows/row-record.ts';
import { type Chunks, utf8Of } from './rows/text.ts';
import { standardInput } from './standard-input.ts';

/** How the rows of an input lie in it. */
export type RowFormat = 'csv' | 'tsv' | 'jsonl' | 'parquet';

/** Which rows are read. */
export interface RowsRequest {
  readonly layout: RowLayout;
  /** undefined: as the name of the file ends. */
  readonly format: RowFormat | undefined;
  /** Of CSV; undefined: a comma. */
  readonly delimiter: string | undefined;
}

/** Makes what takes the rows. @param whole The cell that is the whole row as JSON, if there is one. */
type MakeSink = (whole: number | undefined) => RowSink;

/**
 * Hands on each row of a file or of standard input, decompressed when it is gzip or zstd.
 *
 * @throws GoromdbError DATA_CORRUPT, FORMAT_UNKNOWN, LIMIT_EXCEEDED, FILE_UNREADABLE; what the sink
 *   throws.
 */
export async function readRows(
  path: string,
  request: RowsRequest,
  reading: Reading,
  makeSink: MakeSink,
): Promise<void> {
  const format = request.format ?? formatOfName(path);
  if (format === 'parquet') return readParquet(path, request, reading, makeSink);
  const { onProgress, scratchDir } = reading;
  const readAll = (chunks: Chunks): Promise<void> => {
    return readText(path, format, request, utf8Of(path, chunks), makeSink);
  };
  if (path === STANDARD_INPUT) return readAll(standardInput(onProgress));
  await withFile(path, async (input) => {
    const { packing } = recognise(input);
    if (packing !== 'zstd') {
      return readAll(readBytes(input, { gzipped: packing === 'gzip', onProgress }));
    }
    const unpacked = await unpack(input, packing, scratchDir, onProgress);
    try {
      await readAll(readBytes(unpacked, { gzipped: false }));
    } finally {
      closeSync(unpacked.fd);
    }
  });
}

async function readParquet(
  path: string,
  { layout }: RowsRequest,
  { scratchDir, onProgress }: Reading,
  makeSink: MakeSink,
): Promise<void> {
  if (path === STANDARD_INPUT) {
    const message = 'Parquet is read from its end: expected a file, found standard input';
    throw new GoromdbError('OPTION_INVALID', message);
  }
  const wanted = isWholeRow(layout) ? undefined : columnsOf(layout);
  await withFile(path, async (input) => {
    const { packing } = recognise(input);
    if (packing === undefined) return parquetRows(input, wanted, onProgress, makeSink(undefined));
    const unpacked = await unpack(input, packing, scratchDir, onProgress);
    try {
      await parquetRows(unpacked, wanted, () => onProgress(input.size), makeSink(undefined));
    } finally {
      closeSync(unpacked.fd);
    }
  });
}

async function readText(
  path: string,
  format: Exclude<RowFormat, 'parquet'>,
  { layout, delimiter }: RowsRequest,
  chunks: Chunks,
  makeSink: MakeSink,
): Promise<void> {
  if (format === 'jsonl') {
    const columns = columnsOf(layout);
    return jsonRows(
      path,
      chunks,
      columns,
      makeSink(isWholeRow(layout) ? columns.length : undefined),
    );
  }
  return csvRows(path, chunks, format === 'tsv' ? '\t' : (delimiter ?? ','), makeSink(undefined));
}

function formatOfName(path: string): RowFormat {
  if (path === STANDARD_INPUT) return 'jsonl';
  const ending = /\.(csv|tsv|jsonl|ndjson|parquet)(?:\.(?:gz|zst))?$/i
    .exec(path)?.[1]
    .toLowerCase();
  if (ending === 'csv' || ending === 'tsv' || ending === 'parquet') return ending;
  if (ending !== undefined) return 'jsonl';
  const message = `${path}: expected a name in .csv, .tsv, .jsonl, .ndjson or .parquet, or -rows to say which it is`;
  throw new GoromdbError('OPTION_INVALID', message);
}
