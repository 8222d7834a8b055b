import type { DecodedArray, SchemaElement } from 'hyparquet';
import type { parquetHeader } from 'hyparquet/src/column.js';
import { deltaBinaryUnpack, deltaByteArray, deltaLengthByteArray } from 'hyparquet/src/delta.js';
import { byteStreamSplit } from 'hyparquet/src/encoding.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { readRuns } from './runs.ts';

export type PageHeader = ReturnType<typeof parquetHeader>;

/** Most bytes of the values of a page that share what they begin with (256 MiB). */
const SHARED_BYTES_MAX = 256 * 1024 * 1024;

/** The values of a page, without its nulls. */
export interface PageValues {
  /** 1 for each value that is there, 0 for a null; undefined: there are no nulls. */
  readonly levels: Uint8Array | undefined;
  readonly values: DecodedArray;
  /** The place of each value in the dictionary; undefined: `values` are the values. */
  readonly places: Uint32Array | undefined;
}

/** @throws Error when the dictionary is damaged. */
export function dictionaryOf(
  page: Uint8Array,
  count: number,
  element: SchemaElement,
): DecodedArray {
  const { type, type_length: length } = element;
  return readPlain({ view: viewOf(page, 0), offset: 0 }, type!, count, length);
}

/**
 * Reads a data page of the first version: levels and values, decompressed together.
 *
 * @throws Error when the page is damaged.
 */
export function pageValues(
  page: Uint8Array,
  { data_page_header: header }: PageHeader,
  element: SchemaElement,
): PageValues {
  const { num_values: count, encoding } = header!;
  if (element.repetition_type === 'REQUIRED') return valuesOf(page, 0, count, encoding, element);
  const view = viewOf(page, 0);
  const end = 4 + view.getUint32(0, true);
  const levels = levelsOf(page, 4, end, count);
  return { ...valuesOf(page, end, countOf(levels), encoding, element), levels };
}

/** As `pageValues`, of the second version: its levels lie uncompressed before the values. */
export function pageValuesV2(
  levelBytes: Uint8Array,
  page: Uint8Array,
  { data_page_header_v2: header }: PageHeader,
  element: SchemaElement,
): PageValues {
  const { num_values: count, encoding } = header!;
  if (element.repetition_type === 'REQUIRED') return valuesOf(page, 0, count, encoding, element);
  const levels = levelsOf(levelBytes, 0, levelBytes.length, count);
  return { ...valuesOf(page, 0, countOf(levels), encoding, element), levels };
}

function levelsOf(bytes: Uint8Array, start: number, end: number, count: number): Uint8Array {
  if (end > bytes.length) throw new Error('expected levels inside of the page');
  const levels = new Uint8Array(count);
  readRuns(bytes, start, end, 1, levels);
  return levels;
}

function countOf(levels: Uint8Array): number {
  let count = 0;
  for (const level of levels) count += level;
  return count;
}

function valuesOf(
  page: Uint8Array,
  start: number,
  count: number,
  encoding: string,
  element: SchemaElement,
): PageValues {
  const isOfDictionary = encoding === 'RLE_DICTIONARY' || encoding === 'PLAIN_DICTIONARY';
  if (!isOfDictionary || count === 0) {
    const values = count === 0 ? [] : decoded(page, start, count, encoding, element);
    return { levels: undefined, values, places: undefined };
  }
  const places = new Uint32Array(count);
  readRuns(page, start + 1, page.length, viewOf(page, start).getUint8(0), places);
  return { levels: undefined, values: [], places };
}

function decoded(
  page: Uint8Array,
  start: number,
  count: number,
  encoding: string,
  element: SchemaElement,
): DecodedArray {
  const type = element.type!;
  const reader = { view: viewOf(page, start), offset: 0 };
  if (encoding === 'PLAIN') return readPlain(reader, type, count, element.type_length);
  if (encoding === 'RLE' && type === 'BOOLEAN') {
    const bits = new Uint8Array(count);
    readRuns(page, start + 4, page.length, 1, bits);
    return Array.from(bits, (bit) => bit === 1);
  }
  const isFixed = type === 'FIXED_LEN_BYTE_ARRAY';
  if (encoding === 'BYTE_STREAM_SPLIT' && !isFixed)
    return byteStreamSplit(reader, count, type, undefined);
  if (encoding === 'DELTA_BINARY_PACKED') {
    const values = type === 'INT32' ? new Int32Array(count) : new BigInt64Array(count);
    deltaBinaryUnpack(reader, count, values);
    return values;
  }
  const values: Uint8Array[] = new Array(count);
  if (encoding === 'DELTA_LENGTH_BYTE_ARRAY') deltaLengthByteArray(reader, count, values);
  else if (encoding === 'DELTA_BYTE_ARRAY') {
    checkShared({ ...reader }, count);
    deltaByteArray(reader, count, values);
  } else throw new Error(`values of the encoding ${encoding} and the type ${type} are not read`);
  return values;
}

/** Values of a few bytes may say that each of them shares a megabyte with the one before. */
function checkShared(reader: { view: DataView; offset: number }, count: number): void {
  let bytes = 0;
  for (let part = 0; part < 2; part++) {
    const lengths = new Int32Array(count);
    deltaBinaryUnpack(reader, count, lengths);
    for (const length of lengths) bytes += Math.max(0, length);
  }
  if (bytes > SHARED_BYTES_MAX) {
    throw new Error(`expected values of at most ${SHARED_BYTES_MAX} bytes, found ${bytes}`);
  }
}

/** hyparquet looks beyond the view, so memory must end with the page. */
function viewOf({ buffer, byteOffset, length }: Uint8Array, start: number): DataView {
  return new DataView(buffer, byteOffset + start, length - start);
}
