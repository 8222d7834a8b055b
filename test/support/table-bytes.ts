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
import { RecordReader } from '../../src/storage/record.ts';
import { firstSlot, type HashSpec, hashFunctionOf } from '../../src/storage/table/hash.ts';
import { checkTable } from '../../src/storage/table/table-check.ts';
import {
  HEAD_BYTES,
  headOf,
  layoutOf,
  PAGE_HEAD_BYTES,
  readHead,
  runHeadOf,
  type TableLayout,
} from '../../src/storage/table/table-layout.ts';
import type { WalkOptions } from '../../src/storage/table/table-walk.ts';
import type { TableWriterOptions } from '../../src/storage/table/table-writer.ts';
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
 * Computes the checksums again after bytes of a table were changed, so that other checks are tested.
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

/** A table of the same records whose index was made with another hash, whatever came of it. */
export function reindexed(bytes: Buffer, hash: HashSpec, slots: number): Buffer {
  const before = layoutIn(bytes);
  const layout = layoutOf({ ...before, hash, slots });
  const made = Buffer.alloc(layout.bytes);
  bytes.copy(made, 0, 0, before.index.at - PAGE_HEAD_BYTES);
  runHeadOf(layout.index).copy(made, layout.index.at - PAGE_HEAD_BYTES);
  const reader = new RecordReader();
  for (const [segment, { at, bytes: length }] of layout.segments.entries()) {
    const records = bytes.subarray(at, at + length);
    for (let offset = 1; offset < length; offset = reader.valueEnd + 2) {
      reader.readKey(records, offset);
      reader.readValue(records);
      const found = hashFunctionOf(hash)(records, reader.keyStart, reader.keyEnd);
      let slot = firstSlot(found, slots);
      while (made.readUInt32LE(layout.index.at + 8 * slot) !== 0) slot = (slot + 1) % slots;
      made.writeUInt32LE(offset, layout.index.at + 8 * slot);
      made.writeUInt32LE((found & 0xffff) * 65_536 + segment, layout.index.at + 8 * slot + 4);
    }
  }
  seal(made, layout);
  return made;
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
