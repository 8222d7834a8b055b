import { GoromdbError, messageOf } from '../errors.ts';
import { loadPlugin } from '../plugin.ts';
import { bdbScanner } from '../storage/scanners/bdb.ts';
import { boltScanner } from '../storage/scanners/bolt.ts';
import { jsonLinesScanner, jsonScanner } from '../storage/scanners/json.ts';
import { lmdbScanner } from '../storage/scanners/lmdb.ts';
import { memcachedbScanner } from '../storage/scanners/memcachedb.ts';
import { delimiterFault } from '../storage/scanners/namespaces.ts';
import type { Recognised } from '../storage/scanners/recognise.ts';
import type {
  NamespaceOptions,
  RecordSink,
  ScanInput,
  Scanner,
  ScanOptions,
} from '../storage/scanners/scanner.ts';
import { tableScanner } from '../storage/scanners/table.ts';

/** The built-in scanners, by their name on the command line. */
const SCANNERS: Readonly<Record<string, Scanner>> = {
  json: jsonScanner,
  jsonl: jsonLinesScanner,
  table: tableScanner,
  lmdb: lmdbScanner,
  boltdb: boltScanner,
  bdb: bdbScanner,
  'memcachedb-bdb': memcachedbScanner,
};

/** Name for the scanner that a file's first bytes call for. */
const AUTO = 'auto';

/** What `-storage` may be. */
export const STORAGE_NAMES = [AUTO, ...Object.keys(SCANNERS)] as const;

/** Whether a storage is none of a user's own. */
export function isBuiltIn(storage: string): boolean {
  return STORAGE_NAMES.some((name) => name === storage);
}

/** @throws GoromdbError OPTION_INVALID when a storage is neither built in nor a module. */
export async function checkScanner(spec: string): Promise<void> {
  if (spec !== AUTO) await loadPlugin('storage', spec, SCANNERS);
}

/** What of a file is to be served. */
export interface Selection {
  /** As given to `-storage`. */
  readonly storage: string;
  readonly bucket?: string | undefined;
  readonly namespaces?: NamespaceOptions | undefined;
}

/** The formats that have neither buckets nor namespaces, and why. */
const SINGLE: Readonly<Record<string, string>> = {
  jsonl: 'JSON Lines have none',
  table: 'a table has none',
  'memcachedb-bdb': 'MemcacheDB keeps one database without name',
};

/** @throws GoromdbError OPTION_INVALID when options contradict each other. */
export function checkSelection({ storage, bucket, namespaces }: Selection): void {
  const fault = (message: string): GoromdbError => new GoromdbError('OPTION_INVALID', message);
  if (bucket !== undefined && ['json', 'jsonl', 'table'].includes(storage)) {
    throw fault(`-bucket: ${storage} has no buckets`);
  }
  if (namespaces === undefined) return;
  if (bucket !== undefined) {
    throw fault('-bucket serves one and -namespaces serves all: give one of them');
  }
  if (Object.hasOwn(SINGLE, storage)) {
    throw fault(`-namespaces: ${SINGLE[storage]}; -storage is ${storage}`);
  }
  const wrong = delimiterFault(namespaces.delimiter);
  if (wrong !== undefined) throw fault(`-D: ${wrong}`);
}

/**
 * Finds the scanner for a file: the one asked for, or for `auto` what the file looks like.
 *
 * @param format What `recognise` says.
 */
export async function scannerFor(
  spec: string,
  input: ScanInput,
  format: Recognised['format'],
): Promise<Scanner> {
  if (spec === 'lmdb' && format === 'table') {
    // As LMDB it has a handful of large records, which nobody asks for.
    const message = `${input.path}: expected an LMDB file of records, found a table of goromdb: use -storage table or auto`;
    throw new GoromdbError('FORMAT_UNKNOWN', message);
  }
  if (spec !== AUTO) return loadPlugin('storage', spec, SCANNERS);
  if (format !== undefined) return SCANNERS[format];
  const head = 'a JSON object, JSON Lines, LMDB, BoltDB or Berkeley DB, or a table of goromdb';
  const found = input.size === 0 ? 'the file is empty' : 'its first bytes are of none of these';
  throw new GoromdbError('FORMAT_UNKNOWN', `${input.path}: expected ${head}; ${found}`);
}

/**
 * Scans a file. When it is not what the scanner expects, the error says what it looks like.
 *
 * @param format What `recognise` says.
 * @throws GoromdbError as `Scanner.scan`; SCANNER_FAILED for a fault of the scanner; what the file
 *   system throws.
 */
export async function scan(
  scanner: Scanner,
  input: ScanInput,
  options: ScanOptions,
  sink: RecordSink,
  format: Recognised['format'],
): Promise<void> {
  try {
    await scanner.scan(input, options, sink);
  } catch (error) {
    if (isFault(error)) {
      const message = `the scanner for ${scanner.format} failed on ${input.path}: ${messageOf(error)}`;
      throw new GoromdbError('SCANNER_FAILED', message, { cause: error });
    }
    if (!(error instanceof GoromdbError) || !isMistaken(error, scanner.format, format)) throw error;
    const message = `${error.message}; it looks like ${format}: use -storage ${format}`;
    throw new GoromdbError(error.code, message, { cause: error });
  }
}

/** A scanner says by a GoromdbError what is wrong with a file; anything else is its own fault. */
function isFault(error: unknown): boolean {
  return !(error instanceof GoromdbError) && !(error instanceof Error && 'syscall' in error);
}

/** Whether a file was refused because it is of another format. */
function isMistaken({ code }: GoromdbError, given: string, format: Recognised['format']): boolean {
  if (format === undefined || format === given) return false;
  if (given === 'memcachedb-bdb' && format === 'bdb') return false;
  // What is wrong with one as the other shows only behind the first brace.
  const isText = given.startsWith('json') && format.startsWith('json');
  return code === 'FORMAT_UNKNOWN' || isText;
}
