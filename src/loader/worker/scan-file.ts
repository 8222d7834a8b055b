import { closeSync } from 'node:fs';
import { GoromdbError } from '../../common/errors.ts';
import { likeness } from '../../storage/formats/foreign.ts';
import { AUTO, formatNamed, scan, scannerFor } from '../../storage/formats/formats.ts';
import { packedHeadOf, recognise, recogniseHead } from '../../storage/formats/recognise.ts';
import { type Selection, unfitFault } from '../../storage/formats/selection.ts';
import { unsupported } from '../../storage/scanners/faults.ts';
import type { Format } from '../../storage/scanners/format.ts';
import type {
  FieldOptions,
  RecordSink,
  ScanInput,
  ScanOptions,
} from '../../storage/scanners/scanner.ts';
import { unpack } from './unpack.ts';

/** How a file is to be read: a part of what the loader is asked for. */
export interface ScanRequest extends Selection {
  /** Built-in name, or the URL of a module whose default export is a `Scanner`. */
  readonly scanner: string;
  readonly gzipped: boolean;
  /** Where a compressed file is decompressed to. */
  readonly scratchDir: string;
}

/** What is called meanwhile, and the longest value; see `ScanOptions`. */
type ScanHooks = Omit<ScanOptions, 'gzipped' | keyof Selection | 'inner'>;

/** A file whose records can be read, more than once. */
export interface Source {
  /** The format that the file turned out to have. */
  readonly format: string;
  /** What the scanner reads. */
  readonly input: ScanInput;
  /** @throws GoromdbError as `Scanner.scan`. */
  scan(sink: RecordSink, hooks: ScanHooks): Promise<void>;
}

/**
 * Finds out what a file is, decompresses it if it must be, and lets `use` read its records.
 *
 * @param onProgress Called with how much is unpacked.
 * @throws GoromdbError as `Scanner.scan` and `unpack`, and what `use` throws.
 */
export async function withSource<T>(
  request: ScanRequest,
  input: ScanInput,
  onProgress: (bytes: number) => void,
  use: (source: Source) => Promise<T>,
): Promise<T> {
  const { gzipped, scanner: spec, scratchDir, fields } = request;
  const { packing, format } = recognise(input, fields);
  if (gzipped && packing !== 'gzip') {
    const message = `${input.path}: expected a gzip file (-gzipped), found another format`;
    throw new GoromdbError('FORMAT_UNKNOWN', message + (await likeness(input, false)));
  }
  const asked = formatNamed(spec);
  const mayStream = packing === 'gzip' && (spec === AUTO || asked?.reading === 'stream');
  const look = mayStream ? await recognisePacked(input, fields) : format;
  const isStreamed = mayStream && (asked ?? look)?.reading === 'stream';
  if (packing === undefined || isStreamed) {
    return use(await sourceOf(request, look, input, isStreamed));
  }
  const unpacked = await unpack(input, packing, scratchDir, onProgress);
  try {
    const { format } = recognise(unpacked, fields);
    return await use(await sourceOf(request, format, unpacked, false));
  } finally {
    closeSync(unpacked.fd);
  }
}

/**
 * What a gzip file holds, as the first bytes say that it decompresses to.
 *
 * @throws GoromdbError DATA_CORRUPT when they cannot be unpacked.
 */
async function recognisePacked(
  input: ScanInput,
  fields: FieldOptions | undefined,
): Promise<Format | undefined> {
  return recogniseHead(await packedHeadOf(input), { path: input.path, fields }).format;
}

/** @throws GoromdbError FORMAT_UNSUPPORTED when it does not have what is asked for. */
async function sourceOf(
  { scanner: spec, bucket, fields, namespaces }: ScanRequest,
  look: Format | undefined,
  input: ScanInput,
  gzipped: boolean,
): Promise<Source> {
  const scanner = await scannerFor(spec, input, look);
  const unfit = unfitFault(scanner, { bucket, fields });
  if (unfit !== undefined) throw unsupported(input, unfit);
  const [name, ...inner] = typeof bucket === 'string' ? [bucket] : (bucket ?? []);
  const selection = { bucket: name, ...(inner.length > 0 && { inner }), fields, namespaces };
  return {
    format: scanner.format,
    input,
    scan: (sink, hooks) => scan(scanner, input, { ...hooks, gzipped, ...selection }, sink, look),
  };
}
