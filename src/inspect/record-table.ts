import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, openSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { GoromdbError } from '../common/errors.ts';
import { fillTable } from '../loader/worker/fill-table.ts';
import { type ScanRequest, type Source, withSource } from '../loader/worker/scan-file.ts';
import { longestValue } from '../loader/worker/value-limit.ts';
import { AUTO } from '../storage/formats/formats.ts';
import { recognise } from '../storage/formats/recognise.ts';
import { tableScanner } from '../storage/formats/table.ts';
import { KeyCheck } from '../storage/scanners/key-check.ts';
import type { ScanInput } from '../storage/scanners/scanner.ts';
import { checkTable } from '../storage/table/table-check.ts';
import { isSoundRegion, readTableHead } from '../storage/table/table-file.ts';
import type { TableLayout } from '../storage/table/table-layout.ts';
import { TableWriter } from '../storage/table/table-writer.ts';
import { type ReadOptions, scanRequestOf } from './inspect.ts';
import { type Opened, withOpened } from './opened.ts';

/** The records of a file, with an index to find them by. */
export interface RecordTable {
  /** The table's file, open to be read. */
  readonly input: ScanInput;
  readonly layout: TableLayout;
  /** The format of the file that was asked for. */
  readonly format: string;
  /** What its owner should know, though it is sound. */
  readonly notices: readonly string[];
}

const nothing = (): void => {};

/**
 * Lets `use` have the records of what a text of the command line names, as a table: the file itself,
 * when it is one, or a table that is made of it for the moment. Memory holds 11.4 bytes for each
 * record, and a few of the largest values.
 *
 * @throws GoromdbError as `withOpened` and `tableOf`.
 */
export function withTable<T>(
  text: string,
  options: ReadOptions,
  use: (table: RecordTable) => Promise<T>,
): Promise<T> {
  const { onNotice = nothing } = options;
  return withOpened(text, onNotice, (opened) => tableOf(opened, options, use));
}

/** @throws GoromdbError as `Scanner.scan` and `TableWriter`; what `use` throws. */
export async function tableOf<T>(
  opened: Opened,
  options: ReadOptions,
  use: (table: RecordTable) => Promise<T>,
): Promise<T> {
  const { input, slot } = opened;
  if (opened.isServed) {
    const layout = await checkServed(input);
    const { format, warnings = [] } = slot!.record!;
    return use({ input, layout, format, notices: warnings });
  }
  const request = scanRequestOf(options, false);
  if (!request.gzipped && isServedWhole(request, input)) {
    return use({ ...checked(input), format: tableScanner.format });
  }
  return withSource(request, input, nothing, (source) =>
    isServedWhole(request, source.input)
      ? use({ ...checked(source.input), format: source.format })
      : scratchTable(source, request.scratchDir, use),
  );
}

/** A server wrote the table: its sums are right unless the disk has damaged it. */
async function checkServed(input: ScanInput): Promise<TableLayout> {
  const { layout } = readTableHead(input.path, input.fd);
  if (await isSoundRegion(input.fd, layout.index)) return layout;
  const message = `${input.path} is damaged: the CRC-32 of its index is wrong`;
  throw new GoromdbError('DATA_CORRUPT', message);
}

function checked(input: ScanInput): Omit<RecordTable, 'format'> {
  const keys = new KeyCheck();
  const layout = checkTable(input, { valueBytesMax: longestValue() }, keys);
  return { input, layout, notices: keys.notices() };
}

function isServedWhole(request: ScanRequest, input: ScanInput): boolean {
  const isAsked = request.scanner === AUTO || request.scanner === tableScanner.format;
  const { bucket, fields, namespaces } = request;
  const isAll = [bucket, fields, namespaces].every((option) => option === undefined);
  return isAsked && isAll && recognise(input).format === tableScanner;
}

/** The table has no name any more when it is filled: it goes with the process, however that ends. */
async function scratchTable<T>(
  source: Source,
  scratchDir: string,
  use: (table: RecordTable) => Promise<T>,
): Promise<T> {
  const path = join(scratchDir, `.goromdb-${randomUUID()}`);
  const writer = scratchWriter(path);
  let fd: number | undefined;
  try {
    try {
      fd = openSync(path, 'r');
    } finally {
      unlinkSync(path);
    }
    const { layout, notices } = await fillTable(writer, source, { onProgress: nothing });
    const input = { path: `${source.input.path} (as a table)`, fd, size: fstatSync(fd).size };
    return await use({ input, layout, format: source.format, notices });
  } catch (error) {
    throw withWayOut(error);
  } finally {
    writer.close();
    if (fd !== undefined) closeSync(fd);
  }
}

function scratchWriter(path: string): TableWriter {
  try {
    return new TableWriter({ path, isScratch: true });
  } catch (error) {
    throw withWayOut(error);
  }
}

function withWayOut(error: unknown): unknown {
  const isDisk =
    error instanceof GoromdbError && ['DISK_FULL', 'FOLDER_UNUSABLE'].includes(error.code);
  if (!isDisk) return error;
  const message = `${error.message}, or name another folder by TMPDIR`;
  return new GoromdbError(error.code, message, { cause: error });
}
