import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonRows } from '../../src/build/rows/json-rows.ts';
import type { BadRow, Cells } from '../../src/build/rows/row.ts';
import { RowRecords } from '../../src/build/rows/row-record.ts';
import { piecesOf } from './pieces.ts';

/** What each row becomes: its key and its value, or what is wrong with it. */
async function recordsOf(
  text: string | Buffer,
  json?: readonly string[],
  pieces: readonly number[] = [1e6],
): Promise<readonly string[]> {
  const found: string[] = [];
  const columns = json === undefined ? ['id'] : ['id', ...json];
  const whole = json === undefined ? columns.length : undefined;
  const sink = {
    add(
      key: Uint8Array,
      keyStart: number,
      keyEnd: number,
      value: Uint8Array,
      start: number,
      end: number,
    ) {
      const textOf = (bytes: Uint8Array, from: number, to: number): string =>
        Buffer.from(bytes.subarray(from, to)).toString();
      found.push(`${textOf(key, keyStart, keyEnd)} ${textOf(value, start, end)}`);
    },
  };
  const target = { prefix: '', valueBytesMax: 1e6, sink };
  const records = new RowRecords('a', columns, whole, { key: ['id'], json }, target);
  const chunks = async function* (): AsyncGenerator<Buffer> {
    yield* piecesOf(Buffer.from(text), pieces);
  };
  const bad = (line: number, why: BadRow): void => void found.push(`${line}: ${why.message}`);
  await jsonRows('a', chunks(), columns, {
    begin: () => {},
    row(cells: Cells) {
      try {
        records.add(cells);
      } catch (error) {
        bad(cells.line, error as BadRow);
      }
    },
    bad,
  });
  return found;
}

describe('a row of JSON Lines', () => {
  test('is as JSON what JSON.stringify makes of what JSON.parse reads', async () => {
    const rows = fc.array(fc.record({ id: fc.string({ minLength: 1 }), '\\"é': fc.jsonValue() }));
    await fc.assert(
      fc.asyncProperty(rows, fc.integer({ min: 1, max: 40 }), async (list, piece) => {
        // Keys of inner objects are left to JSON.stringify: it orders them by itself.
        const texts = list.map((row) => JSON.stringify(row));
        const spaced = texts.map((text) => ` ${text.replace(/^\{|,(?="\\)|\}$/g, ' $& ')}\r`);
        const expected = list.map(({ id }, i) => `${id} ${texts[i]}`);
        const isPlain = !texts.some((text) => text.includes('\\ud'));
        fc.pre(isPlain);
        expect(await recordsOf(texts.join('\n'), undefined, [piece])).toEqual(expected);
        expect(await recordsOf(spaced.join('\n'))).toEqual(
          list.map(({ id }, i) => `${id} ${texts[i]}`),
        );
      }),
      { numRuns: 150 },
    );
  });

  test('is refused where JSON.parse refuses it', async () => {
    const part = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '1',
      '01',
      '0',
      '-',
      '.5',
      'e9',
      'null',
      ' ',
      '\\u12',
      '\t',
    );
    const text = fc.array(part, { maxLength: 8 }).map((parts) => `{"id":1,"v":${parts.join('')}}`);
    await fc.assert(
      fc.asyncProperty(text, async (line) => {
        let isJson = true;
        try {
          JSON.parse(line);
        } catch {
          isJson = false;
        }
        const [found] = await recordsOf(line);
        expect(found.startsWith('1 {') || found.includes('twice')).toBe(isJson);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['a list', '[1]', 'byte 0: expected an object, found "["'],
    ['two objects', '{"id":1}{', 'byte 8: expected the end of the line, found "{"'],
    ['a field twice', '{"id":1,"id":2}', 'expected each field once, found it twice'],
    ['no key', '{"v":1}', 'expected this column, found none'],
    ['a low surrogate alone', '{"id":"\\udc00"}', 'expected a high surrogate'],
    ['a high surrogate alone', '{"id":"\\ud800x"}', 'expected the \\u escape of a low surrogate'],
    ['bytes that are no UTF-8', Buffer.from('{"id":"\xe9"}', 'latin1'), 'expected UTF-8'],
    ['a number too large', '{"id":1e999}', 'that a double can hold'],
    ['a depth of 65', `{"id":1,"v":${'['.repeat(65)}`, 'at most 64 objects and lists'],
  ])('is bad with %s', async (_what, text, why) => {
    expect(await recordsOf(text)).toEqual([expect.stringContaining(why)]);
  });

  test('has its columns in the order in which they are asked for', async () => {
    const text = '{"c": [1, "a b"], "id": "\\u00e9\\n", "b": 1.50, "a": null}';
    expect(await recordsOf(text, ['a', 'b', 'c'])).toEqual([
      'é\n {"a":null,"b":1.50,"c":[1,"a b"]}',
    ]);
  });
});
