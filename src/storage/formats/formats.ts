/**
 * What belongs in this folder: the list of formats, and which of them a file has.
 *
 * The formats of files: which there are, which one a file is of, and how it is scanned.
 */
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { loadPlugin } from '../../common/plugin.ts';
import { type Feature, type Format, firstBytesOf } from '../scanners/format.ts';
import type { RecordSink, ScanInput, Scanner, ScanOptions } from '../scanners/scanner.ts';
import { likeness, showStart } from './foreign.ts';
import { FORMATS } from './list.ts';

/** Name for the format that a file's first bytes call for. */
export const AUTO = 'auto';

const BY_NAME: Readonly<Record<string, Format>> = Object.fromEntries(
  FORMATS.map((format) => [format.format, format]),
);

/** What `-storage` may be. */
export const STORAGE_NAMES = [AUTO, ...Object.keys(BY_NAME)] as const;

/** The built-in format of this name; undefined: `auto`, or a user's module. */
export function formatNamed(storage: string): Format | undefined {
  return Object.hasOwn(BY_NAME, storage) ? BY_NAME[storage] : undefined;
}

/** The built-in format that this is the scanner of; undefined: it is a user's. */
export function formatOf(scanner: Scanner): Format | undefined {
  return FORMATS.find((format) => format === scanner);
}

export function formatsWith(feature: Feature): readonly Format[] {
  return FORMATS.filter(({ has }) => has.includes(feature));
}

/** What messages call them, as in `BoltDB or LMDB`. */
export function either(formats: readonly Format[]): string {
  const titles = formats.map(({ title }) => title);
  return titles.join(', ').replace(/, (?=[^,]*$)/, ' or ');
}

/** @throws GoromdbError OPTION_INVALID when a storage is neither built in nor a module. */
export async function checkScanner(spec: string): Promise<void> {
  if (spec !== AUTO) await loadPlugin('storage', spec, BY_NAME);
}

/**
 * Finds the scanner for a file: the one asked for, or for `auto` that of the format that the file
 * looks like.
 *
 * @param look What `recognise` says.
 */
export async function scannerFor(
  spec: string,
  input: ScanInput,
  look: Format | undefined,
): Promise<Scanner> {
  if (spec !== AUTO) return loadPlugin('storage', spec, BY_NAME);
  if (look !== undefined) return look;
  const formats = either(FORMATS.filter(({ recognise }) => recognise !== undefined));
  const start = `its first bytes, ${showStart(firstBytesOf(input))}, are of none of these`;
  const found = input.size === 0 ? 'the file is empty' : start + (await likeness(input, false));
  throw new GoromdbError('FORMAT_UNKNOWN', `${input.path}: expected ${formats}; ${found}`);
}

/**
 * Scans a file. When it is not what the scanner expects, the error says what it looks like.
 *
 * @param look What `recognise` says.
 * @throws GoromdbError as `Scanner.scan`; SCANNER_FAILED for a fault of the scanner; what the file
 *   system throws.
 */
export async function scan(
  scanner: Scanner,
  input: ScanInput,
  options: ScanOptions,
  sink: RecordSink,
  look: Format | undefined,
): Promise<void> {
  try {
    await scanner.scan(input, options, sink);
  } catch (error) {
    if (isFault(error)) {
      const message = `the scanner for ${scanner.format} failed on ${input.path}: ${messageOf(error)}`;
      throw new GoromdbError('SCANNER_FAILED', message, { cause: error });
    }
    if (!(error instanceof GoromdbError)) throw error;
    const hint =
      look !== undefined && isMistaken(error, scanner, look)
        ? `; it looks like ${look.format}: use -storage ${look.format} or auto`
        : mayBeForeign(error, scanner, look) && (await likeness(input, options.gzipped));
    if (!hint) throw error;
    throw new GoromdbError(error.code, error.message + hint, { cause: error });
  }
}

/** A scanner says by a GoromdbError what is wrong with a file; anything else is its own fault. */
function isFault(error: unknown): boolean {
  return !(error instanceof GoromdbError) && !(error instanceof Error && 'syscall' in error);
}

/** Whether a file was refused because it is of another format. */
function isMistaken({ code }: GoromdbError, scanner: Scanner, look: Format): boolean {
  if (look.format === scanner.format) return false;
  // What is wrong with one text as another shows only behind the first brace.
  const areTexts = look.reading === 'stream' && formatOf(scanner)?.reading === 'stream';
  return code === 'FORMAT_UNKNOWN' || areTexts;
}

/** Whether a file was refused that is of none of the formats here, or of a kind that is not read. */
function mayBeForeign({ code }: GoromdbError, scanner: Scanner, look: Format | undefined): boolean {
  if (formatOf(scanner) === undefined) return false;
  if (look !== undefined) return code === 'FORMAT_UNKNOWN';
  return ['FORMAT_UNKNOWN', 'FORMAT_UNSUPPORTED', 'DATA_CORRUPT'].includes(code);
}
