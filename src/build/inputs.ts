import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import process from 'node:process';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { explained } from '../common/system-fault.ts';
import { withSource } from '../loader/worker/scan-file.ts';
import { unpack } from '../loader/worker/unpack.ts';
import { longestValue } from '../loader/worker/value-limit.ts';
import { AUTO } from '../storage/formats/formats.ts';
import { recognise } from '../storage/formats/recognise.ts';
import { readBytes } from '../storage/scanners/byte-source.ts';
import type { RecordSink, ScanInput } from '../storage/scanners/scanner.ts';
import { csvRows } from './csv-rows.ts';
import { jsonRows } from './json-rows.ts';
import type { OnBadRow, Row } from './row.ts';

/** The name of standard input. */
export const STANDARD_INPUT = '-';

/** How the rows of an input lie in it. */
export type RowFormat = 'csv' | 'tsv' | 'jsonl';

/** How inputs are read. */
export interface Reading {
  /** Where a compressed file is unpacked to, if it must be. */
  readonly scratchDir: string;
  readonly onProgress: (bytes: number) => void;
}

type Chunks = AsyncIterable<Uint8Array>;

/**
 * Reads the records of a file of any format that the server reads.
 *
 * @throws GoromdbError as `Scanner.scan`, FILE_UNREADABLE.
 */
export async function scanRecords(
  path: string,
  { scratchDir, onProgress }: Reading,
  sink: RecordSink,
  onNotice: (text: string) => void,
): Promise<void> {
  const hooks = { onNotice, onProgress, valueBytesMax: longestValue() };
  await withFile(path, (input) =>
    withSource({ scanner: AUTO, gzipped: false, scratchDir }, input, onProgress, (source) =>
      source.scan(sink, hooks),
    ),
  );
}

/**
 * Hands on each row of a file or of standard input, which is not unpacked.
 *
 * @param format undefined: as the name of the file ends.
 * @throws GoromdbError DATA_CORRUPT, FORMAT_UNKNOWN, LIMIT_EXCEEDED, FILE_UNREADABLE; what `onRow` and
 *   `onBad` throw.
 */
export async function readRows(
  path: string,
  format: RowFormat | undefined,
  { scratchDir, onProgress }: Reading,
  onRow: (row: Row) => void,
  onBad: OnBadRow,
): Promise<void> {
  const rows = rowReader(path, format ?? formatOfName(path));
  const readAll = async (chunks: Chunks): Promise<void> => {
    for await (const row of rows(utf8Of(path, chunks), onBad)) onRow(row);
  };
  if (path === STANDARD_INPUT) return readAll(process.stdin);
  await withFile(path, async (input) => {
    const { packing } = recognise(input);
    if (packing !== 'zstd') {
      return readAll(readBytes(input, { gzipped: packing === 'gzip', onProgress }));
    }
    const unpacked = await unpack(input, packing, scratchDir, onProgress);
    try {
      await readAll(readBytes(unpacked, { gzipped: false }));
    } finally {
      closeSync(unpacked.fd);
    }
  });
}

function rowReader(
  path: string,
  format: RowFormat,
): (chunks: Chunks, onBad: OnBadRow) => AsyncIterable<Row> {
  if (format === 'jsonl') return (chunks, onBad) => jsonRows(path, chunks, onBad);
  const delimiter = format === 'csv' ? ',' : '\t';
  return (chunks, onBad) => csvRows(path, chunks, delimiter, onBad);
}

function formatOfName(path: string): RowFormat {
  if (path === STANDARD_INPUT) return 'jsonl';
  const ending = /\.(csv|tsv|jsonl|ndjson)(?:\.(?:gz|zst))?$/i.exec(path)?.[1].toLowerCase();
  if (ending === 'csv' || ending === 'tsv') return ending;
  if (ending !== undefined) return 'jsonl';
  const message = `${path}: expected a name in .csv, .tsv, .jsonl or .ndjson, or -rows to say which it is`;
  throw new GoromdbError('OPTION_INVALID', message);
}

/** Decodes a piece of a text; without one, its end. */
type Decode = (chunk?: Uint8Array) => Uint8Array;

/** What begins with the byte order mark of UTF-16 (RFC 2781 section 3.2), as UTF-8; else as it is. */
async function* utf8Of(path: string, chunks: Chunks): Chunks {
  let decode: Decode | undefined;
  let head = Buffer.alloc(0);
  let isBegun = false;
  for await (const chunk of chunks) {
    if (isBegun) {
      yield decode === undefined ? chunk : decode(chunk);
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < 3) continue;
    isBegun = true;
    decode = decoderOf(path, head);
    yield decode === undefined ? withoutMark(head) : decode(head);
  }
  if (!isBegun) yield head;
  if (decode !== undefined) yield decode();
}

function decoderOf(path: string, [first, second]: Uint8Array): Decode | undefined {
  const isLittle = first === 0xff && second === 0xfe;
  if (!isLittle && !(first === 0xfe && second === 0xff)) return undefined;
  const decoder = new TextDecoder(isLittle ? 'utf-16le' : 'utf-16be', { fatal: true });
  return (chunk) => {
    try {
      return Buffer.from(decoder.decode(chunk, { stream: chunk !== undefined }));
    } catch (cause) {
      const message = `${path}: expected UTF-16, as its byte order mark says; found bytes that are none`;
      throw new GoromdbError('DATA_CORRUPT', message, { cause });
    }
  };
}

function withoutMark(head: Uint8Array): Uint8Array {
  return head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? head.subarray(3) : head;
}

async function withFile(path: string, use: (input: ScanInput) => Promise<void>): Promise<void> {
  const fd = openInput(path);
  try {
    await use({ path, fd, size: fstatSync(fd).size });
  } finally {
    closeSync(fd);
  }
}

/** A FIFO in its place must not block. */
function openInput(path: string): number {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!fstatSync(fd).isFile()) throw new Error('it is not a regular file');
    return fd;
  } catch (cause) {
    if (fd !== undefined) closeSync(fd);
    const message = `cannot read ${path}: ${messageOf(explained(cause, dirname(path)))}`;
    throw new GoromdbError('FILE_UNREADABLE', message, { cause });
  }
}
