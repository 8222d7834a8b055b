import { closeSync } from 'node:fs';
import { GoromdbError } from '../../common/errors.ts';
import { isBuiltIn, scan, scannerFor } from '../../storage/formats/formats.ts';
import { likeness } from '../../storage/formats/glimpse.ts';
import { recognise } from '../../storage/formats/recognise.ts';
import { type BucketPath, FIELD_FLAGS } from '../../storage/formats/selection.ts';
import { printable } from '../../storage/scanners/name-list.ts';
import type {
  FieldOptions,
  NamespaceOptions,
  RecordSink,
  ScanInput,
  Scanner,
  ScanOptions,
} from '../../storage/scanners/scanner.ts';
import type { Repeats } from '../../storage/table/table-index.ts';
import type { RecordPlaces } from './record-places.ts';
import { recognisePacked, unpack } from './unpack.ts';

/** How a file is to be read: a part of what the loader is asked for. */
export interface ScanRequest {
  /** Built-in name, or the URL of a module whose default export is a `Scanner`. */
  readonly scanner: string;
  readonly gzipped: boolean;
  readonly bucket: BucketPath | undefined;
  readonly fields: FieldOptions | undefined;
  readonly namespaces: NamespaceOptions | undefined;
  /** Where a packed file is unpacked to. */
  readonly scratchDir: string;
}

/** What is told meanwhile, and the longest value; see `ScanOptions`. */
interface ScanHooks {
  readonly valueBytesMax: number;
  readonly onProgress: (bytes: number) => void;
  readonly onNotice: (text: string) => void;
  readonly onRecord: (offset: number) => void;
  readonly onLocator: NonNullable<ScanOptions['onLocator']>;
}

/** A file whose records can be read, more than once. */
export interface Source {
  /** The format that the file turned out to have. */
  readonly format: string;
  /** What the scanner reads. */
  readonly input: ScanInput;
  /** Whether this is not the dropped file itself, or is unpacked on the way. */
  readonly isPacked: boolean;
  /** @throws GoromdbError as `Scanner.scan`. */
  scan(sink: RecordSink, hooks: ScanHooks): Promise<void>;
}

/**
 * Finds out what a file is, unpacks it if it must be, and has its records used.
 *
 * @param onProgress Told how much is unpacked.
 * @throws GoromdbError as `Scanner.scan` and `unpack`, and what `use` throws.
 */
export async function withSource<T>(
  request: ScanRequest,
  input: ScanInput,
  onProgress: (bytes: number) => void,
  use: (source: Source) => Promise<T>,
): Promise<T> {
  const { gzipped, scanner: spec, scratchDir } = request;
  const { packing, format } = recognise(input);
  // Text is read as it is unpacked; pages are read in any order, which takes a file.
  if (isText(spec) && packing !== 'zstd') {
    const isGzip = gzipped || packing === 'gzip';
    const look = packing === 'gzip' ? await recognisePacked(input) : format;
    return use(await sourceOf(spec, look, request, input, isGzip));
  }
  if (gzipped && packing !== 'gzip') {
    const message = `${input.path}: -gzipped was given, and this is not a gzip file`;
    throw new GoromdbError('FORMAT_UNKNOWN', message + (await likeness(input, false)));
  }
  if (packing === undefined) return use(await sourceOf(spec, format, request, input, gzipped));
  if (packing === 'gzip' && spec === 'auto') {
    const packed = await recognisePacked(input);
    if (packed !== undefined && isText(packed)) {
      return use(await sourceOf('auto', packed, request, input, true));
    }
  }
  const unpacked = await unpack(input, packing, scratchDir, onProgress);
  try {
    const { format } = recognise(unpacked);
    const source = await sourceOf(spec, format, request, unpacked, false);
    return await use({ ...source, isPacked: true });
  } finally {
    closeSync(unpacked.fd);
  }
}

function isText(format: string): boolean {
  return format === 'json' || format === 'jsonl';
}

async function sourceOf(
  spec: string,
  look: ReturnType<typeof recognise>['format'],
  request: ScanRequest,
  input: ScanInput,
  gzipped: boolean,
): Promise<Source> {
  // Whoever names fields says that it is JSON Lines, if it is a text.
  const format = request.fields !== undefined && look === 'json' ? 'jsonl' : look;
  const scanner = await scannerFor(spec, input, format);
  const selection = selectionFor(scanner, request, input);
  return {
    format: scanner.format,
    input,
    isPacked: gzipped,
    scan: (sink, hooks) => scan(scanner, input, { ...hooks, gzipped, ...selection }, sink, format),
  };
}

/** @throws GoromdbError FORMAT_UNSUPPORTED when a file of this format has no such things. */
function selectionFor(
  { format }: Scanner,
  { scanner: spec, bucket = [], fields, namespaces }: ScanRequest,
  { path }: ScanInput,
): Pick<ScanOptions, 'bucket' | 'inner' | 'fields' | 'namespaces'> {
  const fault = (text: string): GoromdbError =>
    new GoromdbError('FORMAT_UNSUPPORTED', `${path}: ${text}`);
  if (fields !== undefined && format !== 'jsonl') {
    throw fault(`${FIELD_FLAGS} are for JSON Lines, and this is ${format}: leave them out`);
  }
  const [name, ...inner] = typeof bucket === 'string' ? [bucket] : bucket;
  if (inner.length > 0 && isBuiltIn(spec) && format !== 'boltdb') {
    throw fault(
      `only BoltDB has buckets inside of buckets, and this is ${format}: give -bucket once`,
    );
  }
  return { bucket: name, ...(inner.length > 0 && { inner }), fields, namespaces };
}

/** Says that keys came more than once, and where the first of them is. */
export function repeatsNotice(
  input: ScanInput,
  { count, first, key }: Repeats,
  places: RecordPlaces,
): string {
  const offset = places.offsetOf(first);
  const text = recognise(input).packing === undefined ? '' : ' of the unpacked text';
  const place = offset === undefined ? '' : `, at byte ${offset}${text}`;
  const name = printable(key.toString());
  return `${countNotice(count)}; the first such key is ${name}${place}`;
}

/** Says how many records have a key that came before. */
function countNotice(count: number): string {
  const records = count === 1 ? '1 record has' : `${count} records have`;
  return `${records} a key that came before; the last of each is served`;
}
