import type { RecordSink } from '../../src/storage/scanners/scanner.ts';
import type { DataSetInfo, Entry, Storage } from '../../src/storage/storage.ts';
import { openTable } from '../../src/storage/table/table.ts';
import { TableBuilder } from '../../src/storage/table/table-builder.ts';

/** What a test puts into a storage; of two records with one key the later one wins. */
export type TestRecord = readonly [key: Buffer | string, value: Buffer | string, flags?: number];

export function bytesOf(data: Buffer | string): Buffer {
  return typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
}

export function infoOf(keys: number, bytes: number, generation = 7): DataSetInfo {
  return {
    generation,
    keys,
    bytes,
    md5: 'f'.repeat(32),
    format: 'test',
    loadedAt: 1_700_000_000_000,
  };
}

export function addRecords(sink: RecordSink, records: Iterable<TestRecord>): void {
  for (const [key, value, flags] of records) {
    const keyBytes = bytesOf(key);
    const valueBytes = bytesOf(value);
    sink.add(keyBytes, 0, keyBytes.length, valueBytes, 0, valueBytes.length, flags ?? 0);
  }
}

export function tableOf(records: Iterable<TestRecord>, generation = 7): Storage {
  const builder = new TableBuilder();
  addRecords(builder, records);
  const parts = builder.build();
  return openTable(parts, infoOf(parts.layout.keys, parts.layout.bytes, generation));
}

/** The simplest storage that a library user could write: a Map, with no wire form. */
export class MapStorage implements Storage {
  readonly info: DataSetInfo;
  isClosed = false;
  readonly #records = new Map<string, Entry>();

  constructor(records: Iterable<TestRecord>, generation = 7) {
    for (const [key, value, flags = 0] of records) {
      const buffer = Buffer.from(bytesOf(value));
      const place = { buffer, valueStart: 0, valueEnd: buffer.length, wireStart: -1 };
      this.#records.set(bytesOf(key).toString('latin1'), { ...place, flags, cas: generation });
    }
    this.info = infoOf(this.#records.size, 0, generation);
  }

  get(key: Buffer, start: number, end: number): Entry | undefined {
    return this.#records.get(key.toString('latin1', start, end));
  }

  close(): void {
    this.isClosed = true;
    this.#records.clear();
  }
}
