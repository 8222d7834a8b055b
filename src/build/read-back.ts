import { closeSync, fstatSync, openSync } from 'node:fs';
import { tableScanner } from '../storage/formats/table.ts';
import type { RecordSink } from '../storage/scanners/scanner.ts';

/** Hands on the records of a table, in the order in which they were added. */
export type ReadBack = (sink: RecordSink) => Promise<void>;

/** @param isKept Whether a record, counted from 0, is handed on. */
export async function readTable(
  path: string,
  isKept: (record: number) => boolean,
  sink: RecordSink,
): Promise<void> {
  const fd = openSync(path, 'r');
  let record = 0;
  try {
    const input = { path, fd, size: fstatSync(fd).size };
    await tableScanner.scan(
      input,
      { gzipped: false },
      {
        add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags) {
          if (!isKept(record++)) return;
          sink.add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags);
        },
      },
    );
  } finally {
    closeSync(fd);
  }
}
