import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recogniseForeign, showStart } from '../../../src/storage/formats/foreign.ts';
import { recogniseHead } from '../../../src/storage/formats/recognise.ts';

const FIXTURES = new URL('../../../fixtures/', import.meta.url);

/** Bytes at an offset, with zeros before them and others behind. */
function at(offset: number, hex: string): Buffer {
  return Buffer.concat([Buffer.alloc(offset), Buffer.from(hex, 'hex'), Buffer.from([7, 0, 9])]);
}

const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');
const swapped = (text: string): Buffer => utf16(text).swap16();

/** A table of cdb: all records in the hash table of one byte, or none at all. */
function cdb(records: number): Buffer {
  const bytes = Buffer.alloc(2048 + 16 * records);
  for (let i = 0; i < 256; i++) {
    bytes.writeUInt32LE(2048 + (i > 5 ? 16 * records : 0), 8 * i);
    bytes.writeUInt32LE(i === 5 ? 2 * records : 0, 8 * i + 4);
  }
  return bytes;
}

/** Heads as the formats' own tools wrote them; see `foreign.ts` for where the numbers stand. */
const HEADS: readonly [name: string, bytes: Buffer, advice: string][] = [
  ['gzip in another compression', gzipSync('{}'), 'compress it once'],
  ['zstd in another compression', at(0, '28b52ffd240a5100'), 'compress it once'],
  ['xz', at(0, 'fd377a585a000004e6d6b446'), 'xz -d'],
  ['bzip2', at(0, '425a6839314159265359'), 'bzip2 -d'],
  ['lz4', at(0, '04224d186440a70a'), 'lz4 -d'],
  ['lz4 (legacy)', at(0, '02214c18'), 'lz4 -d'],
  ['lzip', at(0, '4c5a49500114'), 'lzip -d'],
  ['zlib', at(0, '789c4bcc4f'), 'compress it with gzip'],
  ['compress (.Z)', at(0, '1f9d90'), 'uncompress'],
  ['snappy', at(0, 'ff060000734e61507059'), 'decompress it first'],
  ['a 7z archive', at(0, '377abcaf271c0004'), 'extract its file'],
  ['a RAR archive', at(0, '526172211a0701'), 'extract its file'],
  ['a zip archive', at(0, '504b03040a000000'), 'extract its file'],
  ['an empty zip archive', at(0, '504b050600000000'), 'drop the file itself'],
  [
    'a tar archive',
    Buffer.concat([Buffer.from('f.json'), at(251, '7573746172')]),
    'extract its file',
  ],
  ['an SQLite database', Buffer.from('SQLite format 3\0\x10\0'), 'export its records'],
  ['Parquet', Buffer.from('PAR1\x15\x04'), 'goromdb build -o OUT -key COLUMN'],
  ['encrypted Parquet', Buffer.from('PARE'), 'export its records'],
  ['ORC', Buffer.from('ORC\n\x06'), 'export its records'],
  ['Avro', Buffer.from('Obj\x01\x04\x14avro.codec'), 'export its records'],
  ['Arrow (Feather)', Buffer.from('ARROW1\0\0'), 'export its records'],
  ['the lock file of LMDB', at(0, 'dec0efbe'), 'data.mdb'],
  ['LMDB of a 32-bit machine', at(12, 'dec0efbe01000000'), 'mdb_dump'],
  ['LMDB of a 32-bit machine', at(16, 'dec0efbe02000000'), 'mdb_dump'],
  ['LMDB of a 32-bit big-endian machine', at(12, 'beefc0de00000001'), 'mdb_dump'],
  ['LMDB of a big-endian machine', at(16, 'beefc0de00000001'), 'mdb_dump'],
  ['LMDB of a big-endian machine', at(24, 'beefc0de00000002'), 'mdb_dump'],
  ['libmdbx', at(20, '03114cefbd9d6559'), 'mdbx_dump'],
  ['BoltDB of a big-endian machine', at(16, 'ed0cdaed00000002'), 'export'],
  ['a Berkeley DB 1.85 btree', at(0, '0005316200000003'), 'db_dump185'],
  ['a Berkeley DB 1.85 btree', at(0, '6231050003000000'), 'db_dump185'],
  ['a Berkeley DB 1.85 hash', at(0, '0006156100000002'), 'db_dump185'],
  ['a Berkeley DB queue', readFileSync(new URL('bdb/queue.db', FIXTURES)), 'db_load'],
  ['a Berkeley DB heap', readFileSync(new URL('bdb/heap.db', FIXTURES)), 'db_load'],
  ['a Berkeley DB queue', at(12, '00042253'), 'db_load'],
  ['a log of Berkeley DB', at(12, '88090400'), 'the database file'],
  ['GDBM', at(0, 'cf9a571300100000'), 'export its records'],
  ['GDBM', at(0, 'ce9a5713'), 'export its records'],
  ['GDBM', at(0, '13579acd'), 'export its records'],
  ['GDBM', at(0, 'd19a5713'), 'export its records'],
  ['a Redis dump (RDB)', Buffer.from('REDIS0011\xfa', 'latin1'), 'export its records'],
  ['cdb', cdb(0), 'export its records'],
  ['cdb', cdb(3), 'export its records'],
  ['an unfinished copy, as it begins with zeros', Buffer.alloc(4096), 'write it again'],
  ['a text in UTF-16', utf16('\ufeff{"a":"1"}'), 'iconv -f UTF-16 -t UTF-8'],
  ['a text in UTF-16', swapped('\ufeff{"a":"1"}'), 'iconv -f UTF-16 -t UTF-8'],
  ['a text in UTF-16', utf16('{"a":"1"}'), 'iconv -f UTF-16LE -t UTF-8'],
  ['a text in UTF-16', swapped('{"a":"1"}'), 'iconv -f UTF-16BE -t UTF-8'],
  ['a text in UTF-16', utf16('\r\n[1]'), 'iconv -f UTF-16LE -t UTF-8'],
  ['a text in UTF-32', at(0, 'fffe00007b000000'), 'iconv -f UTF-32 -t UTF-8'],
  ['a text in UTF-32', at(0, '0000feff0000007b'), 'iconv -f UTF-32 -t UTF-8'],
  ['a pointer of Git LFS', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), 'git lfs'],
  ['HTML', Buffer.from('\n<!DOCTYPE html>\n<html>'), 'why a download failed'],
  ['HTML', Buffer.from('<HTML lang="en">'), 'why a download failed'],
  ['XML', Buffer.from('\ufeff<?xml version="1.0"?>'), 'JSON Lines'],
  ['XML', Buffer.from('<Error><Code>AccessDenied</Code></Error>'), 'JSON Lines'],
  ['a JSON array', Buffer.from('\ufeff [{"a":"b"}]'), 'make a JSON object of it'],
  ['CSV', Buffer.from('id,name\n1,"Ann, of Ulm"\n2,Ben\n'), 'goromdb build -o OUT -key COLUMN'],
  ['CSV', Buffer.from('1;Ann\r\n2;Ben\r\n3;C'), 'goromdb build -o OUT -key COLUMN'],
  ['TSV', Buffer.from('1\tAnn, of Ulm\n2\tBen\n'), 'goromdb build -o OUT -key COLUMN'],
  ['plain text', Buffer.from('a, b and c\nd\n'), 'JSON Lines'],
  ['plain text', Buffer.from('Zürich\n'), 'JSON Lines'],
];

