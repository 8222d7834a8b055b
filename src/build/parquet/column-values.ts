import zlib from 'node:zlib';
import type { ColumnMetaData, Compressors, DecodedArray, SchemaElement } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { snappyUncompress } from 'hyparquet/src/snappy.js';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import {
  dictionaryOf,
  type PageHeader,
  type PageValues,
  pageValues,
  pageValuesV2,
} from './page-values.ts';
import { corrupt, type FlatColumn, type OpenFile, readExactly, startOf } from './parquet-file.ts';
import { endOfThrift, ThriftFault } from './thrift.ts';

/** Largest page in bytes, decompressed (256 MiB). Writers make pages of about a megabyte. */
const PAGE_BYTES_MAX = 256 * 1024 * 1024;
/** Most bytes of the pages that are read side by side, one of each column (512 MiB). */
export const PAGES_BYTES_MAX = 512 * 1024 * 1024;
/** Most values of a page. */
const PAGE_VALUES_MAX = 16 * 1024 * 1024;

/** How much of the file is read for the head of a page, at first and at most: it may have statistics. */
const HEAD_BYTES = 4 * 1024;
const HEAD_BYTES_MAX = 16 * 1024 * 1024;

/** Newer than the types of the oldest Node that is supported: 22.15, 23.8. */
const { zstdDecompressSync } = zlib as { zstdDecompressSync?: typeof zlib.gunzipSync };

/** What Node can decompress; it makes no more bytes than the page says. */
const COMPRESSORS: Compressors = {
  UNCOMPRESSED: (bytes) => bytes,
  SNAPPY(bytes, length) {
    const page = new Uint8Array(length);
    snappyUncompress(bytes, page);
    return page;
  },
  GZIP: (bytes, maxOutputLength) => zlib.gunzipSync(bytes, { maxOutputLength }),
  BROTLI: (bytes, maxOutputLength) => zlib.brotliDecompressSync(bytes, { maxOutputLength }),
  ...(zstdDecompressSync && {
    ZSTD: (bytes: Uint8Array, maxOutputLength: number) =>
      zstdDecompressSync(bytes, { maxOutputLength }),
  }),
};

/** Bytes of pages that all columns hold at the time. */
export interface PageRoom {
  used: number;
}

/**
 * The values of a column in one row group, page by page: memory holds one page and the dictionary.
 *
 * What a page says of itself is checked before memory is taken for it.
 */
export class ColumnValues {
  readonly #file: OpenFile;
  readonly #chunk: ColumnMetaData;
  readonly #element: SchemaElement;
  readonly #room: PageRoom;
  readonly #start: number;
  #position: number;
  readonly #end: number;
  #rowsLeft: number;
  #dictionary: DecodedArray | undefined;
  #dictionaryBytes = 0;
  #page: PageValues = { levels: undefined, values: [], places: undefined };
  #pageBytes = 0;
  /** Rows of the page, and the next of them. */
  #rows = 0;
  #next = 0;
  /** The next value that is there. */
  #nextValue = 0;

  constructor(
    file: OpenFile,
    chunk: ColumnMetaData,
    { element }: FlatColumn,
    rows: number,
    room: PageRoom,
  ) {
    this.#file = file;
    this.#chunk = chunk;
    // Without what the values mean: see `textOf`.
    const { converted_type: _, logical_type: __, ...physical } = element;
    this.#element = physical;
    this.#room = room;
    this.#rowsLeft = rows;
    this.#start = Number(startOf(chunk));
    this.#position = this.#start;
    this.#end = this.#position + Number(chunk.total_compressed_size);
    this.#checkCodec();
  }

  /** Bytes of the file that are read. */
  get bytesRead(): number {
    return this.#position - this.#start;
  }

