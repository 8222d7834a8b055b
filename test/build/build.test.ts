import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { type BuildRequest, type Built, buildTable } from '../../src/build/build.ts';
import type { RowLayout } from '../../src/build/rows/row-record.ts';
import { tableScanner } from '../../src/storage/formats/table.ts';
import { temporaryFolder } from '../support/folder.ts';
import { mountSmallDisk } from '../support/small-disk.ts';
import { recordsOf } from './records.ts';

let folder: string;
let out: string;
beforeEach(() => {
  folder = temporaryFolder();
  out = join(folder, 'out.db');
});

const ROWS: RowLayout = {
  key: ['id'],
  keyDelimiter: ':',
  value: 'v',
  json: undefined,
  flags: undefined,
};

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function build(inputs: readonly string[], more: Partial<BuildRequest> = {}): Promise<Built> {
  return buildTable({
    out,
    inputs,
    rows: ROWS,
    rowFormat: undefined,
    prefix: '',
    duplicates: 'last',
    keys: 'any',
    skipBad: 0,
    onProgress: () => {},
    ...more,
  });
}

/** Builds of one file, and tells the records. */
async function built(name: string, content: string | Uint8Array, more?: Partial<BuildRequest>) {
  await build([file(name, content)], more);
  return recordsOf(out);
}

describe('a build', () => {
  test('writes a table and its sum file, and the same bytes each time', async () => {
    const input = file('a.csv', 'id,v\n1,one\n2,two\n');
    const { keys, md5 } = await build([input]);
    const bytes = readFileSync(out);
    expect(keys).toBe(2);
    expect(createHash('md5').update(bytes).digest('hex')).toBe(md5);
    expect(readFileSync(`${out}.md5`, 'utf8')).toBe(`${md5}  out.db\n`);
    await build([input]);
    expect(readFileSync(out).equals(bytes)).toBe(true);
    expect(readdirSync(folder).toSorted()).toEqual(['a.csv', 'out.db', 'out.db.md5']);
  });

  test.each([
    ['quotes, CRLF and a byte order mark', 'a.csv', '\ufeffid,v\r\n1,"a,""b""\n"\r\n', 'a,"b"\n'],
    ['tabs', 'a.tsv', 'id\tv\n1\ta,b\n', 'a,b'],
    ['NULs', 'a.csv', 'id,v\n1,a\0b\n', 'a\0b'],
    ['JSON Lines with other fields', 'a.jsonl', '{"x":[],"id":1,"v":"a"}\n\n', 'a'],
    ['numbers', 'a.jsonl', '{"id":1,"v":1.50}', '1.5'],
    ['booleans', 'a.jsonl', '{"id":1,"v":true}', 'true'],
    ['null', 'a.jsonl', '{"id":1,"v":null}', ''],
    ['objects', 'a.jsonl', '{"id":1,"v":{"a":[1]}}', '{"a":[1]}'],
    ['the delimiter that Excel names', 'a.csv', '\ufeffsep=;\r\nid;v\r\n1;"a;b"\r\n', 'a;b'],
    ['the delimiter that Excel names, a comma', 'a.csv', 'sep=,\nid,v\n1,a\n', 'a'],
    ['gzip', 'a.csv.gz', gzipSync('id,v\n1,a\n'), 'a'],
    ['UTF-16', 'a.csv', Buffer.from('\ufeffid,v\n1,\u00e9\n', 'utf16le'), '\u00e9'],
    [
      'UTF-16 from its other end',
      'a.csv',
      Buffer.from('\ufeffid,v\n1,x\n', 'utf16le').swap16(),
      'x',
    ],
  ])('reads %s', async (_what, name, content, value) => {
    expect(await built(name, content)).toEqual({ '1': value });
  });

  test('reads CSV with another delimiter', async () => {
    expect(await built('a.csv', 'id;v\n1;a,b\n', { delimiter: ';' })).toEqual({ '1': 'a,b' });
  });

  test('keeps bytes of CSV that are not UTF-8', async () => {
    await build([file('a.csv', Buffer.from('id,v\n1,\xe9\n', 'latin1'))]);
    expect(readFileSync(out).includes(Buffer.from('\xe9\r\n', 'latin1'))).toBe(true);
  });

  test('reads a field of 100 MB', async () => {
    await build([file('a.csv', `id,v\n1,${'x'.repeat(100_000_000)}\n`)]);
    expect((await recordsOf(out))['1'].length).toBe(100_000_000);
  }, 60_000);

  test('composes keys, and makes JSON of columns', async () => {
    const rows = { ...ROWS, key: ['a', 'b'], value: undefined };
    const input = 'a,b,c\nx,y,1\n';
    expect(await built('a.csv', input, { rows, prefix: 'p/' })).toEqual({
      'p/x:y': '{"a":"x","b":"y","c":"1"}',
    });
    const some = { ...rows, json: ['c'] };
    expect(await built('a.csv', input, { rows: some })).toEqual({ 'x:y': '{"c":"1"}' });
  });

  test('takes a format that the server reads, a table of its own too', async () => {
    const rows = undefined;
    expect(await built('a.json', '{"k":"v"}', { rows, prefix: 'p' })).toEqual({ pk: 'v' });
    const first = file('first.db', readFileSync(out));
    expect(tableScanner.recognise?.(readFileSync(first), { path: first })).toBe(true);
    await build([first], { rows });
    expect(readFileSync(out).equals(readFileSync(first))).toBe(true);
  });

  test('keeps the last record of a key across inputs, or refuses the second', async () => {
    const inputs = [file('a.csv', 'id,v\n1,old\n'), file('b.jsonl', '{"id":"1","v":"new"}')];
    const { notices } = await build(inputs);
    expect(notices).toEqual([expect.stringContaining('1 record has a key that came before')]);
    expect(await recordsOf(out)).toEqual({ '1': 'new' });
    await expect(build(inputs, { duplicates: 'error' })).rejects.toThrow('came before');
  });
});

