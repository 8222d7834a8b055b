import { GoromdbError, messageOf } from '../../common/errors.ts';
import { loadPlugin } from '../../common/plugin.ts';
import type { RecordSink, ScanInput, Scanner, ScanOptions } from '../scanners/scanner.ts';
import { bdbScanner } from './bdb/bdb.ts';
import { memcachedbScanner } from './bdb/memcachedb.ts';
import { boltScanner } from './bolt/bolt.ts';
import { showStart } from './foreign.ts';
import { likeness } from './glimpse.ts';
import { jsonLinesScanner, jsonScanner } from './json/json.ts';
import { lmdbScanner } from './lmdb/lmdb.ts';
import { headOf, type Recognised } from './recognise.ts';
import { tableScanner } from './table.ts';

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
  const formats = 'a JSON object, JSON Lines, LMDB, BoltDB or Berkeley DB, or a table of goromdb';
  const head = headOf(input);
  const start = `its first bytes, ${showStart(head)}, are of none of these`;
  const found = input.size === 0 ? 'the file is empty' : start + (await likeness(input, false));
  throw new GoromdbError('FORMAT_UNKNOWN', `${input.path}: expected ${formats}; ${found}`);
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
    if (!(error instanceof GoromdbError)) throw error;
    const hint = isMistaken(error, scanner.format, format)
      ? `; it looks like ${format}: use -storage ${format}`
      : mayBeForeign(error, scanner, format) && (await likeness(input, options.gzipped));
    if (!hint) throw error;
    throw new GoromdbError(error.code, error.message + hint, { cause: error });
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

/** Whether a file was refused that is of none of the formats here, or of a kind that is not read. */
function mayBeForeign(
  { code }: GoromdbError,
  scanner: Scanner,
  format: Recognised['format'],
): boolean {
  if (!Object.values(SCANNERS).includes(scanner)) return false;
  if (format !== undefined) return code === 'FORMAT_UNKNOWN';
  return ['FORMAT_UNKNOWN', 'FORMAT_UNSUPPORTED', 'DATA_CORRUPT'].includes(code);
}
