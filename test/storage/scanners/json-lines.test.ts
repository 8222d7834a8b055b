import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ErrorCode, GoromdbError } from '../../../src/common/errors.ts';
import { JsonLines } from '../../../src/storage/formats/json/json-lines.ts';
import { recogniseHead } from '../../../src/storage/formats/recognise.ts';
import type { FieldOptions, RecordSink } from '../../../src/storage/scanners/scanner.ts';
import { collect, type Pair, parsed, readChunks } from './json-texts.ts';

function parse(
  text: string | Uint8Array,
  chunkSizes: readonly number[] = [1 << 20],
  fields?: FieldOptions,
): Pair[] {
  const { sink, pairs } = collect();
  readChunks(new JsonLines(sink, { path: 'test.jsonl', fields }), text, chunkSizes);
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
          expect(lookOf(text)).toBe('jsonl');
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
      'expected only the names "key" and "value" at byte 36, line 3, key "a", found the name "other"; it looks like JSON Lines with "key", "other": name the key and the value: with -jsonl-key and -jsonl-value of the server, or -key and -value of build, publish and serve',
    ],
    [
      '{"user_id":"7","segment":"gold"}\n',
      'FORMAT_UNSUPPORTED',
      'expected only the names "key" and "value" at byte 1, line 1, found the name "user_id"; it looks like JSON Lines with "user_id", "segment": name the key and the value: with -jsonl-key and -jsonl-value of the server, or -key and -value of build, publish and serve',
    ],
    [
      '{"id":7,"name":"Ann","tags":["a",{"b":"}"}]}',
      'FORMAT_UNSUPPORTED',
      'expected only the names "key" and "value" at byte 1, line 1, found the name "id"; it looks like JSON Lines with "id", "name", "tags": name the key and the value: with -jsonl-key and -jsonl-value of the server, or -key and -value of build, publish and serve, and leave the others out with -jsonl-ignore',
    ],
    [
      '{"key":"a","ttl":60,"value":"b"}',
      'FORMAT_UNSUPPORTED',
      'expected only the names "key" and "value" at byte 11, line 1, key "a", found the name "ttl"; it looks like JSON Lines with "key", "ttl", "value": leave the others out with -jsonl-ignore',
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
    const tooLong = `expected a key of at most 65535 bytes at byte 7, line 1, found a longer one`;
    refuses(`{"key":"${key}","value":""}`, 'LIMIT_EXCEEDED', tooLong);
    const name = 'n'.repeat(257);
    const longName = 'expected a name of at most 256 bytes at byte 1, line 1, found a longer one';
    refuses(`{"${name}":""}`, 'LIMIT_EXCEEDED', longName);
  });
});

