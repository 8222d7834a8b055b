import { GoromdbError } from '../../common/errors.ts';
import { CsvScanner } from './csv-scanner.ts';
import { BadRow, type Cells, type RowSink } from './row.ts';

/** Excel's first line that names the delimiter. */
const SEPARATOR = 'sep=';

/**
 * Hands on the rows of CSV or TSV, whose first line names the columns. Cells are bytes as in the file.
 *
 * @param path For messages.
 * @param delimiter One ASCII character.
 * @throws GoromdbError DATA_CORRUPT for a wrong quote, without a first line, or when a name comes twice;
 *   LIMIT_EXCEEDED; what `sink` and `chunks` throw.
 */
export async function csvRows(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  delimiter: string,
  sink: RowSink,
): Promise<void> {
  let columns: readonly string[] | undefined;
  const onRow = (cells: Cells): void => {
    if (columns === undefined) {
      const separator = separatorOf(cells);
      if (separator !== undefined) {
        if (separator !== '') scanner.delimiter = separator;
        return;
      }
      columns = namesOf(path, cells);
      sink.begin(columns);
    } else if (cells.count === columns.length) {
      sink.row(cells);
    } else {
      const expected = `expected ${columns.length} columns as in the first line`;
      sink.bad(cells.line, new BadRow(`${expected}, found ${cells.count}`));
    }
  };
  const onBad = (line: number, why: BadRow): void => {
    if (columns === undefined) {
      throw new GoromdbError('DATA_CORRUPT', `${path}: line ${line}: ${why.message}`);
    }
    sink.bad(line, why);
  };
  const scanner = new CsvScanner(path, delimiter, { onRow, onBad });
  for await (const chunk of chunks) scanner.push(chunk);
  scanner.end();
  if (columns !== undefined) return;
  throw new GoromdbError('DATA_CORRUPT', `${path}: expected a line of column names, found none`);
}

/** @returns The delimiter; empty when it is the one at hand; undefined for any other line. */
function separatorOf(cells: Cells): string | undefined {
  const first = textOf(cells, 0);
  if (cells.line !== 1 || !first.startsWith(SEPARATOR)) return undefined;
  const rest = first.slice(SEPARATOR.length);
  if (cells.count === 2 && rest === '' && textOf(cells, 1) === '') return '';
  return cells.count === 1 && /^[\x20-\x7e\t]$/.test(rest) && rest !== '"' ? rest : undefined;
}

function textOf({ bytes, starts, ends }: Cells, i: number): string {
  return bytes.toString('utf8', starts[i], ends[i]);
}

function namesOf(path: string, cells: Cells): readonly string[] {
  const names = Array.from({ length: cells.count }, (_, i) => textOf(cells, i));
  const places = new Map(names.map((name, place) => [name, place]));
  if (places.size === names.length) return names;
  const twice = names.find((name, place) => places.get(name) !== place);
  const where = `${path}: line ${cells.line}`;
  const message = `${where}: expected each column once, found ${JSON.stringify(twice)} twice`;
  throw new GoromdbError('DATA_CORRUPT', message);
}
