import { KEY_BYTES_MAX, type RecordSink } from '../storage/scanners/scanner.ts';
import { BadRow, type Cell, type Row } from './row.ts';

/** Largest value of memcached's client flags. */
const FLAGS_MAX = 0xffff_ffff;

/** Which columns of a row become its record. */
export interface RowLayout {
  /** Several make one key, with the delimiter between them. */
  readonly key: readonly string[];
  readonly keyDelimiter: string;
  /** undefined: the value is the row as JSON. */
  readonly value: string | undefined;
  /** The columns that are in the JSON; undefined: all. */
  readonly json: readonly string[] | undefined;
  readonly flags: string | undefined;
}

/** Adds the record of a row. @throws BadRow. */
export function addRow(row: Row, layout: RowLayout, prefix: string, sink: RecordSink): void {
  const key = keyOf(row, layout, prefix);
  const value =
    layout.value === undefined ? jsonOf(row, layout.json) : bytesOf(cellOf(row, layout.value));
  sink.add(key, 0, key.length, value, 0, value.length, flagsOf(row, layout.flags));
}

function keyOf(row: Row, { key, keyDelimiter }: RowLayout, prefix: string): Buffer {
  const parts: Buffer[] = [Buffer.from(prefix)];
  for (const [place, column] of key.entries()) {
    const cell = cellOf(row, column);
    const isText = Buffer.isBuffer(cell) || (typeof cell !== 'object' && cell !== '');
    if (!isText || (Buffer.isBuffer(cell) && cell.length === 0)) {
      const found = cell === null ? 'null' : isNothing(cell) ? 'nothing' : 'an object or a list';
      throw new BadRow(`column ${JSON.stringify(column)}: expected a key, found ${found}`);
    }
    if (place > 0) parts.push(Buffer.from(keyDelimiter));
    parts.push(bytesOf(cell));
  }
  const bytes = Buffer.concat(parts);
  if (bytes.length <= KEY_BYTES_MAX) return bytes;
  throw new BadRow(`expected a key of at most ${KEY_BYTES_MAX} bytes, found ${bytes.length}`);
}

function isNothing(cell: Cell): boolean {
  return cell === '' || Buffer.isBuffer(cell);
}

function cellOf(row: Row, column: string): Cell {
  const cell = row.cell(column);
  if (cell !== undefined) return cell;
  throw new BadRow(`expected a column ${JSON.stringify(column)}, found none`);
}

/** The one text of a cell: null is empty, and what is no scalar is its JSON. */
function bytesOf(cell: Cell): Buffer {
  if (Buffer.isBuffer(cell)) return cell;
  if (cell === null) return Buffer.alloc(0);
  return Buffer.from(typeof cell === 'object' ? JSON.stringify(cell) : String(cell));
}

function jsonOf(row: Row, columns: readonly string[] = row.columns): Buffer {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const members = columns.map((column) => {
    const cell = cellOf(row, column);
    try {
      const value = Buffer.isBuffer(cell) ? decoder.decode(cell) : cell;
      return `${JSON.stringify(column)}:${JSON.stringify(value)}`;
    } catch {
      throw new BadRow(`column ${JSON.stringify(column)}: expected UTF-8 for JSON`);
    }
  });
  return Buffer.from(`{${members.join(',')}}`);
}

function flagsOf(row: Row, column: string | undefined): number {
  if (column === undefined) return 0;
  const text = bytesOf(cellOf(row, column)).toString();
  if (/^\d{1,10}$/.test(text) && Number(text) <= FLAGS_MAX) return Number(text);
  const found = JSON.stringify(text.slice(0, 40));
  throw new BadRow(
    `column ${JSON.stringify(column)}: expected flags from 0 to ${FLAGS_MAX}, found ${found}`,
  );
}