describe('JSON Lines with fields of other names', () => {
  const fields = { key: 'user_id', value: 'segment' };
  const ignoring = { ...fields, ignoreOthers: true };

  test('give the same records whatever else is in them, however they are cut', () => {
    const name = string.filter((text) => text !== 'user_id' && text !== 'segment');
    const other = fc.tuple(name, fc.jsonValue({ maxDepth: 4 }));
    const record = fc.tuple(string, string, fc.array(other, { maxLength: 3 }), fc.nat());
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 5 }),
        chunkSizes,
        (records, sizes) => {
          const lines = records.map(([key, value, others, turn]) => {
            const all: [string, unknown][] = [['user_id', key], ['segment', value], ...others];
            const turned = [...all.slice(turn % all.length), ...all.slice(0, turn % all.length)];
            const members = turned.map((member) =>
              member.map((it) => JSON.stringify(it)).join(':'),
            );
            return `{${members.join(' , ')}}`;
          });
          const expected = records.map(([key, value]) => [key, value]);
          expect(parse(lines.join('\n'), sizes, ignoring)).toEqual(expected);
        },
      ),
    );
  });

  test('are refused exactly where JSON.parse refuses what is left out', () => {
    const byte = fc.constantFrom(...'{}[]:,"-+.eE019 tfnaulrs\\x');
    fc.assert(
      fc.property(
        fc.json({ maxDepth: 3 }),
        fc.array(fc.tuple(fc.nat(), byte, fc.boolean()), { minLength: 1, maxLength: 2 }),
        (json, changes) => {
          let other = json;
          for (const [turn, byte, isInsert] of changes) {
            const at = turn % (other.length + 1);
            other = other.slice(0, at) + byte + other.slice(isInsert ? at : at + 1);
          }
          // Nothing but the one field may change: what closes the record early is another case.
          const text = `{"user_id":"7","segment":"gold","x":[${other}]}`;
          fc.pre(!other.includes('\\u') && !/[\r\n]/.test(other));
          const isGood = parsed(Buffer.from(text)) !== undefined;
          fc.pre(!isGood || Object.keys(JSON.parse(text)).length === 3);
          const outcome = (): unknown => parse(text, [3], ignoring);
          if (isGood) expect(outcome()).toEqual([['7', 'gold']]);
          else expect(outcome).toThrow(GoromdbError);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test.each([
    '1 ',
    '-0.5e+7',
    ' true',
    'false',
    'null\t',
    '"a\\"}"',
    '[ ]',
    '{ }',
    '[1 , [2,{"a":[]}] ,"]"]',
    '{"user_id":"x", "a" : {"b":1 }}',
    '['.repeat(64) + ']'.repeat(64),
  ])('may have another field with %s', (value) => {
    const text = `{"user_id":"7","x":${value},"segment":"gold"}\n`;
    for (const size of [1, 3, 1000]) {
      expect(parse(text + text, [size], ignoring)).toEqual([
        ['7', 'gold'],
        ['7', 'gold'],
      ]);
    }
  });

  test.each([
    ['01', 'a number of at most 1024 bytes, true, false or null'],
    ['tru', 'a number of at most 1024 bytes, true, false or null'],
    ['1.e5', 'a number of at most 1024 bytes, true, false or null'],
    ['nullnull', 'a number of at most 1024 bytes, true, false or null'],
    ['1 2', 'a comma or "}"'],
    ['[1,]', 'a JSON value'],
    ['[,1]', 'a JSON value or "]"'],
    ['[1 2]', 'a comma, or the end of the object or array'],
    ['[1}', 'a comma, or the end of the object or array'],
    ['{"a"}', 'a colon after the name'],
    ['{"a":}', 'a JSON value'],
    ['{"a":1,}', 'a name in quotes after the comma'],
    ['{1:2}', 'a name in quotes or "}"'],
    ['+1', 'a JSON value'],
    ['}', 'a JSON value'],
    ['['.repeat(65), 'a JSON value or "]", and at most 64 objects and arrays in each other'],
    ['1'.repeat(1025), 'a number of at most 1024 bytes, true, false or null'],
  ])('are refused for another field with %.20s', (value, expected) => {
    const text = `{"user_id":"7","x":${value},"segment":"gold"}`;
    for (const size of [1, 2, 1000]) {
      expect(() => parse(text, [size], ignoring)).toThrow(`expected ${expected} at byte `);
    }
  });

  test('are refused for other fields unless they are to be left out', () => {
    const message =
      'expected only the names "user_id" and "segment" at byte 1, line 1, found the name "key"; it looks like JSON Lines with "key", "value": name the key and the value: with -jsonl-key and -jsonl-value of the server, or -key and -value of build, publish and serve';
    expect(() => parse('{"key":"a","value":"b"}', [5], fields)).toThrow(message);
    expect(() => parse('{"uid":"a","segment":"b"}', [5], ignoring)).toThrow(
      'expected a comma and "user_id" at byte 24, line 1, found the end of the record',
    );
    expect(() => parse('[]', [5], fields)).toThrow(
      'expected a record, {"user_id":"...","segment":"..."} at byte 0',
    );
    expect(() => parse('{"user_id":7,"segment":"b"}', [5], fields)).toThrow(
      'expected a string at byte 11, line 1, found a number',
    );
  });

  test('are refused early, and with ten names, when a record has very many', () => {
    const members = Array.from({ length: 1000 }, (_, i) => `"f${i}":"x"`);
    const { sink } = collect();
    const reader = new JsonLines(sink, { path: 'x' });
    expect(() => reader.write(Buffer.from(`{${members.slice(0, 101).join(',')}`))).toThrow(
      /with "f0", "f1", .*"f9" and 91 more: name the key/,
    );
  });
});

/** The name of the format that a text begins like. */
function lookOf(text: string, path = ''): string | undefined {
  return recogniseHead(Buffer.from(text).subarray(0, 65_536), { path }).format?.format;
}

describe('what begins with a brace is recognised as', () => {
  const long = 'v'.repeat(100_000);
  test.each([
    ['jsonl', '{"key":"a","value":"b"}'],
    ['jsonl', ' \n{"value":"a","key":"b"}\r\n{"ke'],
    ['jsonl', `{"key":"a","value":"${long}"}`],
    ['json', `{"key":"${long}","value":"a"}`],
    ['jsonl', '{"key":"a","value":"b","other":"c"}'],
    ['jsonl', '{"id":7,"value":"b","key":"c"}\n\n'],
    ['jsonl', '{"user_id":"7","segment":"gold"}\n{"user_id":"8","segm'],
    ['jsonl', '{}\r\n \n{"a":"b"}'],
    ['json', '{"user_id":"7","segment":"gold"}\n'],
    ['json', '{"key":{"1":"a"},"value":{"2":"b"},"other":{}}'],
    ['json', '{"a":"1","b":"2","c":"3","d":"4","e":"5","f":"6","key":"7","value":"8","g":"9"}'],
    ['json', `{"a":"1","key":"a","value":"${long}"}`],
    ['json', '{"key":"a"}'],
    ['json', '{"key":"a",\n"value":"b"}'],
    ['json', '{"a":"b"}'],
    ['json', '{"key":{"a":"b"}}'],
    ['json', '{"a":"b"}\n,"c":"d"}'],
    ['json', '{}'],
  ])('%s: %.40s', (format, text) => {
    expect(lookOf(text)).toBe(format);
  });
});

test.each([
  ['jsonl', 'data.jsonl'],
  ['jsonl', 'DATA.NDJSON'],
  ['jsonl', 'data.jsonl.gz'],
  ['jsonl', 'data.ndjson.zst (decompressed)'],
  ['json', 'data.json'],
  ['json', 'data.jsonl/data.db'],
])('one line that may be either is %s in %s', (format, path) => {
  expect(lookOf('{"user_id":"7","segment":"gold"}\n', path)).toBe(format);
  expect(lookOf('{"a":"b"', 'x.jsonl')).toBe('jsonl');
  expect(lookOf('a,b', 'x.jsonl')).toBe(undefined);
});

describe('JSON Lines of any bytes', () => {
  /** Records with flags, as latin1. */
  function records(text: string, sizes: readonly number[], fields?: FieldOptions): unknown[] {
    const found: unknown[] = [];
    const textOf = (bytes: Uint8Array, start: number, end: number): string =>
      Buffer.from(bytes.subarray(start, end)).toString('latin1');
    const sink: RecordSink = {
      add(key, keyStart, keyEnd, value, valueStart, valueEnd, flags) {
        found.push([textOf(key, keyStart, keyEnd), textOf(value, valueStart, valueEnd), flags]);
      },
    };
    readChunks(new JsonLines(sink, { path: 'test.jsonl', fields }), text, sizes);
    return found;
  }

  test('have keys and values in base64, and client flags, in any order and however they are cut', () => {
    const bytes = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
    });
    const flags = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    const record = fc.tuple(bytes, bytes, flags, fc.boolean());
    const property = fc.property(
      fc.array(record, { minLength: 1, maxLength: 5 }),
      chunkSizes,
      (all, sizes) => {
        const lines = all.map(([key, value, flags, isLast]) => {
          const keyBase64 = Buffer.from(key, 'latin1').toString('base64');
          const valueBase64 = Buffer.from(value, 'latin1').toString('base64');
          return JSON.stringify(
            isLast ? { flags, valueBase64, keyBase64 } : { keyBase64, flags, valueBase64 },
          );
        });
        const expected = all.map(([key, value, flags]) => [key, value, flags]);
        expect(records(`${lines.join(' \n')}\n`, sizes)).toEqual(expected);
      },
    );
    fc.assert(property);
  });

  test('mix both in one record, with spaces, and are recognised', () => {
    const text =
      '{"key":"a" , "valueBase64":"AP8=","flags" : 7 }\n{"keyBase64":"/w==","value":"b"}';
    for (const size of [1, 2, 1000]) {
      expect(records(text, [size])).toEqual([
        ['a', '\0\xff', 7],
        ['\xff', 'b', 0],
      ]);
    }
    expect(lookOf(text)).toBe('jsonl');
  });

  test.each([
    ['{"keyBase64":"/w=","value":""}', 'base64'],
    ['{"keyBase64":"/w!=","value":""}', 'base64'],
    ['{"keyBase64":"=AAA","value":""}', 'base64'],
    ['{"key":"a","keyBase64":"AAAA","value":""}', 'each name once'],
    ['{"key":"a","value":"","flags":1,"flags":1}', 'each name once'],
    ['{"key":"a","value":"","flags":4294967296}', 'client flags'],
    ['{"key":"a","value":"","flags":01}', 'client flags'],
    ['{"key":"a","value":"","flags":-1}', 'client flags'],
    ['{"key":"a","value":"","flags":}', 'client flags'],
    ['{"key":"a","value":"","flags":1.5}', 'a comma or "}"'],
    ['{"key":"a","value":"","flags":"1"}', 'client flags'],
    ['{"valueBase64":"","flags":1}', 'a comma and "key"'],
  ])('%s is refused', (text, expected) => {
    for (const size of [1, 1000])
      expect(() => records(text, [size])).toThrow(`expected ${expected}`);
  });

  test('a key in base64 is as long as any other', () => {
    const key = (bytes: number): string => {
      return `{"keyBase64":"${Buffer.alloc(bytes, 255).toString('base64')}","value":""}`;
    };
    expect(records(key(65_535), [4096])).toHaveLength(1);
    expect(() => records(key(65_536), [4096])).toThrow(/at most/);
  });

  test('are other fields when the fields are named', () => {
    const fields = { key: 'key', value: 'value', ignoreOthers: true };
    const text = '{"key":"a","value":"b","flags":"x","keyBase64":1}';
    expect(records(text, [1000], fields)).toEqual([['a', 'b', 0]]);
  });
});
