import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, test } from 'vitest';
import { type BuildRequest, type Built, buildTable } from '../../src/build/build.ts';
import type { RowLayout } from '../../src/build/rows/row-record.ts';
import { jsonLinesScanner } from '../../src/storage/formats/json/json.ts';
import { lmdbScanner } from '../../src/storage/formats/lmdb/lmdb.ts';
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

  test('has the same bytes on any machine, and with any Node', async () => {
    const { md5 } = await build([file('a.csv', 'id,v\n1,one\n2,"t,wo"\n1,three\n')]);
    expect(md5).toBe('8d170d3544499e1acc8af5c69bb0039f');
  });

  test('writes nothing when it is aborted', async () => {
    const abort = new AbortController();
    const input = file('a.csv', 'id,v\n1,one\n');
    const aborted = build([input], { signal: abort.signal, onProgress: () => abort.abort() });
    await expect(aborted).rejects.toMatchObject({ code: 'LOADER_FAILED' });
    expect(readdirSync(folder)).toEqual(['a.csv']);
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
  });

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
    const inputs = [
      file('a.csv', 'id,v\n1,old\n'),
      file('b.jsonl', '{"id":"2","v":""}\n\n{"id":"1","v":"new"}'),
    ];
    const { notices } = await build(inputs);
    expect(notices).toEqual([expect.stringContaining('1 record has a key that came before')]);
    expect(await recordsOf(out)).toEqual({ '1': 'new', '2': '' });
    const refused = build(inputs, { duplicates: 'error' });
    await expect(refused).rejects.toThrow(`the first such key is "1", at line 3 of ${inputs[1]}`);
  });

  test('names the place of the second record, whatever the format and what was left out', async () => {
    const json = [file('a.json', '{"k":"v"}'), file('b.json', '{"x":"","k":"w"}')];
    const options = { rows: undefined, duplicates: 'error' } as const;
    await expect(build(json, options)).rejects.toThrow(`at byte 8 of ${json[1]}`);
    const table = file('t.db', '');
    await build(json.slice(0, 1), { rows: undefined, out: table });
    await expect(build([table, table], options)).rejects.toThrow(`is "k", in ${table}`);
    const lines = 'id,v\n1,"a\nb"\n,bad\n2,c\n1,d\n';
    const some = { duplicates: 'error', skipBad: 1 } as const;
    await expect(build([file('c.csv', lines)], some)).rejects.toThrow('"1", at line 6 of');
  });
});

