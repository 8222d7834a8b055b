/** What belongs in this folder: makes a table file of what producers have: rows, or another format. */
import { lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { GoromdbError } from '../common/errors.ts';
import { Notices } from '../common/notices.ts';
import { longestValue } from '../loader/worker/value-limit.ts';
import { checkedSink, KeyCheck } from '../storage/scanners/key-check.ts';
import { printable } from '../storage/scanners/name-list.ts';
import { KEY_BYTES_MAX, type RecordSink } from '../storage/scanners/scanner.ts';
import { expandInputs } from './expand.ts';
import { InputPlaces } from './input-places.ts';
import { type Reading, STANDARD_INPUT, scanRecords } from './inputs.ts';
import { type Finished, writeOutput } from './output.ts';
import { type RowFormat, readRows } from './read-rows.ts';
import { describePlace, Rejected, type RejectedRow } from './rejected.ts';
import { BadRow, type Cells, type RowSink } from './rows/row.ts';
import { type RowLayout, RowRecords } from './rows/row-record.ts';
import { scanStandardInput } from './standard-input.ts';

export interface BuildRequest {
  /** Where the table goes; its sum file beside it, as `<out>.md5`. */
  readonly out: string;
  /** What is written. Default: `table`. */
  readonly format?: 'table' | 'lmdb' | 'jsonl' | undefined;
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

export interface Built {
  readonly keys: number;
  readonly bytes: number;
  readonly md5: string;
  /** What the producer should know, though the table is sound. */
  readonly notices: readonly string[];
  /** How many rows were left out, and the first hundred of them. */
  readonly rejected: number;
  readonly firstRejected: readonly RejectedRow[];
}

/**
 * Makes a table of the inputs. The same inputs in the same order give the same bytes.
 *
 * @throws GoromdbError DATA_CORRUPT, FORMAT_UNKNOWN, FORMAT_UNSUPPORTED, LIMIT_EXCEEDED when an input is
 *   bad; FILE_UNREADABLE, DISK_FULL, FOLDER_UNUSABLE, OUT_OF_MEMORY, OPTION_INVALID;
 *   LOADER_FAILED when it is aborted. Nothing is written
 *   then.
 */
export async function buildTable(request: BuildRequest): Promise<Built> {
  const rejected = new Rejected(request.out, request.skipBad ?? 0);
  const notices = new Notices();
  const check = new KeyCheck();
  const places = new InputPlaces();
  try {
    const { keys, bytes, md5 } = await writeOutput({
      path: request.out,
      format: request.format ?? 'table',
      keeps: request.duplicates === 'first' ? 'first' : 'last',
      async fill(writer) {
        const inputs = expandInputs(request.inputs, request.out);
        refuseToReplace(inputs, request);
        for (const input of inputs) {
          await readInput(request, input, {
            sink: checkedSink(writer, check),
            check,
            rejected,
            notices,
            places,
          });
        }
      },
      check(finished) {
        throwIfAborted(request.signal);
        checkKeys(request, check, notices);
        checkRepeats(request, finished, places, notices);
      },
    });
    await rejected.keep();
    const firstRejected = rejected.first;
    return { keys, bytes, md5, notices: notices.texts, rejected: rejected.count, firstRejected };
  } finally {
    await rejected.close();
  }
}

/** A table would take the place of the rows that it is made of, and they would be lost. */
function refuseToReplace(inputs: readonly string[], { rows, out }: BuildRequest): void {
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

/** What all inputs of a build share. */
interface Target {
  readonly sink: RecordSink;
  readonly check: KeyCheck;
  readonly rejected: Rejected;
  readonly notices: Notices;
  readonly places: InputPlaces;
}

async function readInput(request: BuildRequest, input: string, target: Target): Promise<void> {
  const { sink, check, notices, places } = target;
  check.locate = () => input;
  places.begin(input, check.records);
  const { prefix = '', signal } = request;
  const reading: Reading = {
    scratchDir: dirname(request.out),
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
      onRecord: (offset) => places.add('byte', offset),
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

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new GoromdbError('LOADER_FAILED', 'the build was aborted');
}

function rowSink(
  file: string,
  layout: RowLayout,
  whole: number | undefined,
  prefix: string,
  { sink, check, rejected, places }: Target,
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
        places.add(cells.group === 0 ? 'line' : 'row', cells.line);
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

function checkKeys({ keys = 'any' }: BuildRequest, check: KeyCheck, notices: Notices): void {
  const found = check.notices();
  if (keys === 'memcached' && found.length > 0) {
    throw new GoromdbError('DATA_CORRUPT', found.join('; '));
  }
  for (const text of found) notices.add(text);
}

function checkRepeats(
  { duplicates }: BuildRequest,
  { repeats }: Finished,
  places: InputPlaces,
  notices: Notices,
): void {
  if (repeats === undefined) return;
  const records = repeats.count === 1 ? '1 record has' : `${repeats.count} records have`;
  const text = `${records} a key that came before; the first such key is ${printable(repeats.key.toString())}, ${places.describe(repeats.first)}`;
  if (duplicates === 'error') throw new GoromdbError('DATA_CORRUPT', text);
  notices.add(`${text}; the ${duplicates === 'first' ? 'first' : 'last'} of each is kept`);
}
