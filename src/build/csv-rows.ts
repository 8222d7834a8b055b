import { pipeline, Readable } from 'node:stream';
import { CsvError, type Info, parse } from 'csv-parse';
import { GoromdbError } from '../common/errors.ts';
import { type OnBadRow, ROW_BYTES_MAX, type Row } from './row.ts';

/** A record as the parser hands it on. */
interface Parsed {
  readonly record: readonly Buffer[];
  readonly info: Info;
}

/**
 * The rows of CSV or TSV (RFC 4180), whose first line names the columns. Cells are bytes as they stand
 * in the file. A byte order mark is passed over, as are empty lines.
 *
 * @param path For messages.
 * @throws GoromdbError DATA_CORRUPT for a wrong quote, without a first line, or when a name comes twice; what `onBad` and
 *   `chunks` throw.
 */
export async function* csvRows(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  delimiter: string,
  onBad: OnBadRow,
): AsyncGenerator<Row> {
  let columns: readonly string[] | undefined;
  let places = new Map<string, number>();
  for await (const { record, info } of parsed(path, chunks, delimiter)) {
    const line = info.lines;
    if (columns === undefined) {
      columns = record.map((name) => name.toString());
      places = placesOf(path, columns);
    } else if (record.length === columns.length) {
      const cell = (column: string): Buffer | undefined => record[places.get(column) ?? -1];
      yield { line, columns, cell };
    } else {
      onBad(
        line,
        `expected ${columns.length} columns as in the first line, found ${record.length}`,
      );
    }
  }
  if (columns !== undefined) return;
  throw new GoromdbError('DATA_CORRUPT', `${path}: expected a line of column names, found none`);
}

/** A wrong quote ends the build: where the next row begins is not known then. */
async function* parsed(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  delimiter: string,
): AsyncGenerator<Parsed> {
  const parser = parse({
    bom: true,
    delimiter,
    encoding: null,
    info: true,
    max_record_size: ROW_BYTES_MAX,
    relax_column_count: true,
    skip_empty_lines: true,
  });
  const source = Readable.from(copies(chunks), { objectMode: false });
  // What fails is thrown by the reading end, too.
  pipeline(source, parser, () => {});
  try {
    yield* parser as AsyncIterable<Parsed>;
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new GoromdbError('DATA_CORRUPT', `${path}: ${cause.message}`, { cause });
  } finally {
    source.destroy();
  }
}

/** A chunk is lent until the next one, and the parser keeps what it has not read. */
async function* copies(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk);
}

function placesOf(path: string, columns: readonly string[]): Map<string, number> {
  const places = new Map(columns.map((name, place) => [name, place]));
  if (places.size === columns.length) return places;
  const twice = columns.find((name, place) => places.get(name) !== place);
  const message = `${path}: line 1: expected each column once, found ${JSON.stringify(twice)} twice`;
  throw new GoromdbError('DATA_CORRUPT', message);
}
