import { closeSync, fstatSync, openSync } from 'node:fs';
import { tableScanner } from '../../src/storage/formats/table.ts';
import type { Scanner } from '../../src/storage/scanners/scanner.ts';

/** The records of a file, as text. */
export async function recordsOf(
  path: string,
  scanner: Scanner = tableScanner,
): Promise<Record<string, string>> {
  const records: Record<string, string> = {};
  const fd = openSync(path, 'r');
  try {
    const input = { path, fd, size: fstatSync(fd).size };
    await scanner.scan(
      input,
      { gzipped: false },
      {
        add(key, keyStart, keyEnd, value, valueStart, valueEnd) {
          const text = (bytes: Uint8Array, start: number, end: number): string =>
            Buffer.from(bytes.subarray(start, end)).toString();
          records[text(key, keyStart, keyEnd)] = text(value, valueStart, valueEnd);
        },
      },
    );
  } finally {
    closeSync(fd);
  }
  return records;
}
