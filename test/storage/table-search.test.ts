import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TableSearch } from '../../src/storage/table/table-search.ts';
import { temporaryFolder } from '../support/folder.ts';
import { layoutIn, tableBytes } from '../support/table-bytes.ts';

/** Searches a table's bytes, with its index held and without. */
function placesOf(bytes: Buffer, key: string): readonly number[] {
  const path = join(temporaryFolder(), 'table.db');
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  try {
    const input = { path, fd, size: bytes.length };
    const wanted = Buffer.from(key);
    return [true, false].map((holdsIndex) =>
      new TableSearch(input, layoutIn(bytes), holdsIndex).find(wanted, 0, wanted.length),
    );
  } finally {
    closeSync(fd);
  }
}

test.each([
  ['a segment that is not there', (_: number, place: number) => [1, place | 9]],
  ['a place behind its segment', (_: number, place: number) => [5_000_000, place]],
  ['the largest place', (_: number, place: number) => [0xffff_ffff, place]],
  ['the middle of a record', (offset: number, place: number) => [offset + 3, place]],
])('a slot that leads to %s is passed over', async (_, change) => {
  const bytes = await tableBytes([
    ['a', '1'],
    ['b', '2'],
  ]);
  expect(placesOf(bytes, 'a')).toEqual([1, 1]);
  const { index } = layoutIn(bytes);
  for (let at = index.at; at < index.at + index.bytes; at += 8) {
    const offset = bytes.readUInt32LE(at);
    if (offset === 0) continue;
    const [newOffset, place] = change(offset, bytes.readUInt32LE(at + 4));
    bytes.writeUInt32LE(newOffset, at);
    bytes.writeUInt32LE(place >>> 0, at + 4);
  }
  expect(placesOf(bytes, 'a')).toEqual([-1, -1]);
});

test('an index without an empty slot ends the search', async () => {
  const bytes = await tableBytes([['a', '1']]);
  const { index } = layoutIn(bytes);
  for (let at = index.at; at < index.at + index.bytes; at += 8) bytes.writeUInt32LE(1, at);
  expect(placesOf(bytes, 'none')).toEqual([-1, -1]);
});

test('a record that reaches beyond its segment is none', async () => {
  const bytes = await tableBytes([['a', 'v'.repeat(100)]]);
  const [{ at }] = layoutIn(bytes).segments;
  bytes[at + 2] = 127;
  bytes.write('127', bytes.indexOf('100\r\n', at), 'latin1');
  expect(placesOf(bytes, 'a')).toEqual([-1, -1]);
});