test('a full disk keeps the old file, and no part of the new one', async (context) => {
  const disk = mountSmallDisk(context, 1_000_000);
  out = join(disk, 'out.db');
  writeFileSync(out, 'old');
  const input = file('a.csv', `id,v\n1,${'x'.repeat(2_000_000)}\n`);
  await expect(build([input])).rejects.toMatchObject({ code: 'DISK_FULL' });
  expect(readFileSync(out, 'utf8')).toBe('old');
  expect(readdirSync(disk)).toEqual(['out.db']);
});

describe('bad input', () => {
  test.each([
    ['a ragged row', 'a.csv', 'id,v\n1\n', 'line 2: expected 2 columns'],
    ['a lone quote', 'a.csv', 'id,v\n1,"a\n', 'expected a closing quote'],
    ['a quote inside of a cell', 'a.csv', 'id,v\n1,a"b\n', 'found one inside of cell 2'],
    ['an empty key', 'a.csv', 'id,v\n,a\n', 'line 2: column "id": expected a key, found nothing'],
    ['no such column', 'a.csv', 'id,w\n1,a\n', 'expected a column "v", found "id", "w"'],
    ['a column twice', 'a.csv', 'id,id\n1,a\n', 'expected each column once'],
    ['nothing', 'a.csv', '', 'expected a line of column names'],
    ['a key that is null', 'a.jsonl', '{"id":null,"v":1}', 'expected a key, found null'],
    ['a key that is a list', 'a.jsonl', '{"id":[],"v":1}', 'found an object or a list'],
    ['a number too long', 'a.jsonl', '{"id":12345678901234567890,"v":1}', 'put it in quotes'],
    ['text that is not JSON', 'a.jsonl', '{"id"', 'line 1: '],
    ['half a UTF-16 character', 'a.csv', Buffer.from([0xff, 0xfe, 0x61]), 'expected UTF-16'],
  ])('ends the build at %s, and the old file stays', async (_what, name, content, why) => {
    writeFileSync(out, 'old');
    const input = file(name, content);
    await expect(build([input])).rejects.toThrow(why);
    expect(readFileSync(out, 'utf8')).toBe('old');
    expect(readdirSync(folder).toSorted()).toEqual([name, 'out.db']);
  });

  test('is left out up to a number of rows, and listed', async () => {
    const input = file('a.csv', 'id,v\n1\n,a\n3,c\n');
    const { rejected, firstRejected } = await build([input], { skipBad: 2 });
    expect(rejected).toBe(2);
    expect(await recordsOf(out)).toEqual({ '3': 'c' });
    const listed = readFileSync(`${out}.rejected.jsonl`, 'utf8').trimEnd().split('\n');
    expect(listed.map((line) => JSON.parse(line))).toEqual(firstRejected);
    expect(firstRejected.map(({ line }) => line)).toEqual([2, 3]);
    await expect(build([input], { skipBad: 1 })).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
  });

  test('is not left out where a quote hides how far it goes', async () => {
    const input = file('a.csv', 'id,v\n1,"a"b\n2,c\n');
    await expect(build([input], { skipBad: 9 })).rejects.toThrow(
      'behind the closing quote of cell 2',
    );
  });

  test('is a key that memcached cannot ask for, where that is asked', async () => {
    const input = file('a.csv', 'id,v\na b,1\n');
    expect((await build([input])).notices).toHaveLength(1);
    await expect(build([input], { keys: 'memcached' })).rejects.toThrow('a space');
  });
});
