import { GoromdbError } from '../../../common/errors.ts';
import { readBytes } from '../../scanners/byte-source.ts';
import { NamespaceSink } from '../../scanners/namespaces.ts';
import type { RecordSink, ScanInput, Scanner, ScanOptions } from '../../scanners/scanner.ts';
import { JsonLines } from './json-lines.ts';
import type { JsonReader, JsonReaderOptions } from './json-reader.ts';
import { JsonRecords } from './json-records.ts';

/**
 * Reads a flat JSON object whose values are strings, in UTF-8, of any size, plain or in gzip. Every
 * member is given to the sink in the order of the file, with flags 0. With `options.namespaces` it
 * reads an object of such objects.
 *
 * Besides what RFC 8259 rules out it refuses: bytes that are not UTF-8, escapes of lone surrogates
 * (they have no UTF-8), values that are not strings, and keys and values over the limits.
 */
export const jsonScanner: Scanner = {
  format: 'json',
  async scan(input: ScanInput, options: ScanOptions, sink: RecordSink): Promise<void> {
    refuseBucket(input, options, 'a JSON file');
    if (options.namespaces === undefined) {
      await readAll(input, options, new JsonRecords(sink, readerOptions(input, options)));
      return;
    }
    const namespaces = new NamespaceSink(input, 'object', sink, options.namespaces);
    const shape = { ...readerOptions(input, options), namespaces };
    await readAll(input, options, new JsonRecords(namespaces, shape));
  },
};

/**
 * Reads JSON Lines: a record a line, `{"key":"...","value":"..."}` or with the names in
 * `options.fields`, of any size, plain or in gzip. Refuses what `jsonScanner` refuses, and other
 * members unless they are to be passed over.
 */
export const jsonLinesScanner: Scanner = {
  format: 'jsonl',
  async scan(input: ScanInput, options: ScanOptions, sink: RecordSink): Promise<void> {
    refuseBucket(input, options, 'a file of JSON Lines');
    if (options.namespaces !== undefined) {
      const message = `${input.path}: -namespaces was given but a file of JSON Lines has none: remove -namespaces, or drop a file that has them`;
      throw new GoromdbError('FORMAT_UNSUPPORTED', message);
    }
    const lines = { ...readerOptions(input, options), fields: options.fields };
    await readAll(input, options, new JsonLines(sink, lines));
  },
};

function refuseBucket(input: ScanInput, { bucket }: ScanOptions, what: string): void {
  if (bucket === undefined) return;
  throw new GoromdbError(
    'FORMAT_UNSUPPORTED',
    `${input.path}: -bucket ${JSON.stringify(bucket)} was given but ${what} has no buckets: remove -bucket, or drop a file that has it`,
  );
}

function readerOptions({ path }: ScanInput, options: ScanOptions): JsonReaderOptions {
  const { gzipped, valueBytesMax, onRecord } = options;
  return { path, text: gzipped ? 'the unpacked text' : undefined, valueBytesMax, onRecord };
}

async function readAll(input: ScanInput, options: ScanOptions, reader: JsonReader): Promise<void> {
  options.onLocator?.(() => reader.recordPlace);
  for await (const chunk of readBytes(input, options)) reader.write(chunk);
  reader.end();
}
