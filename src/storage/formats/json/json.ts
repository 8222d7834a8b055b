/**
 * What belongs in this folder: JSON and JSON Lines.
 *
 * JSON texts: one object of strings, or a record on each line.
 */
import { readBytes } from '../../scanners/byte-source.ts';
import { createFormat } from '../../scanners/format.ts';
import { NamespaceSink } from '../../scanners/namespaces.ts';
import type { ScanInput, ScanOptions } from '../../scanners/scanner.ts';
import { likenessOf } from './json-likeness.ts';
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
export const jsonScanner = createFormat({
  format: 'json',
  title: 'a JSON object',
  reading: 'stream',
  has: ['namespaces'],
  lack: 'a JSON file has no buckets',
  recognise: (head, hints) => likenessOf(head, hints) === 'json',
  async scan(input, options, sink) {
    if (options.namespaces === undefined) {
      await readAll(input, options, new JsonRecords(sink, readerOptions(input, options)));
      return;
    }
    const namespaces = new NamespaceSink(input, 'object', sink, options.namespaces);
    const shape = { ...readerOptions(input, options), namespaces };
    await readAll(input, options, new JsonRecords(namespaces, shape));
  },
});

/**
 * Reads JSON Lines: a record a line, `{"key":"...","value":"..."}` or with the names in
 * `options.fields`, of any size, plain or in gzip. Refuses what `jsonScanner` refuses, and other
 * members unless they are to be passed over.
 */
export const jsonLinesScanner = createFormat({
  format: 'jsonl',
  title: 'JSON Lines',
  reading: 'stream',
  has: ['fields'],
  lack: 'JSON Lines have none',
  recognise: (head, hints) => likenessOf(head, hints) === 'jsonl',
  async scan(input, options, sink) {
    const lines = { ...readerOptions(input, options), fields: options.fields };
    await readAll(input, options, new JsonLines(sink, lines));
  },
});

function readerOptions({ path }: ScanInput, options: ScanOptions): JsonReaderOptions {
  const { gzipped, valueBytesMax, onRecord } = options;
  return { path, text: gzipped ? 'the decompressed text' : undefined, valueBytesMax, onRecord };
}

async function readAll(input: ScanInput, options: ScanOptions, reader: JsonReader): Promise<void> {
  options.onLocator?.(() => reader.recordPlace);
  for await (const chunk of readBytes(input, options)) reader.write(chunk);
  reader.end();
}
