import { GoromdbError } from '../../errors.ts';
import { readBytes } from './byte-source.ts';
import { JsonRecords } from './json-records.ts';
import type { RecordSink, ScanInput, Scanner, ScanOptions } from './scanner.ts';

/**
 * Reads a flat JSON object whose values are strings, in UTF-8, of any size, plain or in gzip. Every
 * member is given to the sink in the order of the file, with flags 0.
 *
 * Besides what RFC 8259 rules out it refuses: bytes that are not UTF-8, escapes of lone surrogates
 * (they have no UTF-8), values that are not strings, and keys and values over the limits.
 */
export const jsonScanner: Scanner = {
  format: 'json',
  async scan(input: ScanInput, options: ScanOptions, sink: RecordSink): Promise<void> {
    if (options.bucket !== undefined) {
      throw new GoromdbError(
        'FORMAT_UNSUPPORTED',
        `${input.path}: -bucket ${JSON.stringify(options.bucket)} was given but a JSON file has no buckets: remove -bucket, or drop a file that has it`,
      );
    }
    const text = options.gzipped ? 'the unpacked text' : undefined;
    const records = new JsonRecords(sink, {
      path: input.path,
      text,
      valueBytesMax: options.valueBytesMax,
    });
    for await (const chunk of readBytes(input, options)) records.write(chunk);
    records.end();
  },
};
