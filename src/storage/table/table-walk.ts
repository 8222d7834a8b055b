import { crc32 } from 'node:zlib';
import { GoromdbError } from '../../common/errors.ts';
import { readAt } from '../scanners/page-file.ts';
import { type ScanInput, VALUE_BYTES_MAX } from '../scanners/scanner.ts';
import { RecordChecker } from './record-check.ts';
import { PAGE_HEAD_BYTES, type Region, runHeadOf, type TableLayout } from './table-layout.ts';

/** Bytes of one read: more than a record without its value, and 0.1 ms of work (2026-11-28). */
const BLOCK_BYTES = 256 * 1024;

/** Records that are handed over together. */
export const RECORDS_TOGETHER = 16;

/** Some records that follow on each other. Lent for the call. */
export interface RecordBatch {
  readonly bytes: Buffer;
  /** The number of the segment that they lie in. */
  readonly segment: number;
  /** Where in the segment `bytes` begins. */
  readonly base: number;
  /** How many there are. */
  readonly count: number;
  /** Where in `bytes` each begins. */
  readonly starts: Uint32Array;
  /** Where each key begins and ends. */
  readonly keys: Uint32Array;
  /** Where each value begins and ends. */
  readonly values: Uint32Array;
  readonly flags: Uint32Array;
}

export interface WalkOptions {
  /** Longest value in bytes, where it is less than VALUE_BYTES_MAX. */
  readonly valueBytesMax?: number | undefined;
  /** Called now and then with how many bytes of the file are done. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/**
 * Reads all records of a table that others wrote, those whose key came again later among them, and
 * checks all of the file but its head and its slots.
 *
 * @param layout What the file's head says: see `readHead`.
 * @throws GoromdbError DATA_CORRUPT, LIMIT_EXCEEDED, FILE_UNREADABLE; what `visit` throws.
 */
export function walkTable(
  input: ScanInput,
  layout: TableLayout,
  options: WalkOptions,
  visit: (batch: RecordBatch) => void,
): void {
  for (const _ of walkBlocks(input, layout, options, visit));
}

/** As `walkTable`, a block of records at each step. */
export function walkBlocks(
  input: ScanInput,
  layout: TableLayout,
  options: WalkOptions,
  visit: (batch: RecordBatch) => void,
): Generator<void, void, void> {
  return new TableWalk(input, layout, options, visit).blocks();
}

class TableWalk {
  readonly #input: ScanInput;
  readonly #layout: TableLayout;
  readonly #options: WalkOptions;
  readonly #visit: (batch: RecordBatch) => void;
  readonly #checker = new RecordChecker();
  readonly #block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  readonly #batch = {
    bytes: this.#block as Buffer,
    ...{ segment: 0, base: 0, count: 0 },
    starts: new Uint32Array(RECORDS_TOGETHER),
    keys: new Uint32Array(2 * RECORDS_TOGETHER),
    values: new Uint32Array(2 * RECORDS_TOGETHER),
    flags: new Uint32Array(RECORDS_TOGETHER),
  };
  #records = 0;

  constructor(
    input: ScanInput,
    layout: TableLayout,
    options: WalkOptions,
    visit: (batch: RecordBatch) => void,
  ) {
    this.#input = input;
    this.#layout = layout;
    this.#options = options;
    this.#visit = visit;
  }

