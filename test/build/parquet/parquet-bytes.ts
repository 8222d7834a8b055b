/** Makes small Parquet files by hand, so that they can say what no writer would. */

/** A field of Thrift's compact protocol: its number, its type, and the bytes of its value. */
type Field = readonly [id: number, type: number, bytes: Buffer];

const I32 = 5;
const I64 = 6;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

/** Types of Parquet. */
export const INT32 = 1;
export const BYTE_ARRAY = 6;

/** A column whose values are there in each row, one after the other (PLAIN). */
export interface PlainColumn {
  readonly name: string;
  readonly type: number;
  readonly values: Buffer;
  /** How many digits behind the point: the column is a decimal then. */
  readonly scale?: number;
}

/** A file of one row group, with one page for each column. */
export function parquetBytes(rows: number, columns: readonly PlainColumn[]): Buffer {
  const parts = [Buffer.from('PAR1')];
  let at = 4;
  const chunks = columns.map((column) => {
    const page = Buffer.concat([pageHead(rows, column.values.length), column.values]);
    parts.push(page);
    const start = at;
    at += page.length;
    return chunkOf(column, rows, start, page.length);
  });
  const root = struct([text(4, 'root'), int(5, columns.length)]);
  const group = struct([list(1, chunks), long(2, at), long(3, rows)]);
  const schema = list(2, [root, ...columns.map(elementOf)]);
  const footer = struct([int(1, 1), schema, long(3, rows), list(4, [group])]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([...parts, footer, length, Buffer.from('PAR1')]);
}

/** Values of BYTE_ARRAY. */
export function byteArrays(values: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    values.map((value) => {
      const bytes = Buffer.alloc(4 + value.length);
      bytes.writeUInt32LE(value.length);
      bytes.set(value, 4);
      return bytes;
    }),
  );
}

function pageHead(rows: number, bytes: number): Buffer {
  const data = struct([int(1, rows), int(2, 0), int(3, 3), int(4, 3)]);
  return struct([int(1, 0), int(2, bytes), int(3, bytes), [5, STRUCT, data]]);
}

function chunkOf({ name, type }: PlainColumn, rows: number, start: number, bytes: number): Buffer {
  const path: Field = [3, LIST, Buffer.concat([Buffer.from([0x18]), binary(name)])];
  const encodings: Field = [2, LIST, Buffer.from([0x15, 0])];
  const sizes = [long(5, rows), long(6, bytes), long(7, bytes), long(9, start)];
  const meta = struct([int(1, type), encodings, path, int(4, 0), ...sizes]);
  return struct([long(2, start), [3, STRUCT, meta]]);
}

function elementOf({ name, type, scale }: PlainColumn): Buffer {
  const decimal = scale === undefined ? [] : [int(6, 5), int(7, scale), int(8, 9)];
  return struct([int(1, type), int(3, 0), text(4, name), ...decimal]);
}

function struct(fields: readonly Field[]): Buffer {
  let last = 0;
  const parts = fields.map(([id, type, bytes]) => {
    const head = ((id - last) << 4) | type;
    last = id;
    return Buffer.concat([Buffer.from([head]), bytes]);
  });
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function list(id: number, structs: readonly Buffer[]): Field {
  return [id, LIST, Buffer.concat([Buffer.from([(structs.length << 4) | STRUCT]), ...structs])];
}

function int(id: number, value: number): Field {
  return [id, I32, varint(zigzag(value))];
}

function long(id: number, value: number): Field {
  return [id, I64, varint(zigzag(value))];
}

function text(id: number, value: string): Field {
  return [id, BINARY, binary(value)];
}

function binary(value: string): Buffer {
  return Buffer.concat([varint(Buffer.byteLength(value)), Buffer.from(value)]);
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return Buffer.from([...bytes, left]);
}
