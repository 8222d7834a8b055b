import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ErrorCode, GoromdbError } from '../../../src/errors.ts';
import { JsonLines } from '../../../src/storage/scanners/json-lines.ts';
import { recogniseHead } from '../../../src/storage/scanners/recognise.ts';
import { collect, type Pair, readChunks } from './json-texts.ts';

function parse(text: string | Uint8Array, chunkSizes: readonly number[] = [1 << 20]): Pair[] {
  const { sink, pairs } = collect();
  readChunks(new JsonLines(sink, { path: 'test.jsonl' }), text, chunkSizes);
  return pairs;
}

function refuses(text: string | Uint8Array, code: ErrorCode, message: string): void {
  for (const size of [1, 2, 3, 1000]) {
    let error: unknown;
    try {
      parse(text, [size]);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(GoromdbError);
    expect((error as GoromdbError).message).toBe(`test.jsonl: ${message}`);
    expect((error as GoromdbError).code).toBe(code);
  }
}

const string = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string());
const chunkSizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 });

describe('JSON Lines', () => {
  test('give the same records however they are written and cut', () => {
    const record = fc.tuple(string, string, fc.boolean());
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('\n', '\r\n', '\n\n', ' \n\t\r\n'),
        fc.boolean(),
        chunkSizes,
        (records, lineEnd, isEnded, sizes) => {
          const lines = records.map(([key, value, isKeyFirst]) =>
            JSON.stringify(isKeyFirst ? { key, value } : { value, key }),
          );
          const text = lines.join(lineEnd) + (isEnded ? lineEnd : '');
          const expected = records.map(([key, value]) => [key, value]);
          expect(parse(text, sizes)).toEqual(expected);
          expect(recogniseHead(Buffer.from(text))).toEqual({ format: 'jsonl' });
        },
      ),
    );
  });

  test('may begin with a byte order mark and have spaces and escapes', () => {
    const text = '\ufeff { "key" : "a\\u00e9" ,\t"value":"\\n" } \n{"\\u006bey":"","value":""}';
    expect(parse(text, [1])).toEqual([
      ['aé', '\n'],
      ['', ''],
    ]);
  });

  test('give both records of a key that comes twice, in order', () => {
    expect(parse('{"key":"a","value":"1"}\n{"key":"a","value":"2"}')).toHaveLength(2);
  });

  test.each<[text: string, code: ErrorCode, message: string]>([
    [
      '',
      'DATA_CORRUPT',
      'expected a record, {"key":"...","value":"..."} at byte 0, line 1, found an empty file',
    ],
    [
      '\n\n',
      'DATA_CORRUPT',
      'expected a record, {"key":"...","value":"..."} at byte 2, line 3, found the end of the file',
    ],
    [
      '[]',
      'FORMAT_UNSUPPORTED',
      'expected a record, {"key":"...","value":"..."} at byte 0, line 1, found an array',
    ],
    [
      'key=value',
      'FORMAT_UNKNOWN',
      'expected a record, {"key":"...","value":"..."} at byte 0, line 1, found "k"',
    ],
    [
      '{"key":"a","value":"b"}\n{"key":"paris","value":7}',
      'FORMAT_UNSUPPORTED',
      'expected a string at byte 47, line 2, key "paris", found a number',
    ],
    [
      '{"key":"a","value":null}',
      'FORMAT_UNSUPPORTED',
      'expected a string at byte 19, line 1, key "a", found null',
    ],
    [
      '{"key":"a","value":"b"}\n\n{"key":"a","other":"b"}',
      'FORMAT_UNSUPPORTED',
      'expected only the names "key" and "value" at byte 36, line 3, key "a", found the name "other"',
    ],
    [
      '{"key":"a","key":"b"}',
      'DATA_CORRUPT',
      'expected each name once at byte 11, line 1, key "a", found the name "key" a second time',
    ],
    [
      '{"key":"a"}',
      'DATA_CORRUPT',
      'expected a comma and "value" at byte 10, line 1, key "a", found the end of the record',
    ],
    [
      '{"value":"a"}',
      'DATA_CORRUPT',
      'expected a comma and "key" at byte 12, line 1, found the end of the record',
    ],
    [
      '{"key":"a",\n"value":"b"}',
      'DATA_CORRUPT',
      'expected the name "key" or "value" in quotes after the comma at byte 11, line 1, key "a", found the end of the line',
    ],
    [
      '{"key":"a","value":"b"}{"key":"c","value":"d"}',
      'DATA_CORRUPT',
      'expected the end of the line after the record at byte 23, line 1, found "{"',
    ],
    [
      '{"key":"a","value":"b"}\n{"key":"c","val',
      'DATA_CORRUPT',
      'expected the closing quote of the name at byte 39, line 2, key "c", found the end of the file',
    ],
    [
      '{"key":"a","value":"\\ud800"}',
      'DATA_CORRUPT',
      'expected the \\u escape of a low surrogate at byte 26, line 1, key "a", found a quote',
    ],
  ])('are refused: %j', (text, code, message) => {
    refuses(text, code, message);
  });

  test('are refused for bytes that are not UTF-8, with the line and the key', () => {
    const text = Buffer.from('{"key":"a","value":"b"}\n{"key":"c","value":"\xff"}', 'latin1');
    const place = 'at byte 44, line 2, key "c"';
    refuses(text, 'DATA_CORRUPT', `expected UTF-8 ${place}, found the byte ff`);
  });

  test('are held to the limits of keys, values and names', () => {
    const key = 'k'.repeat(65_536);
    const tooLong = `the key at byte 7, line 1 is longer than 65535 bytes`;
    refuses(`{"key":"${key}","value":""}`, 'LIMIT_EXCEEDED', tooLong);
    const name = 'n'.repeat(257);
    const longName = 'the name at byte 1, line 1 is longer than 256 bytes';
    refuses(`{"${name}":""}`, 'LIMIT_EXCEEDED', longName);
  });
});

describe('what begins with a brace is recognised as', () => {
  const long = 'v'.repeat(100_000);
  test.each([
    ['jsonl', '{"key":"a","value":"b"}'],
    ['jsonl', ' \n{"value":"a","key":"b"}\r\n{"ke'],
    ['jsonl', `{"key":"a","value":"${long}"}`],
    ['json', `{"key":"${long}","value":"a"}`],
    ['json', '{"key":"a","value":"b","other":"c"}'],
    ['json', '{"key":"a"}'],
    ['json', '{"key":"a",\n"value":"b"}'],
    ['json', '{"a":"b"}'],
    ['json', '{"key":{"a":"b"}}'],
    ['json', '{}'],
  ])('%s: %.40s', (format, text) => {
    expect(recogniseHead(Buffer.from(text).subarray(0, 65_536))).toEqual({ format });
  });
});
