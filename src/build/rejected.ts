import { closeSync, openSync, writeSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { GoromdbError } from '../common/errors.ts';
import { remove } from '../common/files.ts';
import { cannotWrite } from '../storage/table/table-writer.ts';
import { temporaryFor } from './output.ts';

/** Bad rows that are kept for the report; the file has all. */
const REPORTED_MAX = 100;

/** A row that was left out. */
export interface RejectedRow {
  readonly file: string;
  /** Of a text, from 1. */
  readonly line?: number;
  /** Of Parquet, both from 1; the row is that of the file. */
  readonly rowGroup?: number;
  readonly row?: number;
  readonly column?: string;
  readonly why: string;
}

/** Counts the rows that are left out, and writes them to `<OUT>.rejected.jsonl`. */
export class Rejected {
  readonly #path: string;
  readonly #temporary: string;
  readonly #max: number;
  readonly #first: RejectedRow[] = [];
  #count = 0;
  #fd: number | undefined;

  /** @param max How many rows may be left out. */
  constructor(out: string, max: number) {
    this.#path = `${out}.rejected.jsonl`;
    this.#temporary = temporaryFor(this.#path);
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  /** The first hundred. */
  get first(): readonly RejectedRow[] {
    return this.#first;
  }

  /** @throws GoromdbError DATA_CORRUPT when it is one too many; DISK_FULL, FOLDER_UNUSABLE. */
  add(row: RejectedRow): void {
    this.#count++;
    if (this.#count > this.#max) {
      const allowed = this.#max === 0 ? '' : `; -skip-bad allows ${this.#max} bad rows`;
      const message = `${describeRow(row)}${allowed}`;
      throw new GoromdbError('DATA_CORRUPT', message);
    }
    if (this.#first.length < REPORTED_MAX) this.#first.push(row);
    try {
      this.#fd ??= openSync(this.#temporary, 'wx');
      writeAll(this.#fd, Buffer.from(`${JSON.stringify(row)}\n`));
    } catch (cause) {
      throw cannotWrite(this.#path, cause);
    }
  }

  /** Gives the file its name; without bad rows there is none, and an old one goes. */
  async keep(): Promise<void> {
    if (this.#fd === undefined) return remove(this.#path);
    await rename(this.#temporary, this.#path);
  }

  /** Safe whatever happened. A file that was not kept goes. */
  async close(): Promise<void> {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    await remove(this.#temporary);
  }
}

/** A disk that is nearly full takes a part. */
function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}

/** A row and what is wrong with it, for people. */
export function describeRow({ file, column, why, ...place }: RejectedRow): string {
  const where = column === undefined ? '' : `column ${JSON.stringify(column)}: `;
  return `${file}: ${describePlace(place)}: ${where}${why}`;
}

/** Where a row is in its file. */
export function describePlace({
  line,
  rowGroup,
  row,
}: Pick<RejectedRow, 'line' | 'rowGroup' | 'row'>): string {
  return line === undefined ? `row ${row} (row group ${rowGroup})` : `line ${line}`;
}
