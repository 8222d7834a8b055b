/** A row of a table as producers have them: a line of CSV or TSV, or an object of JSON Lines. */

/** Longest row in bytes (128 MiB). */
export const ROW_BYTES_MAX = 128 * 1024 * 1024;

/** What a column of a row holds: bytes in CSV and TSV, and what JSON has in JSON Lines. */
export type Cell = Buffer | string | number | boolean | null | object;

export interface Row {
  /** Of the text, from 1. */
  readonly line: number;
  /** In the order of the row. */
  readonly columns: readonly string[];
  /** undefined: the row has no such column. */
  cell(column: string): Cell | undefined;
}

/** A row that cannot become a record, and why. */
export class BadRow extends Error {
  override readonly name = 'BadRow';
}

/** Called with each row that cannot be read. @throws to end the build. */
export type OnBadRow = (line: number, why: string) => void;
