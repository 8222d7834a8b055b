import { GoromdbError } from '../../common/errors.ts';
import { NameList } from '../../storage/scanners/name-list.ts';
import { KEY_BYTES_MAX, type RecordSink } from '../../storage/scanners/scanner.ts';
import { ByteText } from './byte-text.ts';
import { appendCompact, appendString, withoutEscapes } from './json-text.ts';
import { numberText } from './number-text.ts';
import { BadRow, type Cells, KIND } from './row.ts';

/** Largest value of memcached's client flags. */
const FLAGS_MAX = 0xffff_ffff;

const NULL = Buffer.from('null');

/** Which columns of a row become its record. */
export interface RowLayout {
  /** Several make one key, with the delimiter between them. */
  readonly key: readonly string[];
  /** Default: `:`. */
  readonly keyDelimiter?: string | undefined;
  /** Default: the value is the row as JSON. */
  readonly value?: string | undefined;
  /** The columns that are in the JSON. Default: all. */
  readonly json?: readonly string[] | undefined;
  /** The column of the client flags. Default: they are 0. */
  readonly flags?: string | undefined;
}

/** The columns that a layout names. */
export function columnsOf({ key, value, json, flags }: RowLayout): readonly string[] {
  const names = [...key, value, ...(value === undefined ? (json ?? []) : []), flags];
  return [...new Set(names.filter((name) => name !== undefined))];
}

/** Whether the value is the whole row as JSON. */
export function isWholeRow({ value, json }: RowLayout): boolean {
  return value === undefined && json === undefined;
}

/** A member of the JSON that becomes a value. */
interface Member {
  readonly cell: number;
  readonly column: string;
  /** What comes before its value. */
  readonly head: Buffer;
}

/** Makes records of the rows of one input. */
export class RowRecords {
  readonly #sink: RecordSink;
  readonly #columns: readonly string[];
  readonly #key: readonly number[];
  readonly #keyDelimiter: Buffer;
  readonly #prefix: Buffer;
  /** The cell that is the value; undefined: the value is JSON of the members. */
  readonly #value: number | undefined;
  readonly #members: readonly Member[];
  readonly #flags: number | undefined;
  readonly #keyText = new ByteText(KEY_BYTES_MAX + 1);
  readonly #valueText: ByteText;

  /**
   * @param path For messages.
   * @param columns The names of the cells of each row.
   * @param whole The cell that is the whole row as JSON; undefined: it is made of the columns.
   * @throws GoromdbError DATA_CORRUPT when a column of the layout is missing.
   */
  constructor(
    path: string,
    columns: readonly string[],
    whole: number | undefined,
    layout: RowLayout,
    { prefix, valueBytesMax, sink }: { prefix: string; valueBytesMax: number; sink: RecordSink },
  ) {
    const places = new Map(columns.map((name, place) => [name, place]));
    const placeOf = (column: string): number => {
      const place = places.get(column);
      if (place === undefined) throw missingColumn(path, column, columns);
      return place;
    };
    this.#sink = sink;
    this.#columns = columns;
    this.#key = layout.key.map(placeOf);
    this.#keyDelimiter = Buffer.from(layout.keyDelimiter ?? ':');
    this.#prefix = Buffer.from(prefix);
    this.#value = layout.value === undefined ? undefined : placeOf(layout.value);
    if (isWholeRow(layout)) this.#value = whole;
    this.#members = this.#value === undefined ? membersOf(layout.json ?? columns, placeOf) : [];
    this.#flags = layout.flags === undefined ? undefined : placeOf(layout.flags);
    this.#valueText = new ByteText(valueBytesMax);
  }

  /** Adds the record of a row. @throws BadRow; GoromdbError as the sink's `add`. */
  add(cells: Cells): void {
    const flags = this.#flags === undefined ? 0 : this.#flagsOf(cells, this.#flags);
    const value = this.#value;
    if (value === undefined) this.#makeJson(cells);
    const isLent = value !== undefined && this.#isLent(cells, value);
    if (value !== undefined && !isLent) this.#makeText(cells, value);
    const text = this.#valueText;
    const bytes = isLent ? cells.bytes : text.bytes;
    const start = isLent ? cells.starts[value] : 0;
    const end = isLent ? cells.ends[value] : text.length;
    const [key] = this.#key;
    if (this.#key.length === 1 && this.#prefix.length === 0 && isBytes(cells.kinds[key])) {
      const keyStart = cells.starts[key];
      const keyEnd = cells.ends[key];
      this.#checkKey(keyEnd - keyStart, key);
      this.#sink.add(cells.bytes, keyStart, keyEnd, bytes, start, end, flags);
      return;
    }
    this.#makeKey(cells);
    this.#sink.add(this.#keyText.bytes, 0, this.#keyText.length, bytes, start, end, flags);
  }