  /** The value of the next row; null is one. @throws GoromdbError DATA_CORRUPT, LIMIT_EXCEEDED. */
  next(): unknown {
    while (this.#next === this.#rows) this.#readPage();
    const { levels, values, places } = this.#page;
    if (levels !== undefined && levels[this.#next++] === 0) return null;
    if (levels === undefined) this.#next++;
    const i = this.#nextValue++;
    const value: unknown = places === undefined ? values[i] : this.#dictionary?.[places[i]];
    if (value !== undefined) return value;
    throw this.#corrupt('expected a value, found one that is not in the dictionary or the page');
  }

  /** Lets go of the memory. */
  close(): void {
    this.#room.used -= this.#pageBytes + this.#dictionaryBytes;
    this.#rows = 0;
    this.#next = 0;
    this.#page = { levels: undefined, values: [], places: undefined };
    this.#dictionary = undefined;
  }

  #checkCodec(): void {
    const { codec } = this.#chunk;
    if (COMPRESSORS[codec] !== undefined) return;
    const need = codec === 'ZSTD' ? ', which takes Node 22.15 or newer' : '';
    const message = `${this.#where}: expected pages compressed with snappy, gzip, zstd or brotli, found ${codec}${need}`;
    throw new GoromdbError('FORMAT_UNSUPPORTED', message);
  }

  #readPage(): void {
    const start = this.#position;
    const header = this.#readHeader();
    const { type, compressed_page_size: bytes } = header;
    const count = this.#checkHeader(header);
    const page = readExactly(this.#file, this.#position, bytes);
    this.#position += bytes;
    // An index page, or one of a kind to come.
    if (count === undefined) return;
    const isDictionary = type === 'DICTIONARY_PAGE';
    this.#take(header.uncompressed_page_size, isDictionary);
    try {
      if (isDictionary) {
        this.#dictionary = dictionaryOf(this.#decompress(header, page, 0), count, this.#element);
        return;
      }
      this.#page = this.#decode(header, page);
    } catch (cause) {
      throw this.#corrupt(`the page at byte ${start} is damaged: ${messageOf(cause)}`, cause);
    }
    this.#rowsLeft -= count;
    this.#rows = count;
    this.#next = 0;
    this.#nextValue = 0;
  }

  #take(bytes: number, isDictionary: boolean): void {
    this.#room.used += bytes - (isDictionary ? this.#dictionaryBytes : this.#pageBytes);
    if (isDictionary) this.#dictionaryBytes = bytes;
    else this.#pageBytes = bytes;
    if (this.#room.used <= PAGES_BYTES_MAX) return;
    const message = `${this.#where}: expected pages of at most ${PAGES_BYTES_MAX} bytes for all columns, found more: read fewer columns`;
    throw new GoromdbError('LIMIT_EXCEEDED', message);
  }

  #readHeader(): PageHeader {
    const left = this.#end - this.#position;
    if (left <= 0)
      throw this.#corrupt(`expected ${this.#rowsLeft} more values, found the end of the column`);
    for (let bytes = Math.min(HEAD_BYTES, left); ; bytes = Math.min(bytes * 16, left)) {
      const head = readExactly(this.#file, this.#position, bytes);
      try {
        const end = endOfThrift(head, 0);
        const view = new DataView(head.buffer, 0, end);
        const header = parquetHeader({ view, offset: 0 });
        this.#position += end;
        return header;
      } catch (cause) {
        const mayGrow = cause instanceof ThriftFault && cause.isCut && bytes < left;
        if (mayGrow && bytes < HEAD_BYTES_MAX) continue;
        const at = `at byte ${this.#position}`;
        throw this.#corrupt(
          `the head of a page ${at} is damaged: found ${messageOf(cause)}`,
          cause,
        );
      }
    }
  }

  /** @returns How many values the page has; undefined: it has none that are read. */
  #checkHeader(header: PageHeader): number | undefined {
    const { type, compressed_page_size: bytes, uncompressed_page_size: unpacked } = header;
    this.#check('bytes of a page', bytes, this.#end - this.#position);
    this.#check('bytes of a decompressed page', unpacked, PAGE_BYTES_MAX);
    const values = Math.min(this.#rowsLeft, PAGE_VALUES_MAX);
    if (type === 'DATA_PAGE') {
      return this.#check('values of a page', header.data_page_header?.num_values, values);
    }
    if (type === 'DICTIONARY_PAGE') {
      const count = header.dictionary_page_header?.num_values;
      return this.#check('values of a dictionary', count, Math.min(unpacked, PAGE_VALUES_MAX));
    }
    if (type !== 'DATA_PAGE_V2') return undefined;
    const second = header.data_page_header_v2;
    const count = this.#check('values of a page', second?.num_values, values);
    this.#check('nulls of a page', second?.num_nulls, count);
    const levels = this.#check('bytes of levels', second?.repetition_levels_byte_length, bytes);
    this.#check('bytes of levels', second?.definition_levels_byte_length, bytes - levels);
    return count;
  }

  #check(what: string, value: unknown, max: number): number {
    if (typeof value === 'number' && value >= 0 && value <= max) return value;
    throw this.#corrupt(`expected the ${what} to be from 0 to ${max}, found ${String(value)}`);
  }

  #decode(header: PageHeader, page: Buffer): PageValues {
    const second = header.data_page_header_v2;
    if (header.type === 'DATA_PAGE' || second === undefined) {
      return pageValues(this.#decompress(header, page, 0), header, this.#element);
    }
    const repetitions = second.repetition_levels_byte_length;
    const levels = repetitions + second.definition_levels_byte_length;
    const isPacked = second.is_compressed !== false;
    const values = isPacked ? this.#decompress(header, page, levels) : page.subarray(levels);
    return pageValuesV2(page.subarray(repetitions, levels), values, header, this.#element);
  }

  /** @param start Where what is compressed begins. */
  #decompress(header: PageHeader, page: Buffer, start: number): Uint8Array {
    const bytes = header.uncompressed_page_size - start;
    // A page without values may have no bytes, which is not a compressed stream.
    if (bytes <= 0) return new Uint8Array(0);
    const found = COMPRESSORS[this.#chunk.codec]!(page.subarray(start), bytes);
    if (found.length !== bytes) {
      throw new Error(`expected ${bytes} decompressed bytes, found ${found.length}`);
    }
    // Memory that ends with the page: see `viewOf`.
    return found.buffer.byteLength === found.byteOffset + bytes ? found : new Uint8Array(found);
  }

  get #where(): string {
    return `${this.#file.path}: column ${JSON.stringify(this.#element.name)}`;
  }

  #corrupt(message: string, cause?: unknown): GoromdbError {
    return corrupt(`${this.#where}`, message, cause);
  }
}
