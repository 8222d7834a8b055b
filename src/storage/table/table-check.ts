/** Checks a table's file that others wrote, so that it can be mapped and read without a look back. */
import { crc32 } from 'node:zlib';
import { GoromdbError } from '../../common/errors.ts';
import type { KeyCheck } from '../scanners/key-check.ts';
import { readAt } from '../scanners/page-file.ts';
import type { ScanInput } from '../scanners/scanner.ts';
import { firstSlot, type HashFunction, hashFunctionOf } from './hash.ts';
import { readTableHead } from './table-file.ts';
import { allocateSlots, comparesMax, PROBES_MAX, usedSlots } from './table-index.ts';
import { KeyPeek } from './table-keys.ts';
import type { TableLayout } from './table-layout.ts';
import {
  corrupt,
  RECORDS_TOGETHER,
  type RecordBatch,
  type WalkOptions,
  walkTable,
} from './table-walk.ts';

/** More slots for a record only take memory. */
const SLOTS_PER_RECORD_MAX = 4;

/**
 * Checks head, records, index and checksums: each record is well-formed, and the search for its key ends
 * at its slot, or, where the key came again later, at that of a later one. Nobody may write to the
 * file meanwhile or later. Memory holds the index.
 *
 * @param keyCheck Is shown each key.
 *
 * @throws GoromdbError DATA_CORRUPT, LIMIT_EXCEEDED, OUT_OF_MEMORY, FILE_UNREADABLE.
 */
export function checkTable(
  input: ScanInput,
  options: WalkOptions,
  keyCheck?: KeyCheck,
): TableLayout {
  const { layout } = readTableHead(input.path, input.fd);
  const check = new IndexCheck(input, layout, readIndex(input, layout));
  walkTable(input, layout, options, (batch) => {
    check.visit(batch);
    if (keyCheck !== undefined) lookAtKeys(batch, layout, keyCheck);
  });
  check.end();
  return layout;
}

function lookAtKeys(batch: RecordBatch, layout: TableLayout, check: KeyCheck): void {
  const { bytes, base, count, starts, keys, segment } = batch;
  const at = layout.segments[segment].at + base;
  let i = 0;
  check.locate = () => `byte ${at + starts[i]}`;
  for (; i < count; i++) check.look(bytes, keys[2 * i], keys[2 * i + 1]);
}

function readIndex(input: ScanInput, layout: TableLayout): Uint32Array {
  const { index, keys, records } = layout;
  const slots = index.bytes / 8;
  const slotsMax = SLOTS_PER_RECORD_MAX * Math.max(records, 1);
  if (slots > slotsMax) {
    throw corrupt(input, index.at, `at most ${slotsMax} slots for ${records} records`, `${slots}`);
  }
  const words = allocateSlots(slots);
  const bytes = Buffer.from(words.buffer);
  readAt(input, bytes, 0, bytes.length, index.at);
  const sum = crc32(bytes);
  if (sum !== index.crc32) {
    throw corrupt(input, index.at, `CRC-32 ${index.crc32} of the index from there on`, `${sum}`);
  }
  const { used, side } = usedSlots(words);
  if (used !== keys) throw corrupt(input, index.at, `${keys} slots in use`, `${used}`);
  if (side >= PROBES_MAX) {
    throw corrupt(input, index.at, `less than ${PROBES_MAX} slots in use side by side`, `${side}`);
  }
  return words;
}

class IndexCheck {
  readonly #input: ScanInput;
  readonly #layout: TableLayout;
  readonly #words: Uint32Array;
  readonly #slots: number;
  readonly #hash: HashFunction;
  readonly #keys: KeyPeek;
  /** Of one batch; the last one is of no meaning. */
  readonly #hashes = new Uint32Array(RECORDS_TOGETHER + 1);
  #comparesLeft: number;
  /** Records that a slot leads to. */
  #found = 0;

  constructor(input: ScanInput, layout: TableLayout, words: Uint32Array) {
    this.#input = input;
    this.#layout = layout;
    this.#words = words;
    this.#slots = words.length / 2;
    this.#hash = hashFunctionOf(layout.hash);
    this.#keys = new KeyPeek((target, bytes, at) => readAt(input, target, 0, bytes, at));
    this.#comparesLeft = comparesMax(layout.records);
  }

  visit(batch: RecordBatch): void {
    const { bytes, count, keys } = batch;
    const hashes = this.#hashes;
    for (let i = 0; i < count; i++) hashes[i] = this.#hash(bytes, keys[2 * i], keys[2 * i + 1]);
    // The processor waits for all these slots at the same time.
    let read = 0;
    for (let i = 0; i < count; i++) read ^= this.#words[firstSlot(hashes[i], this.#slots) * 2];
    // What is not used would not be read.
    hashes[RECORDS_TOGETHER] = read;
    for (let i = 0; i < count; i++) this.#checkRecord(batch, i);
  }

  /** Every record was seen: each of the slots in use leads to one of them, and to another one. */
  end(): void {
    const { keys, index } = this.#layout;
    if (this.#found === keys) return;
    throw corrupt(this.#input, index.at, `slots for ${keys} records`, `for ${this.#found}`);
  }

  /** Searches for the record's key as a lookup does. */
  #checkRecord(batch: RecordBatch, i: number): void {
    const words = this.#words;
    const hash = this.#hashes[i];
    const tag = hash & 0xffff;
    const own = batch.base + batch.starts[i];
    let at = firstSlot(hash, this.#slots) * 2;
    for (let probes = 0; probes < PROBES_MAX && words[at] !== 0; probes++) {
      const offset = words[at];
      const place = words[at + 1];
      if (place >>> 16 === tag) {
        const segment = place & 0xffff;
        if (offset === own && segment === batch.segment) {
          this.#found++;
          return;
        }
        if (this.#isSameKey(segment, offset, batch, i)) {
          if (segment > batch.segment || (segment === batch.segment && offset > own)) return;
          throw this.#fault(batch, own, 'a slot for the later of two records of one key');
        }
      }
      at += 2;
      if (at === words.length) at = 0;
    }
    throw this.#fault(batch, own, 'a slot for this record');
  }

  #fault({ segment }: RecordBatch, offset: number, expected: string): GoromdbError {
    return corrupt(this.#input, this.#layout.segments[segment].at + offset, expected, 'none');
  }

  /** A slot's place may be wrong: only that of a record that was found in the walk is right. */
  #isSameKey(segment: number, offset: number, batch: RecordBatch, i: number): boolean {
    const region = this.#layout.segments[segment];
    if (region === undefined || offset >= region.bytes) return false;
    if (this.#comparesLeft-- === 0) {
      const { path } = this.#input;
      const message = `${path}: the keys collide in the hash index: expected at most ${comparesMax(this.#layout.records)} comparisons of keys; they seem chosen to do so`;
      throw new GoromdbError('DATA_CORRUPT', message);
    }
    const start = batch.keys[2 * i];
    const end = batch.keys[2 * i + 1];
    const other = this.#keys.keyAt(region, offset);
    return (
      other.end - other.start === end - start &&
      other.end <= other.bytes.length &&
      batch.bytes.compare(other.bytes, other.start, other.end, start, end) === 0
    );
  }
}
