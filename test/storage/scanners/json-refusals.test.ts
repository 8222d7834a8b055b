import { isUtf8 } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../../src/common/errors.ts';
import { JsonRecords } from '../../../src/storage/formats/json/json-records.ts';
import { collect, expectRefusal, oracle, parse, refusal } from './json-texts.ts';

describe('a text that is refused', () => {
  test.each<[text: string, code: ErrorCode, message: string]>([
    ['', 'DATA_CORRUPT', 'expected an object of strings, "{" at byte 0, found an empty file'],
    [
      ' \n',
      'DATA_CORRUPT',
      'expected an object of strings, "{" at byte 2, found the end of the file',
    ],
    ['[]', 'FORMAT_UNSUPPORTED', 'expected an object of strings, "{" at byte 0, found an array'],
    [' "a"', 'FORMAT_UNSUPPORTED', 'expected an object of strings, "{" at byte 1, found a string'],
    ['-1', 'FORMAT_UNSUPPORTED', 'expected an object of strings, "{" at byte 0, found a number'],
    ['null', 'FORMAT_UNSUPPORTED', 'expected an object of strings, "{" at byte 0, found null'],
    ['key=value', 'FORMAT_UNKNOWN', 'expected an object of strings, "{" at byte 0, found "k"'],
    ['\u0000', 'FORMAT_UNKNOWN', 'expected an object of strings, "{" at byte 0, found the byte 00'],
    [
      '\ufeff\ufeff{}',
      'FORMAT_UNKNOWN',
      'expected an object of strings, "{" at byte 3, found the byte ef',
    ],
    [
      '\u{f000}',
      'FORMAT_UNKNOWN',
      'expected the second byte of a byte order mark, bb at byte 1, found the byte 80',
    ],
    ['{,}', 'DATA_CORRUPT', 'expected a key in quotes or "}" at byte 1, found ","'],
    ['{"a":"b",}', 'DATA_CORRUPT', 'expected a key in quotes after the comma at byte 9, found "}"'],
    ['{"a":"b" "c"', 'DATA_CORRUPT', 'expected a comma or "}" at byte 9, found a quote'],
    [
      '{"a" "b"}',
      'DATA_CORRUPT',
      'expected a colon after the key at byte 5, key "a", found a quote',
    ],
    ["{'a':'b'}", 'DATA_CORRUPT', 'expected a key in quotes or "}" at byte 1, found "\'"'],
    ['{"a":}', 'DATA_CORRUPT', 'expected a string at byte 5, key "a", found "}"'],
    ['{} {}', 'DATA_CORRUPT', 'expected nothing after the closing "}" at byte 3, found "{"'],
    [
      '{}\u0000',
      'DATA_CORRUPT',
      'expected nothing after the closing "}" at byte 2, found the byte 00',
    ],
    [
      '{}\u00a0',
      'DATA_CORRUPT',
      'expected nothing after the closing "}" at byte 2, found the byte c2',
    ],
    ['{"a":"b"', 'DATA_CORRUPT', 'expected a comma or "}" at byte 8, found the end of the file'],
    [
      '{"a":"b',
      'DATA_CORRUPT',
      'expected the closing quote of the string at byte 7, key "a", found the end of the file',
    ],
  ])('%j', (text, code, message) => {
    expectRefusal(text, code, message);
  });

  test.each([
    ['1', 'a number'],
    ['-1.5e3', 'a number'],
    ['{"x":"y"}', 'an object'],
    ['["x"]', 'an array'],
    ['[[[[[[[[[[', 'an array'],
    ['true', 'true'],
    ['false', 'false'],
    ['null', 'null'],
  ])('because a value is %s names the key, the place and what was found', (value, found) => {
    const message = `expected a string at byte 17, key "bad", found ${found}`;
    expectRefusal(`{"good":"","bad":${value}}`, 'FORMAT_UNSUPPORTED', message);
  });

  test('because a byte order mark is broken is not blamed on what follows', () => {
    const broken = Buffer.from([0xef, 0x20, 0xbb, 0xbf, 0x7b, 0x7d]);
    const expected = 'expected the second byte of a byte order mark, bb';
    expectRefusal(broken, 'FORMAT_UNKNOWN', `${expected} at byte 2, found the byte bb`);
  });

  test('because of a lone surrogate names the place of its backslash', () => {
    const low = 'expected a character or a high surrogate at byte 7, key "a", found \\udc00';
    expectRefusal('{"a":"x\\udc00"}', 'DATA_CORRUPT', low);
    const high = 'expected a low surrogate at byte 12, key "a", found \\u0041';
    expectRefusal('{"a":"\\ud800\\u0041"}', 'DATA_CORRUPT', high);
  });

  test('shows a long key shortened and a strange key escaped', () => {
    const long = refusal(`{"${'kä'.repeat(1000)}":1}`);
    expect(long.message).toContain(`key "${'kä'.repeat(30)}..."`);
    const strange = refusal(`{"\\u001b[31m\\u202e\\n\u009f\\"":1}`);
    expect(strange.message).toContain('key "\\u001b[31m\\u{202e}\\n\\u{9f}\\""');
  });

  test('counts bytes in the decompressed text and says so', () => {
    const error = refusal('{"a":1}', [2], { text: 'the decompressed text' });
    expect(error.message).toContain('at byte 5 of the decompressed text, key "a"');
  });

  test.each([
    ['a raw control character', '\u001f', 'control characters to be escaped'],
    ['a raw line break', '\n', 'control characters to be escaped'],
    ['an unknown escape', '\\x', 'one of "\\/bfnrtu after a backslash'],
    ['an upper case escape', '\\N', 'one of "\\/bfnrtu after a backslash'],
    ['a short \\u escape', '\\u12"', 'four hexadecimal digits after \\u'],
    ['a \\u escape of no digits', '\\u00g0', 'four hexadecimal digits after \\u'],
    ['a lone low surrogate', '\\uDC00', 'found \\udc00'],
    ['a lone high surrogate', '\\ud800', 'the \\u escape of a low surrogate'],
    ['a high surrogate before a character', '\\ud800\\u0041', 'expected a low surrogate at'],
    ['two high surrogates', '\\ud800\\ud800\\udc00', 'found \\ud800'],
    ['a high surrogate before another escape', '\\ud800\\n', 'the \\u escape of a low surrogate'],
  ])('because of %s in a key or a value', (_name, fault, message) => {
    for (const size of [1, 2, 1000]) {
      const inValue = refusal(`{"the key":"ab${fault}cdef"}`, [size]);
      expect(inValue.message).toContain(message);
      expect(inValue.message).toMatch(/at byte (1[4-9]|2\d), key "the key"/);
      expect(inValue.code).toBe('DATA_CORRUPT');
      expect(refusal(`{"ab${fault}cdef":"x"}`, [size]).message).toContain(message);
    }
  });

  test.each([
    [[0x80]],
    [[0xbf]],
    [[0xc0, 0x80]],
    [[0xc1, 0xbf]],
    [[0xc2, 0x41]],
    [[0xc2]],
    [[0xe0, 0x9f, 0xbf]],
    [[0xe2, 0x82]],
    [[0xe2, 0x82, 0x41]],
    [[0xed, 0xa0, 0x80]],
    [[0xed, 0xbf, 0xbf]],
    [[0xf0, 0x8f, 0xbf, 0xbf]],
    [[0xf0, 0x9f, 0x9a]],
    [[0xf0, 0x9f, 0x9a, 0xc0]],
    [[0xf4, 0x90, 0x80, 0x80]],
    [[0xf5, 0x80, 0x80, 0x80]],
    [[0xff]],
  ])('because the bytes %j are not UTF-8', (bad) => {
    const bytes = Buffer.from([...Buffer.from('{"a":"xé€🚀'), ...bad, ...Buffer.from('"}')]);
    expect(oracle(bytes)).toBeUndefined();
    for (const size of [1, 2, 3, 4, 1000]) {
      const error = refusal(bytes, [size]);
      expect(error.code).toBe('DATA_CORRUPT');
      expect(error.message).toMatch(
        /UTF-8.* at byte 1[6-9], key "a", found (the byte|a quote|"A")/,
      );
    }
  });

  test('agrees with Node on which pairs of bytes, alone and with more behind, are UTF-8', () => {
    const accepts = (bytes: Uint8Array, turn: number): boolean => {
      try {
        return parse(bytes, [1 + (turn % 9)]).length === 1;
      } catch {
        return false;
      }
    };
    const wrong: string[] = [];
    const seconds = [0x00, 0x22, 0x41, 0x5c, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
    for (let first = 0x80; first <= 0xff; first++) {
      for (const second of seconds) {
        for (const tail of ['', '\x80', '\x80\x80']) {
          const character = String.fromCharCode(first, second) + tail;
          const bytes = Buffer.from(`{"":"${character}"}`, 'latin1');
          if (accepts(bytes, first + second) !== isUtf8(bytes)) wrong.push(bytes.toString('hex'));
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('limits', () => {
  const limits = { keyBytesMax: 4, valueBytesMax: 600 };
  const value = 'v'.repeat(600);

  test.each([1, 7, 10_000])('hold to the byte in chunks of %i bytes', (size) => {
    expect(parse(`{"abcd":"${value}"}`, [size], limits)).toEqual([['abcd', value]]);
    expect(parse(`{"\\u0061bcd":"\\n${value.slice(1)}"}`, [size], limits)).toHaveLength(1);
    const key = refusal(`{"a":"b", "abcde":"x"}`, [size], limits);
    expect(key).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(key.message).toBe(
      'test.json: expected a key of at most 4 bytes at byte 10, found a longer one',
    );
    const long = refusal(`{"a":"${value}v"}`, [size], limits);
    expect(long).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    expect(long.message).toBe(
      'test.json: expected a value of at most 600 bytes at byte 5, key "a", found a longer one',
    );
    expect(refusal(`{"a":"\\n${value}"}`, [size], limits).code).toBe('LIMIT_EXCEEDED');
    expect(refusal(`{"\\nabcd":"x"}`, [size], limits).code).toBe('LIMIT_EXCEEDED');
    expect(refusal(`{"\\u00e9\\u20ac":"x"}`, [size], limits).code).toBe('LIMIT_EXCEEDED');
  });

  test('stop a key that never ends while it grows', () => {
    const records = new JsonRecords(collect().sink, { path: 'test.json' });
    const chunk = Buffer.alloc(1000, 'k');
    records.write(Buffer.from('{"'));
    let chunks = 0;
    const feed = (): void => {
      for (; chunks < 1000; chunks++) records.write(chunk);
    };
    expect(feed).toThrow(/key of at most 65535 bytes at byte 1, found/);
    expect(chunks).toBe(65);
  });

  test('admit the longest key', () => {
    const key = 'k'.repeat(65_535);
    expect(parse(`{"${key}":"v"}`, [1000])).toEqual([[key, 'v']]);
    expect(refusal(`{"${key}k":"v"}`).code).toBe('LIMIT_EXCEEDED');
  });
});
