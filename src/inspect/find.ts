import { withSource } from '../loader/worker/scan-file.ts';
import { longestValue } from '../loader/worker/value-limit.ts';
import { recognise } from '../storage/formats/recognise.ts';
import { tableScanner } from '../storage/formats/table.ts';
import { KEY_BYTES_MAX, type RecordSink, type ScanInput } from '../storage/scanners/scanner.ts';
import { readTableHead } from '../storage/table/table-file.ts';
import { TableSearch } from '../storage/table/table-search.ts';
import { type ReadOptions, scanRequestOf } from './inspect.ts';
import { withOpened } from './opened.ts';

/** A record of a file. */
export interface FileRecord {
  readonly key: Buffer;
  readonly value: Buffer;
  /** memcached's client flags. */
  readonly flags: number;
}

/**
 * Finds records by their keys. A table is searched by its index; any other file is read once.
 *
 * @param place `FILE`, `BASEDIR`, `BASEDIR@previous` or `BASEDIR@7`.
 * @returns For each key its record; undefined: there is none.
 * @throws GoromdbError as `Scanner.scan` when the file is bad; FILE_UNREADABLE, FILE_CHANGED.
 */
export function findRecords(
  place: string,
  keys: readonly Buffer[],
  options: ReadOptions = {},
): Promise<readonly (FileRecord | undefined)[]> {
  const { onNotice = () => {} } = options;
  return withOpened(place, onNotice, ({ input, isServed }) =>
    withSource(
      scanRequestOf(options, isServed),
      input,
      () => {},
      async (source) => {
        const isTable = source.format === tableScanner.format;
        if (isTable && recognise(source.input).format === tableScanner) {
          return findInTable(source.input, keys);
        }
        const found = new Wanted(keys);
        await source.scan(found, { valueBytesMax: longestValue() });
        return found.records;
      },
    ),
  );
}

function findInTable(
  input: ScanInput,
  keys: readonly Buffer[],
): readonly (FileRecord | undefined)[] {
  const search = new TableSearch(input, readTableHead(input.path, input.fd).layout, false);
  return keys.map((key) => {
    if (search.find(key, 0, key.length) < 0) return undefined;
    const { bytes, record } = search;
    const value = Buffer.from(bytes.subarray(record.valueStart, record.valueEnd));
    return { key, value, flags: record.flags };
  });
}

/** Keeps the records of some keys, of each the last. */
class Wanted implements RecordSink {
  readonly #keys: readonly Buffer[];
  readonly #found = new Map<string, FileRecord | undefined>();
  /** 1 for each length that a key has. */
  readonly #lengths = new Uint8Array(KEY_BYTES_MAX + 1);

  constructor(keys: readonly Buffer[]) {
    this.#keys = keys;
    for (const key of keys) {
      this.#found.set(key.toString('latin1'), undefined);
      if (key.length <= KEY_BYTES_MAX) this.#lengths[key.length] = 1;
    }
  }

  get records(): readonly (FileRecord | undefined)[] {
    return this.#keys.map((key) => this.#found.get(key.toString('latin1')));
  }

  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    flags: number,
  ): void {
    if (this.#lengths[keyEnd - keyStart] !== 1) return;
    const bytes = Buffer.from(key.subarray(keyStart, keyEnd));
    const name = bytes.toString('latin1');
    if (!this.#found.has(name)) return;
    const copy = Buffer.from(value.subarray(valueStart, valueEnd));
    this.#found.set(name, { key: bytes, value: copy, flags });
  }
}
