import { expect, test } from 'vitest';
import {
  RecordReader,
  recordBytes,
  writeRecordHead,
  writeRecordTail,
} from '../../src/storage/record.ts';
import { RecordChecker } from '../../src/storage/table/record-check.ts';

function recordOf(key: Buffer, value: Buffer, flags: number): Buffer {
  const bytes = Buffer.alloc(recordBytes(key.length, value.length, flags));
  const at = writeRecordHead(bytes, 0, key, 0, key.length, value.length, flags);
  value.copy(bytes, at);
  writeRecordTail(bytes, at + value.length);
  return bytes;
}

const SIZES = [0, 1, 9, 10, 99, 100, 127, 128, 255, 1000, 16_383, 16_384, 65_535];

test.each(SIZES)('reads what the record writer writes, for keys and values of %d bytes', (size) => {
  const checker = new RecordChecker();
  const reader = new RecordReader();
  for (const flags of [0, 1, 10, 4_294_967_295]) {
    const bytes = recordOf(Buffer.alloc(size, 'k'), Buffer.alloc(size, 'v'), flags);
    expect(checker.read(bytes, 0, bytes.length)).toBe(true);
    reader.readKey(bytes, 0);
    reader.readValue(bytes);
    const { keyStart, keyEnd, valueStart, valueEnd } = reader;
    expect(checker).toMatchObject({ keyStart, keyEnd, valueStart, valueEnd, flags });
  }
});

test('says of a record that ends too early, anywhere, that it goes on, and where its value ends', () => {
  const checker = new RecordChecker();
  const bytes = recordOf(Buffer.alloc(200, 'k'), Buffer.alloc(300, 'v'), 12);
  const valueStart = bytes.length - 302;
  for (let end = 0; end < bytes.length; end++) {
    // What stands behind the end is nobody's business.
    const cut = Buffer.concat([bytes.subarray(0, end), Buffer.alloc(1000, 0x80)]);
    expect(checker.read(cut, 0, end), `${end} bytes`).toBe(false);
    expect(checker.fault, `${end} bytes`).toBeUndefined();
    expect(checker.valueEnd).toBe(end < valueStart ? 0 : bytes.length - 2);
  }
});

test.each([
  ['a key length in more bytes than it takes', '\x81\0\x01k 0 1\r\nv\r\n', 0],
  ['a value length in more bytes than it takes', '\x01\x81\0k 0 1\r\nv\r\n', 1],
  ['a key that is too long', '\xff\xff\x04\x01k 0 1\r\nv\r\n', 0],
  ['a value that is too long', '\x01\x81\x80\x80\x80\x02k 0 1\r\nv\r\n', 1],
  ['a length without end', '\x80'.repeat(20), 0],
  ['no space behind the key', '\x01\x01k_0 1\r\nv\r\n', 3],
  ['no flags', '\x01\x01k  1\r\nv\r\n', 4],
  ['flags that are no number', '\x01\x01k x 1\r\nv\r\n', 4],
  ['flags with a leading zero', '\x01\x01k 01 1\r\nv\r\n', 4],
  ['flags of more than 32 bits', '\x01\x01k 4294967296 1\r\nv\r\n', 4],
  ['flags of a thousand digits', `\x01\x01k ${'9'.repeat(1000)} 1\r\nv\r\n`, 4],
  ['no space behind the flags', '\x01\x01k 0_1\r\nv\r\n', 5],
  ['another length in decimal', '\x01\x01k 0 2\r\nv\r\n', 6],
  ['a length with a leading zero', '\x01\x01k 0 01\r\nv\r\n', 6],
  ['no CR behind the length', '\x01\x01k 0 1\n\nv\r\n', 7],
  ['no LF behind the length', '\x01\x01k 0 1\r\rv\r\n', 8],
  ['no CR behind the value', '\x01\x01k 0 1\r\nv\n\n', 10],
  ['no LF behind the value', '\x01\x01k 0 1\r\nv\r\r', 11],
])('finds %s', (_, text, at) => {
  const checker = new RecordChecker();
  const bytes = Buffer.from(`before${text}`, 'latin1');
  expect(checker.read(bytes, 6, bytes.length)).toBe(false);
  expect(checker.fault).toMatchObject({ at: 6 + at });
});
