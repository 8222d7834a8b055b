import { GoromdbError, messageOf } from '../common/errors.ts';
import { BadRow, type Cell, type OnBadRow, ROW_BYTES_MAX, type Row } from './row.ts';

const LF = 0x0a;

/**
 * The rows of JSON Lines: on each line an object with any fields. Empty lines are passed over.
 *
 * @throws GoromdbError LIMIT_EXCEEDED for a line above ROW_BYTES_MAX; what `onBad` and `chunks` throw.
 */
export async function* jsonRows(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  onBad: OnBadRow,
): AsyncGenerator<Row> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 0;
  for await (const bytes of linesOf(path, chunks)) {
    line++;
    let row: Row | undefined;
    try {
      row = rowOf(decoder.decode(bytes), line);
    } catch (error) {
      onBad(line, messageOf(error));
    }
    if (row !== undefined) yield row;
  }
}

async function* linesOf(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  let line = 1;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      const rest = chunk.subarray(start, end);
      yield pieces.length === 0 ? rest : Buffer.concat([...pieces, rest]);
      pieces = [];
      bytes = 0;
      line++;
      start = end + 1;
    }
    bytes += chunk.length - start;
    if (bytes > ROW_BYTES_MAX) {
      const message = `${path}: line ${line}: expected at most ${ROW_BYTES_MAX} bytes, found more`;
      throw new GoromdbError('LIMIT_EXCEEDED', message);
    }
    // The chunk is lent until the next one.
    if (start < chunk.length) pieces.push(Buffer.from(chunk.subarray(start)));
  }
  if (bytes > 0) yield Buffer.concat(pieces);
}

/** @returns undefined for an empty line. @throws SyntaxError, BadRow. */
function rowOf(text: string, line: number): Row | undefined {
  if (text.trim() === '') return undefined;
  // Only a number of so many digits may be one that a double cannot hold.
  const fields: unknown = JSON.parse(text, /\d{16}/.test(text) ? refuseInexact : undefined);
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new BadRow('expected an object');
  }
  const cells = fields as Readonly<Record<string, Cell>>;
  return {
    line,
    columns: Object.keys(cells),
    cell: (column) => (Object.hasOwn(cells, column) ? cells[column] : undefined),
  };
}

function refuseInexact(name: string, value: unknown): unknown {
  if (typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value)) {
    return value;
  }
  const where = `the number in ${JSON.stringify(name)}`;
  throw new BadRow(`${where} is beyond 2^53 - 1, so its digits would change: put it in quotes`);
}
