import { readSync } from 'node:fs';
import {
  type ColumnMetaData,
  type FileMetaData,
  parquetMetadata,
  type SchemaElement,
} from 'hyparquet';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { printable } from '../../storage/scanners/name-list.ts';
import { COLUMNS_MAX } from '../rows/row.ts';
import { missingColumn } from '../rows/row-record.ts';
import { endOfThrift, ThriftFault } from './thrift.ts';

/** Longest footer in bytes (64 MiB). */
const FOOTER_BYTES_MAX = 64 * 1024 * 1024;
/** The footer's length and the magic, at the end of the file. */
const TAIL_BYTES = 8;
const MAGIC = 'PAR1';
const ENCRYPTED_MAGIC = 'PARE';

/** An open file. */
export interface OpenFile {
  readonly path: string;
  readonly fd: number;
  readonly size: number;
}

/** A column of one value for each row. */
export interface FlatColumn {
  readonly name: string;
  readonly element: SchemaElement;
}

interface ParquetGroup {
  readonly rows: number;
  /** Of each column that is read, in that order. */
  readonly chunks: readonly ColumnMetaData[];
}

export interface ParquetFile {
  readonly columns: readonly FlatColumn[];
  readonly groups: readonly ParquetGroup[];
}

/**
 * Reads what a Parquet file says of itself, and checks what is used of it.
 *
 * @param wanted The columns to read; undefined: all.
 * @throws GoromdbError FORMAT_UNKNOWN, FORMAT_UNSUPPORTED, DATA_CORRUPT, LIMIT_EXCEEDED.
 */
export function openParquet(file: OpenFile, wanted: readonly string[] | undefined): ParquetFile {
  const metadata = readFooter(file);
  try {
    const columns = columnsOf(file.path, metadata, wanted);
    return { columns, groups: metadata.row_groups.map((group) => groupOf(file, group, columns)) };
  } catch (cause) {
    if (cause instanceof GoromdbError) throw cause;
    throw corrupt(file.path, `the footer is damaged: ${messageOf(cause)}`, cause);
  }
}

export function corrupt(path: string, message: string, cause?: unknown): GoromdbError {
  return new GoromdbError('DATA_CORRUPT', `${path}: ${message}`, { cause });
}

/** Reads from a file. @throws GoromdbError DATA_CORRUPT when it ends before. */
export function readExactly({ path, fd }: OpenFile, position: number, bytes: number): Buffer {
  // A page's numbers are read in place, so they must lie at even addresses.
  const target = Buffer.from(new ArrayBuffer(bytes));
  for (let done = 0; done < bytes; ) {
    const count = readSync(fd, target, done, bytes - done, position + done);
    if (count === 0) throw corrupt(path, `expected more than ${position + done} bytes, found none`);
    done += count;
  }
  return target;
}

function readFooter(file: OpenFile): FileMetaData {
  const { path, size } = file;
  if (size < TAIL_BYTES + 4) throw corrupt(path, `expected a Parquet file, found ${size} bytes`);
  const tail = readExactly(file, size - TAIL_BYTES, TAIL_BYTES);
  const magic = tail.toString('latin1', 4);
  if (magic === ENCRYPTED_MAGIC) {
    throw new GoromdbError('FORMAT_UNSUPPORTED', `${path}: encrypted Parquet is not read`);
  }
  if (magic !== MAGIC) {
    const message = `${path}: expected Parquet's ${MAGIC} at the end, found ${printable(magic)}`;
    throw new GoromdbError('FORMAT_UNKNOWN', message);
  }
  const bytes = tail.readUInt32LE(0);
  if (bytes > FOOTER_BYTES_MAX) {
    const message = `${path}: expected a footer of at most ${FOOTER_BYTES_MAX} bytes, found ${bytes}`;
    throw new GoromdbError('LIMIT_EXCEEDED', message);
  }
  if (bytes > size - TAIL_BYTES - 4) {
    throw corrupt(path, `expected a footer inside of the file, found one of ${bytes} bytes`);
  }
  const footer = readExactly(file, size - TAIL_BYTES - bytes, bytes + TAIL_BYTES);
  try {
    endOfThrift(footer.subarray(0, bytes), 0);
    return parquetMetadata(footer, { parsers: NO_STATISTICS, geoparquet: false });
  } catch (cause) {
    const found = cause instanceof ThriftFault ? `found ${cause.message}` : messageOf(cause);
    throw corrupt(path, `the footer is damaged: ${found}`, cause);
  }
}

