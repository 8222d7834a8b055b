import { GoromdbError, messageOf } from '../errors.ts';
import { loadPlugin } from '../plugin.ts';
import { bdbScanner } from '../storage/scanners/bdb.ts';
import { boltScanner } from '../storage/scanners/bolt.ts';
import { jsonScanner } from '../storage/scanners/json.ts';
import { lmdbScanner } from '../storage/scanners/lmdb.ts';
import { memcachedbScanner } from '../storage/scanners/memcachedb.ts';
import { recognise } from '../storage/scanners/recognise.ts';
import type { RecordSink, ScanInput, Scanner, ScanOptions } from '../storage/scanners/scanner.ts';

/** The built-in scanners, by their name on the command line. */
const SCANNERS: Readonly<Record<string, Scanner>> = {
  json: jsonScanner,
  lmdb: lmdbScanner,
  boltdb: boltScanner,
  bdb: bdbScanner,
  'memcachedb-bdb': memcachedbScanner,
};

/** Name for the scanner that a file's first bytes call for. */
const AUTO = 'auto';

/** What `-storage` may be. */
export const STORAGE_NAMES = [AUTO, ...Object.keys(SCANNERS)] as const;

/** @throws GoromdbError OPTION_INVALID when a storage is neither built in nor a module. */
export async function checkScanner(spec: string): Promise<void> {
  if (spec !== AUTO) await loadPlugin('storage', spec, SCANNERS);
}

/** Finds the scanner for a file: the one asked for, or for `auto` what the file looks like. */
export async function scannerFor(spec: string, input: ScanInput): Promise<Scanner> {
  if (spec !== AUTO) return loadPlugin('storage', spec, SCANNERS);
  const { format } = recognise(input);
  if (format !== undefined) return SCANNERS[format];
  const head = 'a JSON object, LMDB, BoltDB or Berkeley DB';
  const found = input.size === 0 ? 'the file is empty' : 'its first bytes are of none of these';
  throw new GoromdbError('FORMAT_UNKNOWN', `${input.path}: expected ${head}; ${found}`);
}

/**
 * Scans a file. When it is not what the scanner expects, the error says what it looks like.
 *
 * @throws GoromdbError as `Scanner.scan`; SCANNER_FAILED for a fault of the scanner; what the file
 *   system throws.
 */
export async function scan(
  scanner: Scanner,
  input: ScanInput,
  options: ScanOptions,
  sink: RecordSink,
): Promise<void> {
  try {
    await scanner.scan(input, options, sink);
  } catch (error) {
    if (isFault(error)) {
      const message = `the scanner for ${scanner.format} failed on ${input.path}: ${messageOf(error)}`;
      throw new GoromdbError('SCANNER_FAILED', message, { cause: error });
    }
    const { format } = recognise(input);
    const isOther = format !== undefined && !scanner.format.includes(format);
    if (!isUnknown(error) || !isOther) throw error;
    const message = `${error.message}; it looks like ${format}: use -storage ${format}`;
    throw new GoromdbError(error.code, message, { cause: error });
  }
}

/** A scanner says by a GoromdbError what is wrong with a file; anything else is its own fault. */
function isFault(error: unknown): boolean {
  return !(error instanceof GoromdbError) && !(error instanceof Error && 'syscall' in error);
}

function isUnknown(error: unknown): error is GoromdbError {
  return error instanceof GoromdbError && error.code === 'FORMAT_UNKNOWN';
}
