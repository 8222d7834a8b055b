import type { Entry } from '../../storage/storage.ts';
import type { Reply } from '../reply.ts';
import {
  type Call,
  type Command,
  fail,
  isInteger,
  keyCommand,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
  withView,
} from './command.ts';
import { appendInteger } from './output.ts';

/** BITCOUNT and BITPOS look at so many bytes of a value at most: they hold the thread meanwhile. */
const BIT_RANGE_BYTES_MAX = 1024 * 1024;

/** Bytes that cost a unit of work (see reply.ts). */
const BYTES_A_UNIT = 1024;

const BAD_OFFSET = 'ERR bit offset is not an integer or out of range';
const BAD_BIT = 'ERR The bit argument must be 1 or 0.';
const TOO_LONG = `ERR the range is longer than ${BIT_RANGE_BYTES_MAX} bytes`;

/** Bits of a value: [first, end), the first of a byte being its highest. */
interface BitRange {
  readonly first: number;
  readonly end: number;
  /** Whether the client named the end. */
  readonly hasEnd: boolean;
}

/** Reads `[first [last [BYTE|BIT]]]`. @returns The range, or the error. */
function rangeOf(call: Call, bytes: number): BitRange | string {
  const { args } = call;
  if (args.left === 0) return { first: 0, end: bytes * 8, hasEnd: false };
  const first = args.nextText();
  const hasEnd = args.left > 0;
  const last = hasEnd ? args.nextText() : '-1';
  const unit = args.left > 0 ? args.nextWord() : 'byte';
  if (args.left > 0 || !['byte', 'bit'].includes(unit)) return SYNTAX_ERROR;
  if (!isInteger(first) || !isInteger(last)) return NOT_AN_INTEGER;
  const length = unit === 'bit' ? bytes * 8 : bytes;
  const bits = unit === 'bit' ? 1 : 8;
  const from = Number(first) < 0 ? Math.max(0, length + Number(first)) : Number(first);
  const to = Number(last) < 0 ? length + Number(last) : Number(last);
  return { first: from * bits, end: (Math.min(to, length - 1) + 1) * bits, hasEnd };
}

/** Shows a key's value, the next argument, with the range that the other arguments name. */
function withRange(
  call: Call,
  reply: Reply,
  entry: Entry | undefined,
  use: (range: BitRange) => void,
): void {
  const range = rangeOf(call, entry === undefined ? 0 : entry.valueEnd - entry.valueStart);
  if (typeof range === 'string') {
    fail(call, reply, range);
    return;
  }
  const bytes = Math.max(0, range.end - range.first) / 8;
  if (bytes > BIT_RANGE_BYTES_MAX) {
    fail(call, reply, TOO_LONG);
    return;
  }
  reply.charge(bytes / BYTES_A_UNIT);
  use(range);
}

function bitAt({ buffer, valueStart }: Entry, bit: number): number {
  return (buffer[valueStart + Math.floor(bit / 8)] >> (7 - (bit % 8))) & 1;
}

/** GETBIT key offset */
function getbit(call: Call, reply: Reply): void {
  const { args } = call;
  args.advance();
  const { input, start, end } = args;
  const text = args.nextText();
  const offset = Number(text);
  if (!isInteger(text) || offset < 0 || offset >= 2 ** 32) {
    fail(call, reply, BAD_OFFSET);
    return;
  }
  withView(call, (view) => {
    const entry = view.get(input, start, end);
    const isInside = entry !== undefined && offset < (entry.valueEnd - entry.valueStart) * 8;
    appendInteger(reply, isInside ? bitAt(entry, offset) : 0);
  });
}

/** BITCOUNT key [first last [BYTE|BIT]] */
function bitcount(call: Call, reply: Reply): void {
  const { args } = call;
  args.advance();
  const { input, start, end } = args;
  if (args.left === 1) {
    fail(call, reply, SYNTAX_ERROR);
    return;
  }
  withView(call, (view) => {
    const entry = view.get(input, start, end);
    withRange(call, reply, entry, (range) => {
      let count = 0;
      for (let bit = range.first; bit < range.end; ) {
        if (bit % 8 === 0 && bit + 8 <= range.end) {
          count += onesIn(entry!.buffer[entry!.valueStart + bit / 8]);
          bit += 8;
        } else {
          count += bitAt(entry!, bit);
          bit++;
        }
      }
      appendInteger(reply, count);
    });
  });
}

function onesIn(byte: number): number {
  const pairs = byte - ((byte >> 1) & 0x55);
  const fours = (pairs & 0x33) + ((pairs >> 2) & 0x33);
  return (fours + (fours >> 4)) & 0x0f;
}

/** BITPOS key bit [first [last [BYTE|BIT]]] */
function bitpos(call: Call, reply: Reply): void {
  const { args } = call;
  args.advance();
  const { input, start, end } = args;
  const text = args.nextText();
  if (text !== '0' && text !== '1') {
    fail(call, reply, isInteger(text) ? BAD_BIT : NOT_AN_INTEGER);
    return;
  }
  const wanted = Number(text);
  withView(call, (view) => {
    const entry = view.get(input, start, end);
    withRange(call, reply, entry, (range) => {
      // A missing key is an endless row of zeros.
      if (entry === undefined) appendInteger(reply, wanted === 0 ? 0 : -1);
      else appendInteger(reply, positionOf(entry, wanted, range));
    });
  });
}

function positionOf(entry: Entry, wanted: number, { first, end, hasEnd }: BitRange): number {
  const skipped = wanted === 1 ? 0 : 0xff;
  for (let bit = first; bit < end; ) {
    const isWhole = bit % 8 === 0 && bit + 8 <= end;
    if (isWhole && entry.buffer[entry.valueStart + bit / 8] === skipped) {
      bit += 8;
    } else if (bitAt(entry, bit) === wanted) {
      return bit;
    } else {
      bit++;
    }
  }
  // Behind a value that is not cut short zeros go on.
  return wanted === 0 && !hasEnd && first < end ? end : -1;
}

/** The commands that read bits of a string. */
export const BITS: readonly Command[] = [
  keyCommand('getbit', 3, getbit),
  keyCommand('bitcount', -2, bitcount),
  keyCommand('bitpos', -3, bitpos),
];
