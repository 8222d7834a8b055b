import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CsvScanner } from '../../src/build/rows/csv-scanner.ts';
import { COLUMNS_MAX } from '../../src/build/rows/row.ts';
import { piecesOf } from './pieces.ts';

/** The rows of a text that comes in pieces; undefined: a wrong quote. */
function rowsOf(text: string, pieces: readonly number[], delimiter = ','): string[][] | undefined {
  const rows: string[][] = [];
  let isWrong = false;
  const scanner = new CsvScanner('a.csv', delimiter, {
    onRow({ bytes, count, starts, ends }) {
      rows.push(
        Array.from({ length: count }, (_, i) => bytes.toString('utf8', starts[i], ends[i])),
      );
    },
    onBad() {
      isWrong = true;
    },
  });
  try {
    for (const piece of piecesOf(Buffer.from(text), pieces)) scanner.push(piece);
    scanner.end();
  } catch {
    return undefined;
  }
  return isWrong ? undefined : rows;
}

/** As csv-parse reads it. */
function expectedOf(text: string): string[][] | undefined {
  try {
    return parse(text, {
      record_delimiter: ['\r\n', '\n', '\r'],
      relax_column_count: true,
      skip_empty_lines: true,
    });
  } catch {
    return undefined;
  }
}

const TEXTS = fc
  .array(fc.constantFrom('a', 'é', ' ', '"', '""', ',', '\n', '\r\n', '"b"', ',"c""d",', '\t'), {
    maxLength: 30,
  })
  .map((parts) => parts.join(''));
const PIECES = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 });

describe('CSV', () => {
  test('has the rows that csv-parse finds, in whatever pieces it comes', () => {
    fc.assert(
      fc.property(TEXTS, PIECES, (text, pieces) => {
        expect(rowsOf(text, pieces)).toEqual(expectedOf(text));
      }),
      { numRuns: 1000 },
    );
  });

  test('ends a line with CR, too, and counts the lines in quotes', () => {
    const lines: number[] = [];
    const hooks = { onRow: ({ line }: { line: number }) => lines.push(line), onBad: () => {} };
    const scanner = new CsvScanner('a.csv', ',', hooks);
    scanner.push(Buffer.from('a\rb\r'));
    scanner.push(Buffer.from('\n"c\nc"\r\n\nd'));
    scanner.end();
    expect(lines).toEqual([1, 2, 3, 6]);
  });

  test(`has at most ${COLUMNS_MAX} columns`, () => {
    const line = (columns: number): string => ','.repeat(columns - 1);
    expect(rowsOf(line(COLUMNS_MAX), [1e6])?.[0]).toHaveLength(COLUMNS_MAX);
    const scanner = new CsvScanner('a.csv', ',', { onRow: () => {}, onBad: () => {} });
    expect(() => scanner.push(Buffer.from(line(COLUMNS_MAX + 2)))).toThrow('columns, found more');
  });
});
