/** What belongs in this folder: the rows of CSV, TSV and JSON Lines, and the records that rows become. */

/** Longest row in bytes (128 MiB). */
export const ROW_BYTES_MAX = 128 * 1024 * 1024;

/** Most columns of a row: as many as a spreadsheet has. */
export const COLUMNS_MAX = 16_384;

/** What a cell holds. */
export const KIND = {
  /** The row has no such column. */
  none: 0,
  /** Bytes as in the file. */
  text: 1,
  /** What is between the quotes of a JSON string, UTF-8 and without escapes. */
  string: 2,
  /** The same with escapes. */
  escaped: 3,
  /** A number, or true or false, as JSON writes them. */
  literal: 4,
  null: 5,
  /** An object or an array of JSON. */
  json: 6,
  /** A number, or true or false, in the one text that it has, in JSON too. */
  scalar: 7,
} as const;

/**
 * The cells of one row, as stretches of memory. One object is reused for all rows: it is valid until the
 * next row is read.
 */
export class Cells {
  bytes: Buffer = Buffer.alloc(0);
  /** The line of the text at which the row begins, or the row of the file; from 1. */
  line = 0;
  /** The row group of Parquet, from 1; 0: the row is a line of a text. */
  group = 0;
  count = 0;
  kinds = new Uint8Array(64);
  starts = new Uint32Array(64);
  ends = new Uint32Array(64);

  /** @param count At most COLUMNS_MAX cells and one. */
  reserve(count: number): void {
    if (count <= this.kinds.length) return;
    const size = Math.max(count, Math.min(2 * this.kinds.length, COLUMNS_MAX + 1));
    const { kinds, starts, ends } = this;
    this.kinds = new Uint8Array(size);
    this.starts = new Uint32Array(size);
    this.ends = new Uint32Array(size);
    this.kinds.set(kinds);
    this.starts.set(starts);
    this.ends.set(ends);
  }
}

/** A row that cannot become a record, and why. */
export class BadRow extends Error {
  override readonly name = 'BadRow';
  readonly column: string | undefined;

  constructor(why: string, column?: string) {
    super(why);
    this.column = column;
  }
}

/** Takes the rows of an input. */
export interface RowSink {
  /**
   * Called once, before the first row.
   *
   * @param columns The names of the cells of each row.
   * @throws GoromdbError DATA_CORRUPT when one is missing.
   */
  begin(columns: readonly string[]): void;
  /** Called with each row. */
  row(cells: Cells): void;
  /** Called with each line that cannot be read. @throws GoromdbError to end the build. */
  bad(line: number, why: BadRow): void;
}