describe('what is written', () => {
  const ROWS_TWICE = 'id,v\na,1\nb,2\na,3\nc,\nb,4\n';

  test('has the first record of each key, if that is asked for, as if there were no others', async () => {
    const duplicates = 'first';
    const { notices, keys } = await build([file('a.csv', ROWS_TWICE)], { duplicates });
    expect(notices).toEqual([expect.stringContaining('the first of each is kept')]);
    expect(keys).toBe(3);
    const bytes = readFileSync(out);
    await build([file('b.csv', 'id,v\na,1\nb,2\nc,\n')], { duplicates });
    expect(readFileSync(out).equals(bytes)).toBe(true);
    expect(readdirSync(folder).toSorted()).toEqual(['a.csv', 'b.csv', 'out.db', 'out.db.md5']);
  });

  test.each([
    ['last', { a: '3', b: '4', c: '' }],
    ['first', { a: '1', b: '2', c: '' }],
  ] as const)(
    'is LMDB that the server reads, with the %s of each key',
    async (duplicates, records) => {
      const { md5, bytes } = await build([file('a.csv', ROWS_TWICE)], {
        duplicates,
        format: 'lmdb',
      });
      expect(createHash('md5').update(readFileSync(out)).digest('hex')).toBe(md5);
      expect(statSync(out).size).toBe(bytes);
      expect(readdirSync(folder).toSorted()).toEqual(['a.csv', 'out.db', 'out.db.md5']);
      expect(await recordsOf(out, lmdbScanner)).toEqual(records);
    },
  );

  test('is JSON Lines that the server reads', async () => {
    await build([file('a.csv', ROWS_TWICE)], { duplicates: 'first', format: 'jsonl' });
    expect(readFileSync(out, 'utf8')).toBe(
      '{"key":"a","value":"1"}\n{"key":"b","value":"2"}\n{"key":"c","value":""}\n',
    );
    expect(await recordsOf(out, jsonLinesScanner)).toEqual({ a: '1', b: '2', c: '' });
  });

  test('is JSON Lines with flags, and base64 for bytes that are not UTF-8', async () => {
    const input = file('a.csv', Buffer.from('id,v,f\na,\xe9,7\n', 'latin1'));
    await build([input], { rows: { ...ROWS, flags: 'f' }, format: 'jsonl' });
    expect(readFileSync(out, 'utf8')).toBe('{"key":"a","valueBase64":"6Q==","flags":7}\n');
  });

  test('is nothing where there is no folder for it', async () => {
    const input = file('a.csv', ROWS_TWICE);
    await expect(build([input], { out: join(folder, 'none', 'out.db') })).rejects.toMatchObject({
      code: 'FOLDER_UNUSABLE',
      message: expect.stringContaining('expected a folder'),
    });
  });

  test('takes the place of no input of rows, and of another format it does', async () => {
    const input = file('a.csv', ROWS_TWICE);
    await expect(build([input], { out: input })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    expect(readFileSync(input, 'utf8')).toBe(ROWS_TWICE);
    expect(readdirSync(folder)).toEqual(['a.csv']);
    await build([input]);
    await build([out], { rows: undefined, prefix: 'p:' });
    expect(Object.keys(await recordsOf(out)).toSorted()).toEqual(['p:a', 'p:b', 'p:c']);
  });

  test.each([
    ['', 'folder', (path: string) => mkdirSync(path)],
    ['.md5', 'folder', (path: string) => mkdirSync(path)],
    ['.rejected.jsonl', 'folder', (path: string) => mkdirSync(path)],
    ['', 'device, a pipe', (path: string) => execFileSync('mkfifo', [path])],
  ])('is nothing where OUT%s is a %s, and the input is not read', async (ending, kind, make) => {
    make(`${out}${ending}`);
    const before = readdirSync(folder);
    const input = join(folder, 'none.csv');
    await expect(build([input])).rejects.toMatchObject({
      code: 'FOLDER_UNUSABLE',
      message: expect.stringContaining(`expected a file or nothing there, found a ${kind}`),
    });
    expect(readdirSync(folder)).toEqual(before);
  });

  test.each([
    ['flags', 'id,v\na,1\n', { ...ROWS, flags: 'v' }, 'client flags, 1'],
    ['long keys', `id,v\n${'k'.repeat(1979)},1\n`, ROWS, 'a key of 1979 bytes'],
  ])('cannot be LMDB with %s', async (_what, content, rows, why) => {
    const input = file('a.csv', content);
    await expect(build([input], { rows, format: 'lmdb' })).rejects.toThrow(why);
    expect(readdirSync(folder)).toEqual(['a.csv']);
  });
});

// The second file of two does not fit: anything but a table is made of one.
test.for([
  ['table', 1_000_000],
  ['lmdb', 3_000_000],
  ['jsonl', 3_000_000],
] as const)(
  'a full disk keeps the old file, and no part of the new one: %s',
  async ([format, size], context) => {
    const disk = mountSmallDisk(context, size);
    out = join(disk, 'out.db');
    writeFileSync(out, 'old');
    const input = file('a.csv', `id,v\n1,${'x'.repeat(2_000_000)}\n`);
    await expect(build([input], { format })).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(readFileSync(out, 'utf8')).toBe('old');
    expect(readdirSync(disk)).toEqual(['out.db']);
  },
);

test('a full disk is named also when there is no room for the list of bad rows', async (context) => {
  const disk = mountSmallDisk(context, 64 * 1024);
  out = join(disk, 'out.db');
  const input = file('a.csv', `id,v\n${',bad\n'.repeat(5_000)}`);
  await expect(build([input], { skipBad: 9_999 })).rejects.toMatchObject({
    code: 'DISK_FULL',
    message: expect.stringContaining(`no room to write ${out}.rejected.jsonl`),
  });
  expect(readdirSync(disk)).toEqual([]);
});

describe('what a killed build has left behind', () => {
  const UUID = '01234567-89ab-cdef-0123-456789abcdef';

  /** A file that was written to so many hours ago. */
  function old(name: string, hours: number): void {
    const seconds = Date.now() / 1000 - hours * 3600;
    utimesSync(file(name, ''), seconds, seconds);
  }

  test('is removed by the next one of the same file, when it is a day old', async () => {
    for (const end of ['', '.md5', '.rejected.jsonl']) old(`.out.db${end}.${UUID}.tmp`, 25);
    await build([file('a.csv', 'id,v\n1,one\n')]);
    expect(readdirSync(folder).toSorted()).toEqual(['a.csv', 'out.db', 'out.db.md5']);
  });

  test('stays when it may be of another build that runs, of another file, or of somebody else', async () => {
    old(`.out.db.${UUID}.tmp`, 23);
    old(`.outxdb.${UUID}.tmp`, 99);
    old('.out.db.not-a-uuid.tmp', 99);
    old('target', 99);
    symlinkSync('target', join(folder, `.out.db.${UUID.replace('0', '1')}.tmp`));
    const left = readdirSync(folder).filter((name) => name.startsWith('.'));
    await build([file('a.csv', 'id,v\n1,one\n')]);
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(left));
    expect(left).toHaveLength(4);
  });
});

describe('bad input', () => {
  test.each([
    ['a ragged row', 'a.csv', 'id,v\n1\n', 'line 2: expected 2 columns'],
    ['a lone quote', 'a.csv', 'id,v\n1,"a\n', 'expected a closing quote'],
    ['a quote inside of a cell', 'a.csv', 'id,v\n1,a"b\n', 'found one inside of cell 2'],
    ['an empty key', 'a.csv', 'id,v\n,a\n', 'line 2: column "id": expected a key, found nothing'],
    ['no such column', 'a.csv', 'id,w\n1,a\n', 'expected a column "v", found "id", "w"'],
    ['another delimiter', 'a.csv', 'id;v\n1;a\n', 'found "id;v": are its cells separated by ";"?'],
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
    const [notice] = (await build([input])).notices;
    expect(notice).toContain(`the first is "a b", at line 2 of ${input}`);
    await expect(build([input], { keys: 'memcached' })).rejects.toThrow('a space');
  });
});