test.each(HEADS)('%s is known by its bytes, with what to do: %#', (name, head, advice) => {
  const foreign = recogniseForeign({ head, size: head.length, tail: head.subarray(-8) });
  expect(foreign?.name).toBe(name);
  expect(foreign?.advice).toContain(advice);
  // What can be served is none of them.
  if (!name.endsWith('another compression') && !name.includes('32-bit')) {
    expect(recogniseHead(head, { path: '' })).toEqual({});
  }
});

test.each([
  ['a LevelDB table (.ldb, .sst)', '57fb808b247547db'],
  ['a RocksDB table (.sst)', 'f7cff485b741e288'],
])('%s is known by its end', (name, hex) => {
  const tail = Buffer.from(hex, 'hex');
  const head = Buffer.from([0, 9, 0xac, 2, 0x6b]);
  expect(recogniseForeign({ head, size: 1000, tail })?.name).toBe(name);
  expect(recogniseForeign({ head, size: 1000, tail: Buffer.from(hex, 'hex').reverse() })).toBe(
    undefined,
  );
  expect(recogniseForeign({ head })).toBe(undefined);
});

describe('what is nothing known', () => {
  test.each([
    ['nothing', Buffer.alloc(0)],
    ['spaces', Buffer.from('\n\n  ')],
    ['noise', Buffer.from('8f010203fe7a', 'hex')],
    ['a table of cdb that is cut off', cdb(3).subarray(0, 2060)],
    ['text with a control character', Buffer.from('abc\x01\n')],
    ['a tar head too early', Buffer.from('ustar\x01')],
  ])('is not named: %s', (_, head) => {
    expect(recogniseForeign({ head, size: head.length, tail: head.subarray(-8) })).toBe(undefined);
  });
});

test('no good file is taken for another one', () => {
  for (const folder of ['lmdb', 'bolt', 'memcachedb', 'sample']) {
    for (const name of readdirSync(new URL(folder, FIXTURES))) {
      const head = readFileSync(new URL(`${folder}/${name}`, FIXTURES));
      if (recogniseHead(head, { path: '' }).format === undefined || name.endsWith('.json'))
        continue;
      const foreign = recogniseForeign({ head, size: head.length, tail: head.subarray(-8) });
      expect(foreign, name).toBe(undefined);
    }
  }
});

test('any bytes are looked at without a fault, and shown without one that a terminal obeys', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (head) => {
      recogniseForeign({ head, size: head.length, tail: head.subarray(-8) });
      expect(showStart(head)).toMatch(/^(?:[0-9a-f]{2} ?){0,16} \|[ -~]{0,16}\|$/);
    }),
  );
  expect(showStart(Buffer.from('\x1b]0;x\x07\x9b\r\n{"é"'))).toBe(
    '1b 5d 30 3b 78 07 c2 9b 0d 0a 7b 22 c3 a9 22 |.]0;x.....{".."|',
  );
});
