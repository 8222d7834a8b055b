import { lstatSync, statSync } from 'node:fs';
import process from 'node:process';
import { GoromdbError } from '../common/errors.ts';
import type { Notices } from '../common/notices.ts';
import { longestValue } from '../loader/worker/value-limit.ts';
import type { KeyCheck } from '../storage/scanners/key-check.ts';
import { KEY_BYTES_MAX, type RecordSink } from '../storage/scanners/scanner.ts';
import type { InputPlaces } from './input-places.ts';
import { type Reading, STANDARD_INPUT, scanRecords } from './inputs.ts';
import { type RowFormat, readRows } from './read-rows.ts';
import { describePlace, type Rejected, type RejectedRow } from './rejected.ts';
import { BadRow, type Cells, type RowSink } from './rows/row.ts';
import { type RowLayout, RowRecords } from './rows/row-record.ts';
import { scanStandardInput } from './standard-input.ts';

/** Which records are read, and from what. */
export interface RecordsRequest {
  /** Files, folders and patterns, in this order: see `expandInputs`; `-` is standard input. */
  readonly inputs: readonly string[];
  /** Default: files have a format that the server reads, and standard input has JSON Lines. */
  readonly rows?: RowLayout | undefined;
  /** Default: as the name of a file ends. */
  readonly rowFormat?: RowFormat | undefined;
  /** Between the cells of CSV, an ASCII character. Default: a comma. */
  readonly delimiter?: string | undefined;
  /** What all keys begin with. Default: nothing. */
  readonly prefix?: string | undefined;
  /** Which of the records with one key is kept, or that they end the build. Default: `last`. */
  readonly duplicates?: 'last' | 'first' | 'error' | undefined;
  /** Whether a key that memcached's clients cannot ask for ends the build. Default: `any`. */
  readonly keys?: 'any' | 'memcached' | undefined;
  /** How many bad rows may be left out. Default: 0. */
  readonly skipBad?: number | undefined;
  /** Called now and then with how many bytes of an input are read. */
  readonly onProgress?: ((input: string, bytes: number) => void) | undefined;
  /** Aborts the build; nothing is written then. */
  readonly signal?: AbortSignal | undefined;
}

type InputRequest = RecordsRequest & {
  /** Where a compressed input is unpacked to, if it must be. */
  readonly scratchDir: string;
};

/** What all inputs of a build share. */
export interface InputTarget {
  readonly sink: RecordSink;
  readonly check: KeyCheck;
  readonly rejected: Rejected;
  readonly notices: Notices;
  /** Where records came from; undefined: nobody asks. */
  readonly places?: InputPlaces | undefined;
}

/**
 * Reads the records of an input.
 *
 * @throws GoromdbError as `buildTable`; what the sink throws.
 */
export async function readInput(
  request: InputRequest,
  input: string,
  target: InputTarget,
): Promise<void> {
  const { sink, check, notices, places } = target;
  check.locate = () => input;
  places?.begin(input, check.records);
  const { prefix = '', signal } = request;
  const reading: Reading = {
    scratchDir: request.scratchDir,
    onProgress(bytes) {
      throwIfAborted(signal);
      request.onProgress?.(input, bytes);
    },
  };
  const layout = request.rows;
  if (layout === undefined) {
    const prefixed = prefix === '' ? sink : prefixedSink(prefix, sink);
    if (input === STANDARD_INPUT) {
      return withStandardInput(signal, () => scanStandardInput(prefixed, reading.onProgress));
    }
    return scanRecords(input, reading, prefixed, {
      onNotice: (text) => notices.add(text),
      onLocator: (locate) => {
        check.locate = () => `${locate()} of ${input}`;
      },
      onRecord: (offset) => places?.add('byte', offset),
    });
  }
  const { rowFormat: format, delimiter } = request;
  const rows = { layout, format, delimiter };
  const read = (): Promise<void> =>
    readRows(input, rows, reading, (whole) => {
      return rowSink(input, layout, whole, prefix, target);
    });
  await (input === STANDARD_INPUT ? withStandardInput(signal, read) : read());
}

/** Standard input may say nothing for long: an abort closes it. */
async function withStandardInput(
  signal: AbortSignal | undefined,
  read: () => Promise<void>,
): Promise<void> {
  const stop = (): void => void process.stdin.destroy();
  signal?.addEventListener('abort', stop);
  try {
    await read();
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new GoromdbError('LOADER_FAILED', 'the build was aborted');
}

function rowSink(
  file: string,
  layout: RowLayout,
  whole: number | undefined,
  prefix: string,
  { sink, check, rejected, places }: InputTarget,
): RowSink {
  let records: RowRecords;
  const target = { prefix, valueBytesMax: longestValue(), sink };
  let current: Cells;
  check.locate = () => `${describePlace(placeOf(current))} of ${file}`;
  const reject = (place: Place, { message, column }: BadRow): void =>
    rejected.add({ file, ...place, ...(column !== undefined && { column }), why: message });
  return {
    begin(columns) {
      records = new RowRecords(file, columns, whole, layout, target);
    },
    row(cells: Cells) {
      current = cells;
      try {
        records.add(cells);
        places?.add(cells.group === 0 ? 'line' : 'row', cells.line);
      } catch (error) {
        if (!(error instanceof BadRow)) throw error;
        reject(placeOf(cells), error);
      }
    },
    bad: (line, why) => reject({ line }, why),
  };
}

type Place = Pick<RejectedRow, 'line' | 'rowGroup' | 'row'>;

function placeOf({ line, group }: Cells): Place {
  return group === 0 ? { line } : { rowGroup: group, row: line };
}

function prefixedSink(prefix: string, sink: RecordSink): RecordSink {
  const key = Buffer.alloc(KEY_BYTES_MAX);
  const start = key.write(prefix);
  return {
    add(source, keyStart, keyEnd, value, valueStart, valueEnd, flags) {
      const end = start + keyEnd - keyStart;
      if (end > KEY_BYTES_MAX) {
        const message = `a key is too long: expected at most ${KEY_BYTES_MAX} bytes with -prefix, found ${end}`;
        throw new GoromdbError('LIMIT_EXCEEDED', message);
      }
      key.set(source.subarray(keyStart, keyEnd), start);
      sink.add(key, 0, end, value, valueStart, valueEnd, flags);
    },
  };
}

/** A table would take the place of the rows that it is made of, and they would be lost. */
export function refuseToReplace(
  inputs: readonly string[],
  { rows }: RecordsRequest,
  out: string,
): void {
  const there = rows && lstatSync(out, { throwIfNoEntry: false });
  if (there === undefined) return;
  const isOut = (input: string): boolean => {
    const found = input === STANDARD_INPUT ? undefined : statSync(input, { throwIfNoEntry: false });
    return found?.ino === there.ino && found.dev === there.dev;
  };
  if (!inputs.some(isOut)) return;
  const message = `${out}: expected another file than the inputs, whose rows would be lost`;
  throw new GoromdbError('OPTION_INVALID', message);
}

/** @throws GoromdbError DATA_CORRUPT when keys must be askable, and are not. */
export function noticesOf({ keys = 'any' }: RecordsRequest, check: KeyCheck): readonly string[] {
  const found = check.notices();
  if (keys === 'any' || found.length === 0) return found;
  throw new GoromdbError('DATA_CORRUPT', found.join('; '));
}
