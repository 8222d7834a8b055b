import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GoromdbError } from '../../../src/common/errors.ts';
import { memcachedbScanner } from '../../../src/storage/formats/bdb/memcachedb.ts';
import { type Records, ScratchFile } from '../../support/scratch-file.ts';
import { fixture, numbered, pattern } from './bdb-fixture.ts';

let file: ScratchFile;
beforeAll(() => {
  file = new ScratchFile(memcachedbScanner);
});
afterAll(() => file.close());

/** Key, value and client flags, in the order of keys. */
async function items(bytes: Buffer): Promise<[string, string, number][]> {
  const records: Records = await file.scan(bytes);
  const found = records.map(([key, value], i): [string, string, number] => [
    key,
    value,
    file.flags[i],
  ]);
  return found.sort(([a], [b]) => (a < b ? -1 : 1));
}

describe.each(['btree', 'hash'])('a MemcacheDB %s', (method) => {
  it('gives its values without what MemcacheDB keeps around them', async () => {
    const expected = numbered(300, 'key-', 'value-').map(([key, value]) => [key, value, 0]);
    expect(await items(fixture(`memcachedb/${method}-items`))).toEqual(expected);
  });

  it('gives client flags, also those that it has printed as negative', async () => {
    expect(await items(fixture(`memcachedb/${method}-flags`))).toEqual([
      ['empty', '', 0],
      ['flags-1', 'one', 1],
      ['flags-32', 'thirty-two', 32],
      ['flags-max', 'all bits', 2 ** 32 - 1],
      ['flags-min', 'highest bit', 2 ** 31],
      ['k'.repeat(250), 'longest key', 9],
      ['lines', 'VALUE a 0 1\r\nEND\r\n', 7],
      ['long', pattern(3000), 5],
    ]);
  });
});

it('reads a MemcacheDB file of a big-endian machine', async () => {
  const expected = numbered(50, 'key-', 'value-').map(([key, value]) => [key, value, 3]);
  expect(await items(fixture('memcachedb/btree-be'))).toEqual(expected);
});

it('is refused inside gzip', async () => {
  const bytes = fixture('memcachedb/btree-items');
  await expect(file.scan(bytes, { gzipped: true })).rejects.toMatchObject({
    code: 'FORMAT_UNSUPPORTED',
  });
});

it('takes a bucket as the Berkeley DB scanner does', async () => {
  const bytes = fixture('memcachedb/btree-items');
  await expect(file.scan(bytes, { bucket: 'x' })).rejects.toMatchObject({
    code: 'FORMAT_UNSUPPORTED',
    message: expect.stringContaining('a database named "x"'),
  });
});

describe('a MemcacheDB file is refused', () => {
  /** Where the items of key-00007 begin: pages that were split keep old bytes. */
  function itemsAt(bytes: Buffer): number[] {
    const found: number[] = [];
    const item = 'key-00007\0 0 11\r\n';
    for (let at = bytes.indexOf(item); at >= 0; at = bytes.indexOf(item, at + 1))
      found.push(at - 8);
    return found;
  }

  async function refuses(bytes: Buffer, message: RegExp): Promise<void> {
    const error = await file.scan(bytes).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(GoromdbError);
    expect(error).toMatchObject({
      code: 'DATA_CORRUPT',
      message: expect.stringMatching(message),
    });
  }

  // Offsets: 0 length, 4 suffix length, 5 key length, 8 key, 17 NUL, 18 " 0 11\r\n", 25 value.
  it.each<[name: string, message: RegExp, damage: (bytes: Buffer, at: number) => void]>([
    [
      'a length that is one less',
      /a length of 13 bytes/,
      (bytes, at) => bytes.writeInt32LE(12, at),
    ],
    ['a negative length', /a length of 13 .*found -13/, (bytes, at) => bytes.writeInt32LE(-13, at)],
    ['a longer suffix', /a length of 12 bytes/, (bytes, at) => bytes.writeUInt8(8, at + 4)],
    [
      'a suffix over the item',
      /room for a key of 9 and/,
      (bytes, at) => bytes.writeUInt8(99, at + 4),
    ],
    ['a key over the item', /room for a key of 255/, (bytes, at) => bytes.writeUInt8(255, at + 5)],
    ['bytes where zeros must be', /two zero bytes/, (bytes, at) => bytes.writeUInt8(1, at + 7)],
    [
      'another key inside',
      /its own key in the item; found "key-00008"/,
      (b, at) => b.write('8', at + 16),
    ],
    ['no zero byte behind the key', /a zero byte after the key/, (b, at) => b.write(' ', at + 17)],
    [
      'a suffix without a space',
      /a suffix of flags and length 11/,
      (b, at) => b.write('x', at + 18),
    ],
    ['a suffix with signs', /a suffix of flags/, (b, at) => b.write(' + 11\r', at + 18)],
    ['a suffix of another length', /a suffix of flags/, (b, at) => b.write(' 0 12\r', at + 18)],
    ['a suffix without line end', /a suffix of flags/, (b, at) => b.write(' 0 11\n', at + 18)],
    [
      'no line end after the value',
      /a line end after the value/,
      (b, at) => b.write('\n\n', at + 36),
    ],
  ])('with %s', async (_, message, damage) => {
    const bytes = fixture('memcachedb/btree-items');
    for (const at of itemsAt(bytes)) damage(bytes, at);
    await refuses(bytes, message);
    await refuses(bytes, /item of key "key-00007": expected/);
  });

  it('with flags of more than 32 bits', async () => {
    const bytes = fixture('memcachedb/btree-flags');
    const at = bytes.indexOf(' -2147483648 11');
    bytes.write(' -2147483649', at);
    await refuses(bytes, /item of key "flags-min": expected a suffix/);
  });

  it('when it is a Berkeley DB file of other records', async () => {
    await refuses(fixture('bdb/btree-plain'), /item of key "key-00001": expected/);
    await refuses(fixture('bdb/btree-binary'), /an item of 8 bytes or more; found 0/);
  });
});
