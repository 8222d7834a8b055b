import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RecordSink, Scanner, ScanOptions } from '../../src/storage/scanners/scanner.ts';

/** Records as `latin1` text, in the order of the scan. */
export type Records = [key: string, value: string][];

/** What follows the bytes of a scan. */
export interface Tail {
  readonly bytes: Buffer;
  /** Byte offset in the file. */
  readonly at: number;
  /** The file claims to have so many bytes from `at` on. */
  readonly missing?: number;
}

/** A file whose bytes can be exchanged: the scanner reads a descriptor. */
export class ScratchFile {
  readonly folder: string;
  readonly path: string;
  /** Client flags of the records of the last scan. */
  readonly flags: number[] = [];
  readonly fd: number;
  readonly #scanner: Scanner;

  constructor(scanner: Scanner) {
    this.folder = mkdtempSync(join(tmpdir(), 'goromdb-scan-'));
    this.path = join(this.folder, 'data.db');
    this.fd = openSync(this.path, 'w+');
    this.#scanner = scanner;
  }

  /** Scans `bytes`, with `tail` far behind them in a sparse file. */
  async scan(bytes: Buffer, options?: Partial<ScanOptions>, tail?: Tail): Promise<Records> {
    const records: Records = [];
    await this.scanTo(records, bytes, options, tail);
    return records;
  }

  /** As `scan`, but leaves in `records` what came before an error. */
  async scanTo(
    records: Records,
    bytes: Buffer,
    options: Partial<ScanOptions> = {},
    tail: Tail = { bytes: Buffer.alloc(0), at: bytes.length },
  ): Promise<void> {
    ftruncateSync(this.fd, 0);
    writeSync(this.fd, bytes, 0, bytes.length, 0);
    writeSync(this.fd, tail.bytes, 0, tail.bytes.length, tail.at);
    const size = tail.at + (tail.missing ?? tail.bytes.length);
    const input = { path: this.path, fd: this.fd, size };
    this.flags.length = 0;
    await this.#scanner.scan(
      input,
      { gzipped: false, ...options },
      recordSink(records, this.flags),
    );
  }

  close(): void {
    closeSync(this.fd);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Takes copies of records, and their client flags. */
export function recordSink(records: Records, allFlags: number[] = []): RecordSink {
  return {
    add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags) {
      allFlags.push(flags);
      records.push([latin1(key, keyStart, keyEnd), latin1(value, valueStart, valueEnd)]);
    },
  };
}

/** Fails where an offset is not within the memory, as a slice would hide it. */
function latin1(bytes: Uint8Array, start: number, end: number): string {
  if (!(start >= 0 && start <= end && end <= bytes.length)) {
    throw new TypeError(`[${start}, ${end}) of ${bytes.length} bytes`);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}
