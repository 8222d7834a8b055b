/**
 * What belongs in this folder: local files as a data set: they are prepared as a drop in a private
 * folder, and again when they change.
 */
import { existsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expandInputs } from '../../build/expand.ts';
import { STANDARD_INPUT } from '../../build/inputs.ts';
import { readRows } from '../../build/read-rows.ts';
import { misuse, type ValuesOf } from '../options/option.ts';
import { checkInputs, ROW_OPTIONS, type RowRequest, rowsOf } from '../options/rows.ts';
import { quoted } from '../process/shell-words.ts';

/** What is served of local files. */
export interface LocalData {
  /** As the person wrote them; `-` is standard input. */
  readonly inputs: readonly string[];
  /** How a table is built of them; undefined: it is one file, which the server reads as it is. */
  readonly rows: RowRequest | undefined;
}

/** What messages call the data: the first file, and how many others there are. */
export function titleOf({ inputs }: LocalData): string {
  const [first, ...others] = inputs;
  const name = first === STANDARD_INPUT ? 'standard input' : first;
  if (others.length === 0) return name;
  return `${name} and ${others.length === 1 ? '1 other' : `${others.length} others`}`;
}

/**
 * The data that a command line names: one file is left as it is, unless an option of rows is given.
 *
 * @throws GoromdbError OPTION_INVALID.
 */
export function localDataOf(
  inputs: readonly string[],
  values: ValuesOf<typeof ROW_OPTIONS>,
  given: ReadonlySet<string>,
): LocalData {
  checkInputs(inputs, 'a FILE');
  const rows = rowsOf(values, given);
  const isPlain = inputs.length === 1 && isFileName(inputs[0]);
  return {
    inputs,
    rows: isPlain && !Object.keys(ROW_OPTIONS).some((name) => given.has(name)) ? undefined : rows,
  };
}

/** Whether an input means itself: it is no folder, no pattern and not standard input. */
function isFileName(input: string): boolean {
  if (input === STANDARD_INPUT) return false;
  const found = statSync(input, { throwIfNoEntry: false });
  return found === undefined ? !/[*?[]/.test(input) : !found.isDirectory();
}

/** Names of files that have rows, whatever is in them. */
const ROWS_NAME = /\.(?:csv|tsv|parquet)(?:\.(?:gz|zst))?$/i;

/** Columns that a message names. */
const COLUMNS_SHOWN_MAX = 20;

/** @throws GoromdbError OPTION_INVALID when data has rows, and no column was named as their key. */
export async function checkKeyIsNamed({ inputs, rows }: LocalData): Promise<void> {
  if (rows?.rows !== undefined) return;
  // What is not there is said to be so by whoever reads it.
  const path = expandInputs(inputs).find((file) => ROWS_NAME.test(file) && existsSync(file));
  if (path === undefined) return;
  const columns = await columnsOf(path).catch(() => []);
  const found = columns.length === 0 ? '' : `; its columns are ${columns.map(quoted).join(', ')}`;
  throw misuse(`${path} has rows: expected -key COLUMN, the column that is the key${found}`);
}

/** The columns that the first line names. */
async function columnsOf(path: string): Promise<readonly string[]> {
  const enough = new Error('no row is needed');
  let found: readonly string[] = [];
  const begin = (columns: readonly string[]): void => {
    found = columns.slice(0, COLUMNS_SHOWN_MAX);
    throw enough;
  };
  const reading = { scratchDir: tmpdir(), onProgress: () => {} };
  const request = { layout: { key: [] }, format: undefined, delimiter: undefined };
  const sink = { begin, row: () => {}, bad: () => {} };
  await readRows(path, request, reading, () => sink).catch((error: unknown) => {
    if (error !== enough) throw error;
  });
  return found;
}