  /** Whether the bytes of a cell are its text. */
  #isLent(cells: Cells, cell: number): boolean {
    if (cells.kinds[cell] === KIND.none) throw this.#none(cell);
    return isBytes(cells.kinds[cell]);
  }

  #checkKey(bytes: number, cell: number): void {
    if (bytes === 0) throw new BadRow('expected a key, found nothing', this.#columns[cell]);
    if (bytes <= KEY_BYTES_MAX) return;
    const why = `expected a key of at most ${KEY_BYTES_MAX} bytes, found more`;
    throw new BadRow(why, this.#columns[cell]);
  }

  #makeKey(cells: Cells): void {
    const text = this.#keyText;
    text.length = 0;
    this.#appendKey(this.#prefix, 0, this.#prefix.length);
    for (let i = 0; i < this.#key.length; i++) {
      const cell = this.#key[i];
      if (i > 0) this.#appendKey(this.#keyDelimiter, 0, this.#keyDelimiter.length);
      const kind = cells.kinds[cell];
      if (isBytes(kind)) {
        this.#checkKey(cells.ends[cell] - cells.starts[cell], cell);
        this.#appendKey(cells.bytes, cells.starts[cell], cells.ends[cell]);
        continue;
      }
      if (kind === KIND.none) throw this.#none(cell);
      if (kind === KIND.null || kind === KIND.json) {
        const found = kind === KIND.null ? 'null' : 'an object or a list';
        throw new BadRow(`expected a key, found ${found}`, this.#columns[cell]);
      }
      const part = this.#textOf(cells, cell);
      this.#checkKey(part.length, cell);
      this.#appendKey(part, 0, part.length);
    }
  }

  #appendKey(bytes: Buffer, start: number, end: number): void {
    if (this.#keyText.length + end - start > KEY_BYTES_MAX) {
      throw new BadRow(`expected a key of at most ${KEY_BYTES_MAX} bytes, found more`);
    }
    this.#keyText.append(bytes, start, end);
  }

  /** The text of an escaped string or of a literal. */
  #textOf({ bytes, kinds, starts, ends }: Cells, cell: number): Buffer {
    if (kinds[cell] === KIND.escaped) return withoutEscapes(bytes, starts[cell], ends[cell]);
    try {
      return Buffer.from(numberText(bytes.toString('latin1', starts[cell], ends[cell])));
    } catch (error) {
      throw this.#inColumn(error, cell);
    }
  }

  #makeText(cells: Cells, cell: number): void {
    const text = this.#valueText;
    text.length = 0;
    const { bytes, kinds, starts, ends } = cells;
    if (kinds[cell] === KIND.null) return;
    if (kinds[cell] === KIND.json) {
      appendCompact(text, bytes, starts[cell], ends[cell]);
      return;
    }
    const value = this.#textOf(cells, cell);
    text.append(value, 0, value.length);
  }

  #makeJson(cells: Cells): void {
    const text = this.#valueText;
    text.length = 0;
    for (const { cell, head } of this.#members) {
      text.append(head, 0, head.length);
      try {
        this.#appendJson(text, cells, cell);
      } catch (error) {
        throw this.#inColumn(error, cell);
      }
    }
    if (this.#members.length === 0) text.appendByte(0x7b);
    text.appendByte(0x7d);
  }

  #appendJson(text: ByteText, { bytes, kinds, starts, ends }: Cells, cell: number): void {
    const start = starts[cell];
    const end = ends[cell];
    const kind = kinds[cell];
    if (kind === KIND.none) throw this.#none(cell);
    if (kind === KIND.text) appendString(text, bytes, start, end);
    else if (kind === KIND.null) text.append(NULL, 0, NULL.length);
    else if (kind === KIND.literal || kind === KIND.scalar) text.append(bytes, start, end);
    else if (kind === KIND.json) appendCompact(text, bytes, start, end);
    // Between its quotes a string stays as it is.
    else text.append(bytes, start - 1, end + 1);
  }

  #flagsOf(cells: Cells, cell: number): number {
    const kind = cells.kinds[cell];
    if (kind === KIND.none) throw this.#none(cell);
    const text = cells.bytes.toString(
      'latin1',
      cells.starts[cell],
      Math.min(cells.ends[cell], cells.starts[cell] + 40),
    );
    const isDecimal = kind !== KIND.null && /^\d{1,10}$/.test(text);
    if (isDecimal && Number(text) <= FLAGS_MAX) return Number(text);
    const found = kind === KIND.null ? 'null' : JSON.stringify(text);
    const why = `expected flags from 0 to ${FLAGS_MAX}, found ${found}`;
    throw new BadRow(why, this.#columns[cell]);
  }

  #none(cell: number): BadRow {
    return new BadRow('expected this column, found none', this.#columns[cell]);
  }

  #inColumn(error: unknown, cell: number): unknown {
    if (!(error instanceof BadRow) || error.column !== undefined) return error;
    return new BadRow(error.message, this.#columns[cell]);
  }
}

/** Whether the bytes of a cell of this kind are its text. */
function isBytes(kind: number): boolean {
  return kind === KIND.text || kind === KIND.string || kind === KIND.scalar;
}

function membersOf(
  columns: readonly string[],
  placeOf: (column: string) => number,
): readonly Member[] {
  return columns.map((column, i) => {
    const head = Buffer.from(`${i === 0 ? '{' : ','}${JSON.stringify(column)}:`);
    return { cell: placeOf(column), column, head };
  });
}

/** @param columns Those that are there. */
export function missingColumn(
  path: string,
  column: string,
  columns: readonly string[],
): GoromdbError {
  const list = new NameList();
  for (const name of columns) list.add(Buffer.from(name));
  const separator = columns.length === 1 ? /[;|\t,]/.exec(columns[0])?.[0] : undefined;
  const hint =
    separator === undefined ? '' : `: are its cells separated by ${JSON.stringify(separator)}?`;
  const message = `${path}: expected a column ${JSON.stringify(column)}, found ${list}${hint}`;
  return new GoromdbError('DATA_CORRUPT', message);
}
