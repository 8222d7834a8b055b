import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { checkTable } from '../../src/storage/table-check.ts';
import {
  HEAD_BYTES,
  headOf,
  layoutOf,
  readHead,
  type TableLayout,
} from '../../src/storage/table-layout.ts';
import type { WalkOptions } from '../../src/storage/table-walk.ts';
import type { TableWriterOptions } from '../../src/storage/table-writer.ts';
import { temporaryFolder } from './folder.ts';
import type { TestRecord } from './storages.ts';
import { writeTable } from './table-file.ts';

/** A table's file as a producer makes it. */
export async function tableBytes(
  records: Iterable<TestRecord>,
  options: Partial<TableWriterOptions> = {},
): Promise<Buffer> {
  const path = join(temporaryFolder(), 'table.mdb');
  await writeTable(path, records, options);
  return readFileSync(path);
}

/** What the head of a sound table says. */
export function layoutIn(bytes: Buffer): TableLayout {
  const layout = readHead(bytes.subarray(0, HEAD_BYTES), bytes.length);
  if (typeof layout === 'string') throw new Error(layout);
  return layout;
}

/**
 * Makes the sums right again after bytes of a table were changed, so that they do not find everything.
 *
 * @param layout Of the table before; what is given in `changes` takes its place.
 */
export function seal(
  bytes: Buffer,
  layout: TableLayout,
  changes: Partial<Pick<TableLayout, 'keys' | 'records' | 'hash'>> = {},
): void {
  const sumOf = ({ at, bytes: length }: { at: number; bytes: number }): number =>
    crc32(bytes.subarray(at, at + length));
  const sealed = layoutOf({
    ...layout,
    ...changes,
    slots: layout.index.bytes / 8,
    segments: layout.segments.map((region) => ({ bytes: region.bytes, crc32: sumOf(region) })),
    index: { crc32: sumOf(layout.index) },
  });
  headOf(sealed).copy(bytes);
}

/** A file whose bytes can be exchanged, to be checked as a table. */
export class TableFile {
  readonly fd: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'goromdb-table-'));
  readonly #path = join(this.#folder, 'table.mdb');

  constructor() {
    this.fd = openSync(this.#path, 'w+');
  }

  /** @throws GoromdbError as `checkTable`. */
  check(bytes: Buffer, options: WalkOptions = {}): TableLayout {
    ftruncateSync(this.fd, 0);
    writeSync(this.fd, bytes, 0, bytes.length, 0);
    return checkTable({ path: 'table.mdb', fd: this.fd, size: bytes.length }, options);
  }

  close(): void {
    closeSync(this.fd);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