/** Statistics are not used, and may be damaged. */
const NO_STATISTICS = {
  stringFromBytes: () => '',
  dateFromDays: () => 0,
  timestampFromMilliseconds: () => 0,
  timestampFromMicroseconds: () => 0,
  timestampFromNanoseconds: () => 0,
};

function columnsOf(
  path: string,
  { schema }: FileMetaData,
  wanted: readonly string[] | undefined,
): readonly FlatColumn[] {
  const columns = new Map<string, FlatColumn | undefined>();
  for (let at = 1; at < schema.length; at = endOfField(schema, at)) {
    const element = schema[at];
    const { name, num_children: children = 0 } = element;
    if (columns.has(name)) throw corrupt(path, `the column ${printable(name)} is there twice`);
    const isFlat =
      children === 0 && element.repetition_type !== 'REPEATED' && element.type !== undefined;
    columns.set(name, isFlat ? { name, element } : undefined);
    if (columns.size > COLUMNS_MAX) {
      const message = `${path}: expected at most ${COLUMNS_MAX} columns, found more`;
      throw new GoromdbError('LIMIT_EXCEEDED', message);
    }
  }
  const found: FlatColumn[] = [];
  for (const name of wanted ?? columns.keys()) {
    const column = columns.get(name);
    if (!columns.has(name)) throw missingColumn(path, name, [...columns.keys()]);
    if (column !== undefined) found.push(column);
    else {
      const message = `${path}: expected columns of one value a row, found the nested column ${printable(name)}: name others with -value or -value-json`;
      throw new GoromdbError('FORMAT_UNSUPPORTED', message);
    }
  }
  return found;
}

/** The schema is a tree, written parents first. */
function endOfField(schema: readonly SchemaElement[], start: number): number {
  let at = start;
  for (let left = 1; left > 0 && at < schema.length; at++)
    left += (schema[at].num_children ?? 0) - 1;
  return at;
}

function groupOf(
  { path, size }: OpenFile,
  { num_rows: count, columns }: FileMetaData['row_groups'][number],
  wanted: readonly FlatColumn[],
): ParquetGroup {
  const rows = numberOf(path, 'rows', count, Number.MAX_SAFE_INTEGER);
  const chunks = new Map<string, ColumnMetaData>();
  for (const { meta_data: chunk, file_path: other } of columns) {
    if (chunk?.path_in_schema.length !== 1) continue;
    if (other !== undefined)
      throw corrupt(path, `the values lie in another file, ${printable(other)}`);
    chunks.set(chunk.path_in_schema[0], chunk);
  }
  const found = wanted.map(({ name, element }) => {
    const chunk = chunks.get(name);
    if (chunk === undefined || chunk.type !== element.type) {
      throw corrupt(path, `expected values of the column ${printable(name)} in each row group`);
    }
    const start = startOf(chunk);
    const bytes = numberOf(path, 'bytes of a column', chunk.total_compressed_size, size);
    numberOf(path, 'offset of a column', start, size - bytes);
    return chunk;
  });
  return { rows, chunks: found };
}

/** Where the pages of a column begin: with the dictionary, if there is one. */
export function startOf({
  dictionary_page_offset: at,
  data_page_offset: data,
}: ColumnMetaData): bigint {
  return at !== undefined && at > 0n && at < data ? at : data;
}

function numberOf(path: string, what: string, value: unknown, max: number): number {
  if (typeof value === 'bigint' && value >= 0n && value <= BigInt(max)) return Number(value);
  throw corrupt(path, `expected the ${what} to be from 0 to ${max}, found ${String(value)}`);
}
