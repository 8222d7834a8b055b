import { closeSync } from 'node:fs';
import { GoromdbError } from '../errors.ts';
import { printable } from '../storage/scanners/name-list.ts';
import { recognise } from '../storage/scanners/recognise.ts';
import {
  type NamespaceOptions,
  type RecordSink,
  type ScanInput,
  type ScanOptions,
  VALUE_BYTES_MAX,
} from '../storage/scanners/scanner.ts';
import type { Repeats } from '../storage/table-builder.ts';
import type { RecordPlaces } from './record-places.ts';
import { scan, scannerFor } from './scanners.ts';
import { recognisePacked, unpack } from './unpack.ts';

/** How a file is to be read: a part of what the loader is asked for. */
export interface ScanRequest {
  /** Built-in name, or the URL of a module whose default export is a `Scanner`. */
  readonly scanner: string;
  readonly gzipped: boolean;
  readonly bucket: string | undefined;
  readonly namespaces: NamespaceOptions | undefined;
  /** Where a packed file is unpacked to. */
  readonly scratchDir: string;
  /** Bytes that the records may take together. */
  readonly bytesMax: number;
}

/** What is told meanwhile; see `ScanOptions`. */
export interface ScanHooks {
  readonly onProgress: (bytes: number) => void;
  readonly onNotice: (text: string) => void;
  readonly onRecord: (offset: number) => void;
}

/**
 * Gives the records of a file to the sink, whatever its format and packing.
 *
 * @returns The format that the file turned out to have.
 * @throws GoromdbError as `Scanner.scan` and `unpack`.
 */
export async function scanFile(
  request: ScanRequest,
  input: ScanInput,
  sink: RecordSink,
  hooks: ScanHooks,
): Promise<string> {
  const { gzipped, scanner: spec, scratchDir } = request;
  const { packing, format } = recognise(input);
  // Text is read as it is unpacked; pages are read in any order, which takes a file.
  if (isText(spec) && packing !== 'zstd') {
    const isGzip = gzipped || packing === 'gzip';
    const look = packing === 'gzip' ? await recognisePacked(input) : format;
    return scanAs(spec, look, request, input, sink, { ...hooks, gzipped: isGzip });
  }
  if (gzipped && packing !== 'gzip') {
    const message = `${input.path}: -gzipped was given, and this is not a gzip file`;
    throw new GoromdbError('FORMAT_UNKNOWN', message);
  }
  if (packing === undefined) {
    return scanAs(spec, format, request, input, sink, { ...hooks, gzipped });
  }
  if (packing === 'gzip' && spec === 'auto') {
    const packed = await recognisePacked(input);
    if (packed !== undefined && isText(packed)) {
      return scanAs(packed, packed, request, input, sink, { ...hooks, gzipped: true });
    }
  }
  const unpacked = await unpack(input, packing, scratchDir, hooks.onProgress);
  try {
    const { format } = recognise(unpacked);
    const { onNotice, onRecord } = hooks;
    const options = { gzipped: false, onNotice, onRecord };
    return await scanAs(spec, format, request, unpacked, sink, options);
  } finally {
    closeSync(unpacked.fd);
  }
}

function isText(format: string): boolean {
  return format === 'json' || format === 'jsonl';
}

async function scanAs(
  spec: string,
  format: ReturnType<typeof recognise>['format'],
  { bucket, namespaces, bytesMax }: ScanRequest,
  input: ScanInput,
  sink: RecordSink,
  options: ScanOptions,
): Promise<string> {
  const scanner = await scannerFor(spec, input, format);
  const valueBytesMax = Math.min(VALUE_BYTES_MAX, bytesMax);
  await scan(scanner, input, { ...options, bucket, namespaces, valueBytesMax }, sink, format);
  return scanner.format;
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
  const records = count === 1 ? '1 record has' : `${count} records have`;
  const name = printable(key.toString());
  return `${records} a key that came before; the last of each is served; the first such key is ${name}${place}`;
}
