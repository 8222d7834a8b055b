import { closeSync, constants, fsync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';
import type { RecordSink } from '../scanners/scanner.ts';
import { type Block, blockOf, RecordPacker, tooLarge } from './record-packer.ts';
import { buildIndex, type RecordBlock, type Repeats } from './table-index.ts';
import { KeyPeek } from './table-keys.ts';
import {
  FIRST_SEGMENT_AT,
  headOf,
  layoutOf,
  nextRun,
  PAGE_HEAD_BYTES,
  runHeadOf,
  SEGMENT_BYTES_MAX,
  SEGMENTS_MAX,
  type TableLayout,
} from './table-layout.ts';

/** Records are collected in memory of this size; a larger record gets its own for a moment. */
const BLOCK_BYTES = 4 * 1024 * 1024;

/** Bytes of the index that are written at once. */
const PIECE_BYTES = 64 * 1024 * 1024;

const sync = promisify(fsync);

export interface TableWriterOptions {
  /** The table's file, which must not be there yet. */
  readonly path: string;
  /** Permission bits of the file. Default: for its owner alone. */
  readonly mode?: number;
  /** Whether it is noted which records have a key that did not come before. */
  readonly notesFirsts?: boolean;
  /** See `TableLayout`. */
  readonly part?: string | undefined;
  /** Bytes of a segment at most, for tests. */
  readonly segmentBytesMax?: number;
  /** Memory for records, in bytes. Default: {@link BLOCK_BYTES}. */
  readonly blockBytes?: number | undefined;
  /** Whether nobody reads it after this process has ended: nothing is flushed then. */
  readonly isScratch?: boolean;
}

interface WrittenSegment {
  readonly at: number;
  bytes: number;
  crc32: number;
}

/** Where a block of records was written to. */
interface WrittenBlock {
  readonly segment: number;
  readonly base: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Writes records to a table's file as they come: memory holds one block of them. `finish` reads them
 * back once, in order, to index them, and holds 11.4 bytes for each.
 */
export class TableWriter implements RecordSink {
  readonly #path: string;
  readonly #fd: number;
  readonly #segmentBytesMax: number;
  readonly #isScratch: boolean;
  readonly #part: string | undefined;
  readonly #packer: RecordPacker;
  readonly #segments: WrittenSegment[] = [];
  readonly #blocks: WrittenBlock[] = [];
  readonly #blockBytes: number;
  readonly #memory: Block;
  #block: Block;
  /** Where the records of the block begin: the first of a segment at 1. */
  #start = 0;
  #repeats: Repeats | undefined;
  readonly #notesFirsts: boolean;
  #firsts: Uint8Array | undefined;
  readonly #keys = new KeyPeek((target, bytes, position) => this.#read(target, bytes, position));

  /** @throws GoromdbError FOLDER_UNUSABLE, DISK_FULL. */
  constructor(options: TableWriterOptions) {
    const { path, mode = 0o600, segmentBytesMax = SEGMENT_BYTES_MAX, isScratch = false } = options;
    this.#notesFirsts = options.notesFirsts ?? false;
    this.#path = path;
    this.#blockBytes = options.blockBytes ?? BLOCK_BYTES;
    this.#memory = blockOf(Buffer.allocUnsafeSlow(this.#blockBytes), 0);
    this.#block = this.#memory;
    this.#fd = createTable(path, mode);
    this.#segmentBytesMax = segmentBytesMax;
    this.#isScratch = isScratch;
    this.#part = options.part;
    this.#packer = new RecordPacker((bytes) => this.#nextBlock(bytes));
  }

  /** @throws GoromdbError LIMIT_EXCEEDED, DISK_FULL, FOLDER_UNUSABLE. */
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

  /** What `finish` has found; undefined: every key came once. */
  get repeats(): Repeats | undefined {
    return this.#repeats;
  }

  /** What `finish` has noted: whether a record, counted from 0, has a key that did not come before. */
  isFirst(record: number): boolean {
    const firsts = this.#firsts;
    return firsts === undefined || (firsts[record >> 3] & (1 << (record & 7))) !== 0;
  }

  /**
   * Indexes the records and writes index and head. When it resolves the file survives a power loss.
   *
   * @param whileSyncing Work to do while the disk takes what was written.
   * @throws GoromdbError as `buildIndex` and `add`.
   */
  async finish(whileSyncing: () => void = () => {}): Promise<TableLayout> {
    this.#flush();
    const { records } = this.#packer;
    const packed = {
      count: records,
      blocks: () => this.#readBlocks(),
      keyAt: (segment: number, offset: number) => this.#keys.keyAt(this.#segments[segment], offset),
    };
    if (this.#notesFirsts) this.#firsts = new Uint8Array(Math.ceil(records / 8));
    const { hash, words, keys, repeats } = buildIndex(packed, this.#firsts);
    this.#repeats = repeats;
    const bytes = Buffer.from(words.buffer);
    const index = { crc32: crc32(bytes) };
    const segments = this.#segments;
    const slots = words.length / 2;
    const layout = layoutOf({ hash, keys, records, segments, slots, index, part: this.#part });
    this.#write(bytes, layout.index.at);
    for (const region of [...layout.segments, layout.index]) {
      this.#write(runHeadOf(region), region.at - PAGE_HEAD_BYTES);
    }
    this.#try(() => ftruncateSync(this.#fd, layout.bytes));
    this.#write(headOf(layout), 0);
    if (this.#isScratch) return layout;
    const synced = sync(this.#fd);
    // Awaited below: a fault of the work comes first, and must leave no rejection behind.
    synced.catch(() => {});
    whileSyncing();
    await synced.catch((cause: unknown) => {
      throw cannotWrite(this.#path, cause);
    });
    return layout;
  }

  /** Safe to call once, whatever happened. The file stays. */
  close(): void {
    closeSync(this.#fd);
  }

  /** Writes what was collected, and begins a new block. */
  #nextBlock(recordBytes: number): Block {
    this.#flush();
    let segment = this.#segments.at(-1);
    if (segment === undefined || segment.bytes + recordBytes > this.#segmentBytesMax) {
      segment = this.#addSegment();
    }
    // A segment begins at 1: offset 0 marks an empty slot in the index.
    this.#start = segment.bytes === 0 ? 1 : 0;
    const room = Math.min(this.#blockBytes, this.#segmentBytesMax - segment.bytes);
    const isLarge = this.#start + recordBytes > room;
    const bytes = isLarge
      ? Buffer.allocUnsafeSlow(this.#start + recordBytes)
      : this.#memory.bytes.subarray(0, room);
    bytes[0] = 0;
    this.#block = blockOf(bytes, this.#start);
    return this.#block;
  }

  #addSegment(): WrittenSegment {
    if (this.#segments.length === SEGMENTS_MAX) {
      throw tooLarge('the number of segments', SEGMENTS_MAX + 1, SEGMENTS_MAX);
    }
    const last = this.#segments.at(-1);
    const at = last === undefined ? FIRST_SEGMENT_AT : nextRun(last.at, last.bytes);
    const segment = { at, bytes: 0, crc32: 0 };
    this.#segments.push(segment);
    return segment;
  }

  #flush(): void {
    const { bytes, used } = this.#block;
    const segment = this.#segments.at(-1);
    if (segment === undefined || used === this.#start) return;
    const base = segment.bytes;
    const piece = bytes.subarray(0, used);
    this.#write(piece, segment.at + base);
    segment.crc32 = crc32(piece, segment.crc32);
    segment.bytes += used;
    const place = { segment: this.#segments.length - 1, base, start: this.#start, end: used };
    this.#blocks.push(place);
    this.#block = this.#memory;
    this.#block.used = 0;
    this.#start = 0;
  }

  *#readBlocks(): Generator<RecordBlock> {
    for (const place of this.#blocks) {
      const { segment, base, end } = place;
      const bytes = end <= this.#blockBytes ? this.#memory.bytes : Buffer.allocUnsafeSlow(end);
      this.#read(bytes, end, this.#segments[segment].at + base);
      yield { ...place, bytes };
    }
  }

  #read(target: Buffer, bytes: number, position: number): void {
    for (let done = 0; done < bytes; ) {
      const count = readSync(this.#fd, target, done, bytes - done, position + done);
      if (count === 0) throw new Error('the table was cut short while it was written');
      done += count;
    }
  }

  #try<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      throw cannotWrite(this.#path, cause);
    }
  }

  #write(bytes: Buffer, position: number): void {
    for (let done = 0; done < bytes.length; ) {
      const length = Math.min(bytes.length - done, PIECE_BYTES);
      done += this.#try(() => writeSync(this.#fd, bytes, done, length, position + done));
    }
  }
}

/**
 * Makes a table's file, which must not be there yet.
 *
 * @returns Its descriptor, for reading and writing.
 * @throws GoromdbError FOLDER_UNUSABLE, DISK_FULL.
 */
export function createTable(path: string, mode: number): number {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  try {
    return openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  } catch (cause) {
    throw cannotWrite(path, cause);
  }
}

/**
 * Why a table cannot be written. The file that is read may be at fault too: who catches an error must
 * know that this was not it.
 */
export function cannotWrite(path: string, cause: unknown): GoromdbError {
  const { code } = cause as NodeJS.ErrnoException;
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  const message = isFull
    ? `there is no room to write ${path} (${code}): make room on that disk`
    : `cannot write ${path}: ${messageOf(explained(cause, path))}`;
  return new GoromdbError(isFull ? 'DISK_FULL' : 'FOLDER_UNUSABLE', message, { cause });
}
