import { crc32 } from 'node:zlib';
import { GoromdbError } from '../../common/errors.ts';
import { RecordReader } from '../record.ts';
import type { RecordSink } from '../scanners/scanner.ts';
import { type Block, blockOf, RecordPacker, tooLarge } from './record-packer.ts';
import type { TableParts } from './table.ts';
import { buildIndex, type PackedRecords, type Repeats } from './table-index.ts';
import { layoutOf, SEGMENTS_MAX } from './table-layout.ts';

/** Bytes of the first segment; each further one doubles, so that small data sets stay small. */
const SEGMENT_BYTES_MIN = 256 * 1024;

/**
 * Bytes of a segment at most, unless it holds a single larger record. Memory that is not written
 * to is not resident, so the unused end of the last segment costs address space only.
 */
const SEGMENT_BYTES_MAX = 1024 * 1024 * 1024;

/** A table that lies in memory. */
export type TableInMemory = TableParts & {
  readonly place: { readonly memory: readonly ArrayBufferLike[] };
};

/**
 * Collects records and makes a table of them in memory, for programs that serve data of their own.
 * Of two records with one key the later one wins.
 */
export class TableBuilder implements RecordSink {
  readonly #blocks: Block[] = [];
  readonly #packer = new RecordPacker((bytes) => this.#addSegment(bytes));
  #repeats: Repeats | undefined;

  /** @throws GoromdbError LIMIT_EXCEEDED, OUT_OF_MEMORY. */
  add(
    key: Uint8Array,
    keyStart: number,
    keyEnd: number,
    value: Uint8Array,
    valueStart: number,
    valueEnd: number,
    flags: number,
  ): void {
    this.#packer.add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags);
  }

  /** Indexes what was added. The builder is used up by it. @throws GoromdbError as `buildIndex`. */
  build(): TableInMemory {
    const { hash, words, keys, repeats } = buildIndex(this.#packed());
    this.#repeats = repeats;
    const segments = this.#blocks.map(({ bytes, used }) => ({
      bytes: used,
      crc32: crc32(bytes.subarray(0, used)),
    }));
    const index = { crc32: crc32(new Uint8Array(words.buffer)) };
    const { records } = this.#packer;
    const layout = layoutOf({ hash, keys, records, segments, slots: words.length / 2, index });
    const memory = [...this.#blocks.map(({ bytes }) => bytes.buffer), words.buffer];
    return { layout, place: { memory } };
  }

  /** What `build` has found; undefined: every key came once. */
  get repeats(): Repeats | undefined {
    return this.#repeats;
  }

  #packed(): PackedRecords {
    const blocks = this.#blocks;
    const reader = new RecordReader();
    return {
      count: this.#packer.records,
      *blocks() {
        for (const [segment, { bytes, used }] of blocks.entries()) {
          yield { segment, base: 0, bytes, start: 1, end: used };
        }
      },
      keyAt: (segment, offset) => {
        const { bytes } = blocks[segment];
        reader.readKey(bytes, offset);
        return { bytes, start: reader.keyStart, end: reader.keyEnd };
      },
    };
  }

  #addSegment(recordBytes: number): Block {
    const last = this.#blocks.at(-1)?.bytes.length ?? 0;
    const doubled = Math.min(last * 2, SEGMENT_BYTES_MAX);
    if (this.#blocks.length === SEGMENTS_MAX) {
      throw tooLarge('the number of segments', SEGMENTS_MAX + 1, SEGMENTS_MAX);
    }
    const memory = allocate(Math.max(SEGMENT_BYTES_MIN, doubled, recordBytes + 1));
    // A segment begins at 1: offset 0 marks an empty slot in the index.
    const block = blockOf(Buffer.from(memory), 1);
    this.#blocks.push(block);
    return block;
  }
}

function allocate(bytes: number): ArrayBuffer {
  try {
    return new ArrayBuffer(bytes);
  } catch (cause) {
    const message = `not enough memory: expected ${bytes} bytes more`;
    throw new GoromdbError('OUT_OF_MEMORY', message, { cause });
  }
}