  *blocks(): Generator<void, void, void> {
    const { segments, index, records, bytes } = this.#layout;
    let end = 0;
    for (const [number, region] of segments.entries()) {
      this.#checkGap(end, region);
      yield* this.#walkSegment(number, region);
      end = region.at + region.bytes;
    }
    this.#checkGap(end, index);
    this.#checkZeros(index.at + index.bytes, bytes);
    if (this.#records === records) return;
    throw corrupt(this.#input, index.at, `${records} records before it`, `${this.#records}`);
  }

  /** What lies before a region: the rest of the last page, and the header of the next one. */
  #checkGap(end: number, region: Region): void {
    const head = region.at - PAGE_HEAD_BYTES;
    if (end !== 0) this.#checkZeros(end, head);
    const expected = runHeadOf(region);
    const found = this.#read(expected.length, head);
    if (found.equals(expected)) return;
    const at = head + expected.findIndex((byte, i) => byte !== found[i]);
    throw corrupt(this.#input, at, `${expected[at - head]}`, `${found[at - head]}`);
  }

  #checkZeros(start: number, end: number): void {
    const found = this.#read(end - start, start);
    const other = found.findIndex((byte) => byte !== 0);
    if (other === -1) return;
    throw corrupt(this.#input, start + other, 'zeros up to the end of the page', `${found[other]}`);
  }

  *#walkSegment(number: number, region: Region): Generator<void, void, void> {
    const { onProgress } = this.#options;
    let sum = 0;
    let blockBytes = BLOCK_BYTES;
    for (let base = 0; base < region.bytes; ) {
      const length = Math.min(blockBytes, region.bytes - base);
      const bytes = this.#read(length, region.at + base);
      if (base === 0 && bytes[0] !== 0) throw corrupt(this.#input, region.at, '0', `${bytes[0]}`);
      // A segment begins at 1: offset 0 marks an empty slot in the index.
      const end = this.#walkBlock(bytes, number, base, base === 0 ? 1 : 0);
      blockBytes = end < length ? this.#bytesOfNext(region, base, end, length) : BLOCK_BYTES;
      if (end === 0) continue;
      sum = crc32(bytes.subarray(0, end), sum);
      base += end;
      onProgress?.(region.at + base);
      yield;
    }
    if (sum === region.crc32) return;
    const expected = `CRC-32 ${region.crc32} of the ${region.bytes} bytes from there on`;
    throw corrupt(this.#input, region.at, expected, `${sum}`);
  }

  /** @returns Where the last record ends that is all there. */
  #walkBlock(bytes: Buffer, segment: number, base: number, start: number): number {
    const checker = this.#checker;
    const batch = this.#batch;
    const { starts, keys, values, flags } = batch;
    batch.bytes = bytes;
    batch.segment = segment;
    batch.base = base;
    for (let at = start; ; ) {
      let count = 0;
      while (count < RECORDS_TOGETHER && checker.read(bytes, at, bytes.length)) {
        starts[count] = at;
        keys[2 * count] = checker.keyStart;
        keys[2 * count + 1] = checker.keyEnd;
        values[2 * count] = checker.valueStart;
        values[2 * count + 1] = checker.valueEnd;
        flags[count] = checker.flags;
        at = checker.valueEnd + 2;
        count++;
      }
      batch.count = count;
      this.#records += count;
      if (count > 0) this.#visit(batch);
      if (count < RECORDS_TOGETHER) {
        this.#throwFault(bytes, segment, base);
        return at;
      }
    }
  }

  #throwFault(bytes: Buffer, segment: number, base: number): void {
    const { fault } = this.#checker;
    if (fault === undefined) return;
    const place = this.#layout.segments[segment].at + base + fault.at;
    throw corrupt(this.#input, place, fault.expected, `${bytes[fault.at]}`);
  }

  /**
   * How much to read for the record that goes beyond the end of a block.
   *
   * @param end Where in the block it begins.
   */
  #bytesOfNext({ at, bytes }: Region, base: number, end: number, length: number): number {
    const place = at + base + end;
    if (base + length === bytes) {
      const left = `${length - end} bytes up to the end of the segment`;
      throw corrupt(this.#input, place, 'a whole record', left);
    }
    const { valueStart, valueEnd } = this.#checker;
    if (valueEnd === 0) return BLOCK_BYTES;
    const recordBytes = valueEnd + 2 - end;
    if (recordBytes > bytes - base - end) {
      const left = `${bytes - base - end} bytes up to the end of the segment`;
      throw corrupt(this.#input, place, `${recordBytes} bytes of a record`, left);
    }
    const { valueBytesMax = VALUE_BYTES_MAX } = this.#options;
    const valueBytes = valueEnd - valueStart;
    if (valueBytes > valueBytesMax) {
      const message = `${this.#input.path}: byte ${place}: a value is too large: expected at most ${valueBytesMax} bytes, found ${valueBytes}`;
      throw new GoromdbError('LIMIT_EXCEEDED', message);
    }
    return Math.max(BLOCK_BYTES, recordBytes);
  }

  /** Up to {@link BLOCK_BYTES} are lent until the next call. */
  #read(bytes: number, position: number): Buffer {
    const isLarge = bytes > BLOCK_BYTES;
    const target = isLarge ? Buffer.allocUnsafeSlow(bytes) : this.#block.subarray(0, bytes);
    readAt(this.#input, target, 0, bytes, position);
    return target;
  }
}

/** @param at Byte of the file. */
export function corrupt(
  { path }: ScanInput,
  at: number,
  expected: string,
  found: string,
): GoromdbError {
  const message = `${path}: byte ${at}: expected ${expected}, found ${found}`;
  return new GoromdbError('DATA_CORRUPT', message);
}
