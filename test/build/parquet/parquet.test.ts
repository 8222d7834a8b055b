import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { type BuildRequest, buildTable } from '../../../src/build/build.ts';
import { temporaryFolder } from '../../support/folder.ts';
import { recordsOf } from '../records.ts';

const FIXTURES = fileURLToPath(new URL('../../../fixtures/parquet/', import.meta.url));
/** Node decompresses zstd from 22.15 on. */
const HAS_ZSTD = 'zstd' in process.versions;

let out: string;
beforeEach(() => {
  out = join(temporaryFolder(), 'out.db');
});

/** The records of a fixture, or of a file that is not one. */
async function read(
  name: string,
  more: Partial<BuildRequest> = {},
): Promise<Record<string, string>> {
  const path = name.startsWith('/') ? name : join(FIXTURES, name);
  await buildTable({ out, inputs: [path], rows: { key: ['id'] }, ...more });
  return recordsOf(out);
}

/** The same rows as the fixtures `small-*` have. */
function small(i: number, more = ''): string {
  const n = i % 7 === 0 ? null : i * 1000;
  return `{"id":"key${i}","n":${n},"text":"text ${i % 5}"${more}}`;
}

const SMALL = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key${i}`, small(i)]));

/** The columns of types.parquet with their texts in the first two rows. The third has nulls. */
const TEXTS: readonly (readonly [column: string, first: string, second: string])[] = [
  ['bool', 'true', 'false'],
  ['int8', '-128', '127'],
  ['int32', '-2147483648', '2147483647'],
  ['int64', '-9223372036854775808', '9223372036854775807'],
  ['uint32', '0', '4294967295'],
  ['uint64', '0', '18446744073709551615'],
  ['float', '0.1', 'Infinity'],
  ['double', '1.5', 'NaN'],
  ['half', '0.5', '-2'],
  ['decimal', '-12.50', '0.05'],
  ['large', '12345678901234567890123456789', '0'],
  ['string', 'é "x"\n', ''],
  ['fixed', 'abc', 'xyz'],
  ['date', '2024-02-29', '0001-01-01'],
  ['time', '01:02:03.0004', '00:00:00'],
  ['millis', '2024-02-29T12:34:56.789Z', '1969-12-31T23:59:59.999Z'],
  ['micros', '2024-02-29T12:34:56.789', '0001-01-01T00:00:00'],
  ['nanos', '1970-01-01T00:00:00.000000001Z', '1970-01-01T00:00:01Z'],
];

/** Numbers and booleans have no quotes; NaN and infinity are no numbers of JSON. */
function jsonOf(column: string, text: string): string {
  const isBare = /^(?:bool|u?int|float|double|half|decimal|large)/.test(column);
  return isBare && !/NaN|Infinity/.test(text) ? text : JSON.stringify(text);
}

describe('Parquet', () => {
  test.each([
    'small-snappy.parquet',
    'small-gzip.parquet',
    'small-brotli.parquet',
    'small-none.parquet',
    'delta.parquet',
  ])('is read: %s', async (name) => {
    expect(await read(name)).toEqual(SMALL);
  });

  test('in zstd is read where Node can, and refused by name where it cannot', async () => {
    const records = read('small-zstd.parquet');
    if (HAS_ZSTD) expect(await records).toEqual(SMALL);
    else await expect(records).rejects.toThrow('which takes Node 22.15');
  });

  test('of which columns are named is read without the others, nested ones too', async () => {
    const rows = { key: ['id'], value: 'v' };
    expect(await read('nested.parquet', { rows })).toEqual({ a: 'b' });
    await expect(read('nested.parquet')).rejects.toThrow('found the nested column "list"');
    const some = { key: ['id'], json: ['n', 'day', 'u'] };
    expect((await read('duckdb.parquet', { rows: some })).key3).toBe(
      '{"n":4.5,"day":"2024-01-04","u":"00000000-0000-0000-0000-000000000007"}',
    );
  });

  test('is read from the folder that Spark leaves, with its times of 96 bits', async () => {
    const records = await read('spark');
    expect(Object.keys(records)).toHaveLength(300);
    expect(records.key299).toBe(small(299, ',"at":"2024-02-29T12:34:56.789Z"'));
  });

  test('in a file that is compressed again is read', async () => {
    const path = join(out, '..', 'a.parquet.gz');
    writeFileSync(path, gzipSync(readFileSync(join(FIXTURES, 'small-none.parquet'))));
    expect(await read(path)).toEqual(SMALL);
  });

  test('has one text for a value of each type', async () => {
    const columns = TEXTS.map(([column]) => column);
    const values = await read('types.parquet', { rows: { key: ['id'], json: columns } });
    const json = (i: 1 | 2): string => {
      const members = TEXTS.map((texts) => `"${texts[0]}":${jsonOf(texts[0], texts[i])}`);
      return `{${members.join(',')}}`;
    };
    const nulls = `{${columns.map((column) => `"${column}":null`).join(',')}}`;
    expect(values).toEqual({ a: json(1), b: json(2), c: nulls });
    // As a key a value is the same text, without quotes.
    const rows = { key: columns, keyDelimiter: '|', value: 'id' };
    expect(await read('types.parquet', { rows, skipBad: 2 })).toEqual({
      [TEXTS.map(([, first]) => first).join('|')]: 'a',
    });
  });

  test('keeps bytes as they are, and names the row whose bytes cannot be JSON', async () => {
    await read('types.parquet', { rows: { key: ['id'], value: 'binary' } });
    expect(readFileSync(out).includes(Buffer.from([0xff, 0x00, 0x0d, 0x0a]))).toBe(true);
    await expect(read('types.parquet')).rejects.toThrow(
      'row 1 (row group 1): column "binary": expected UTF-8 for JSON',
    );
    const rows = { key: ['id'], json: ['binary'] };
    const { firstRejected } = await buildTable({
      ...{ out, inputs: [join(FIXTURES, 'types.parquet')], rows, skipBad: 1 },
    });
    expect(firstRejected).toEqual([
      expect.objectContaining({ rowGroup: 1, row: 1, column: 'binary' }),
    ]);
  });
});

describe('bad Parquet', () => {
  const good = readFileSync(join(FIXTURES, 'small-none.parquet'));

  /** Reads the fixture with its end or other bytes changed. */
  function damaged(bytes: Buffer): Promise<unknown> {
    const path = join(out, '..', 'bad.parquet');
    writeFileSync(path, bytes);
    return read(path);
  }

  test.each([
    ['a part of a file', good.subarray(0, 4000), "expected Parquet's PAR1 at the end"],
    ['nothing', Buffer.alloc(0), 'expected a Parquet file, found 0 bytes'],
    ['an encrypted file', Buffer.concat([good, Buffer.from('PARE')]), 'encrypted Parquet'],
    ['no footer', Buffer.from('PAR1\xff\xff\0\0PAR1', 'latin1'), 'a footer inside of the file'],
    ['a large footer', Buffer.from('PAR1\xff\xff\xff\xffPAR1', 'latin1'), 'a footer of at most'],
    [
      // A list of 2^28 elements.
      'a footer that lies',
      Buffer.from('PAR1\x19\xfc\x80\x80\x80\x80\x01\x07\0\0\0PAR1', 'latin1'),
      'found a list of 268435456 elements',
    ],
  ])('is %s', async (_what, bytes, why) => {
    await expect(damaged(bytes)).rejects.toThrow(why);
  });

  test('is a page that says it has a billion values', async () => {
    const bytes = Buffer.from(good);
    // Definition levels of three bytes: a run of 128 ones. See RLE in Parquet's Encodings.md.
    const at = bytes.indexOf(Buffer.from([3, 0, 0, 0, 0x80, 2, 1]));
    expect(at).toBeGreaterThan(0);
    bytes.set([7, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 7, 1, 0], at);
    await expect(damaged(bytes)).rejects.toThrow('a run of at most 128 numbers, found 1073741823');
  });

  test('is what comes from standard input', async () => {
    const request = { out, inputs: ['-'], rows: { key: ['id'] }, rowFormat: 'parquet' } as const;
    await expect(buildTable(request)).rejects.toMatchObject({ code: 'OPTION_INVALID' });
  });

  test('is a codec that is not read, a column that is not there', async () => {
    await expect(read('small-lz4.parquet')).rejects.toThrow('found LZ4_RAW');
    const rows = { key: ['no'] };
    await expect(read('small-none.parquet', { rows })).rejects.toThrow(
      'expected a column "no", found "id", "n", "text"',
    );
  });
});
