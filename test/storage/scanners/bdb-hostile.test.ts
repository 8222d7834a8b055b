import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GoromdbError } from '../../../src/common/errors.ts';
import { bdbScanner } from '../../../src/storage/formats/bdb/bdb.ts';
import { cpuMs } from '../../support/cpu-time.ts';
import { ScratchFile } from '../../support/scratch-file.ts';
import { fixture, fixtureNames, Image } from './bdb-fixture.ts';

let file: ScratchFile;
beforeAll(() => {
  file = new ScratchFile(bdbScanner);
});
afterAll(() => file.close());

type Case = [name: string, message: RegExp, damage: (image: Image) => void];

async function refuses(
  bytes: Buffer,
  code: string,
  message: RegExp,
  bucket?: string,
): Promise<void> {
  const started = cpuMs();
  const error = await file.scan(bytes, { bucket }).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(GoromdbError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(cpuMs() - started).toBeLessThan(2000);
}

/** Cases on btrees with three levels. */
const TREE_CASES: Case[] = [
  ['its root beyond the end', /a link to pages from 1/, (i) => i.set32(88, i.pageCount)],
  ['its root far beyond the end', /a link to pages from 1/, (i) => i.set32(88, 0xffff_ffff)],
  ['a meta page as root', /a link to pages from 1/, (i) => i.set32(88, 0)],
  ['a root that the meta page does not know', /from 1 to 0; found page 1/, (i) => i.set32(32, 0)],
  ['a child beyond the end', /a link to pages/, (i) => linkTo(i, i.root, 0, i.bytes.length)],
  ['a page that leads to itself', /second time/, (i) => linkTo(i, i.root, 0, i.root)],
  ['a page that leads back up', /second time/, (i) => linkTo(i, i.child(i.root, 0), 1, i.root)],
  ['a page with two parents', /second time/, (i) => linkTo(i, i.root, 1, i.child(i.root, 0))],
  ['a leaf that says internal', /page type 5; found type 3/, (i) => setType(i, i.firstLeaf(), 3)],
  ['a leaf that says overflow', /page type 5; found type 7/, (i) => setType(i, i.firstLeaf(), 7)],
  ['a leaf that says duplicates', /type 5; found type 12/, (i) => setType(i, i.firstLeaf(), 12)],
  ['an internal page that says leaf', /type 3; f/, (i) => setType(i, i.child(i.root, 0), 5)],
  ['an internal page of another kind', /type 3; f/, (i) => setType(i, i.child(i.root, 0), 4)],
  ['a root that is a page of duplicates', /the root of a tree/, (i) => setType(i, i.root, 12)],
  ['a root that is a hash page', /the root of a tree/, (i) => setType(i, i.root, 13)],
  ['a root on level 0', /the root of a tree/, (i) => setLevel(i, i.root, 0)],
  ['a root on level 1', /the root of a tree; found level 1/, (i) => setLevel(i, i.root, 1)],
  ['a root on level 255', /expected level 254; found 2/, (i) => setLevel(i, i.root, 255)],
  ['a leaf on level 2', /expected level 1; found 2/, (i) => setLevel(i, i.firstLeaf(), 2)],
  ['another page number', /its own number 2/, (i) => i.set32(i.page(2) + 8, 999)],
  ['a leaf with a wrong page before it', /page 0 before it/, (i) => i.set32(i.firstLeaf() + 12, 9)],
  ['a leaf that names no next one', /leaf \d+ after it/, (i) => i.set32(i.firstLeaf() + 16, 0)],
  ['a leaf after the last one', /no leaf after the last/, (i) => i.set32(lastLeaf(i) + 16, 7)],
  ['leaves in the wrong order', /page 0 before it/, (i) => swapLinks(i, i.child(i.root, 0))],
  ['a key without data', /as many keys as data/, (i) => setCount(i, i.firstLeaf(), 3)],
  ['more entries than fit', /items from/, (i) => setCount(i, i.firstLeaf(), 0x4000)],
  ['fewer entries than items', /side by side/, (i) => setCount(i, i.firstLeaf(), 2)],
  ['an internal page of no entries', /1 or more entries/, (i) => setCount(i, i.root, 0)],
  ['items beyond the page', /items from \d+ to 512/, (i) => i.set16(i.firstLeaf() + 22, 513)],
  ['items inside the index', /items from \d+ to 512/, (i) => i.set16(i.firstLeaf() + 22, 40)],
  ['items that begin later', /aligned offset/, (i) => i.set16(i.firstLeaf() + 22, 508)],
  ['an item beyond the page', /an aligned offset in/, (i) => setSlot(i, i.firstLeaf(), 512)],
  ['an item at the end of the page', /fset in|that ends by/, (i) => setSlot(i, i.firstLeaf(), 508)],
  ['an item at an odd offset', /an aligned offset/, (i) => setSlot(i, i.firstLeaf(), 501)],
  ['an item in the header', /an aligned offset/, (i) => setSlot(i, i.firstLeaf(), 8)],
  ['a key beyond its page', /an item that ends by 512/, (i) => i.set16(firstKey(i), 0xffff)],
  ['a value beyond its page', /an item that ends by/, (i) => i.set16(firstKey(i, 1), 0x7fff)],
  ['a value that leaves a gap', /side by side/, (i) => i.set16(firstKey(i, 1), 1)],
  ['a key that leaves a gap at the end', /side by side/, (i) => i.set16(firstKey(i), 1)],
  ['a value that reaches over others', /side by side|as many/, growFirst],
  ['one value for all keys', /side by side/, repeatFirst],
  ['an entry beyond its page', /that ends by 512/, (i) => i.set16(i.item(i.root, 1), 0xffff)],
  ['an entry of another type', /entry of type 1 or 3/, (i) => i.set8(i.item(i.root, 1) + 2, 2)],
  [
    'an entry many times',
    /side by side/,
    (i) => i.set16(i.slot(i.root, 1), i.u16(i.slot(i.root, 0))),
  ],
  ['a key of another type', /a key of type 1 or 3; found 4/, (i) => i.set8(firstKey(i) + 2, 4)],
  ['a key that is deleted', /a key of type 1 or 3/, (i) => i.set8(firstKey(i) + 2, 0x81)],
  ['data of another type', /data of type 1, 2 or 3/, (i) => i.set8(firstKey(i, 1) + 2, 4)],
  ['duplicates that its flags deny', /no dupli/, (i) => i.set8(firstKey(i, 1) + 2, 2)],
  ['a key twice', /each key once/, (i) => copyKey(i, 2, 0)],
  ['a key item twice', /each key once/, (i) => i.set16(...slotOf(i, 2, 0))],
  ['a key twice, on two leaves', /each key once/, repeatLast],
  ['flags that no btree has', /flags of a btree/, (i) => i.set32(48, 0x100)],
  ['a page type of a hash', /byte 25: expected page type 9/, (i) => i.set8(25, 8)],
  ['another number on the meta page', /byte 8: expected its own number 0/, (i) => i.set32(8, 1)],
  ['meta flags that no file has', /meta flags 0 or 1/, (i) => i.set8(26, 8)],
];

const HASH_CASES: Case[] = [
  ['a bucket beyond the end', /a link to pages/, (i) => i.set32(96, i.pageCount)],
  ['a bucket on the meta page', /a link to pages/, (i) => i.set32(96, 0)],
  ['two buckets on one page', /second time/, (i) => i.set32(100, i.u32(96) - 1)],
  ['more buckets than pages', /masks for its/, (i) => i.set32(72, 0xffff_ffff)],
  ['buckets that no mask reaches', /masks for its/, (i) => i.set32(72, i.u32(76) + 1)],
  ['buckets that its pages do not hold', /a link to|second time|a hash page|bucket/, allBuckets],
  ['a mask with a hole', /masks for its/, (i) => i.set32(76, i.u32(76) - 2)],
  ['masks for more buckets than it has', /masks for its/, (i) => i.set32(72, 1)],
  ['a low mask over the buckets', /masks for its/, (i) => i.set32(80, i.u32(76))],
  ['a bucket that says leaf', /a hash page; found type 5/, (i) => setType(i, firstHash(i), 5)],
  ['a bucket that says free', /a hash page; found type 0/, (i) => setType(i, firstHash(i), 0)],
  ['a bucket that says overflow', /a hash page; f/, (i) => setType(i, firstHash(i), 7)],
  ['another page number', /its own number/, (i) => i.set32(firstHash(i) + 8, 999)],
  ['a page before the first', /page 0 before it/, (i) => i.set32(firstHash(i) + 12, 3)],
  ['a bucket that leads to itself', /second time/, (i) => i.set32(firstHash(i) + 16, 1)],
  [
    'a bucket that leads to the next',
    /page \d before|second/,
    (i) => i.set32(firstHash(i) + 16, 2),
  ],
  ['a bucket that leads outside', /a link to/, (i) => i.set32(firstHash(i) + 16, 0x7fff_ffff)],
  ['a key without data', /as many keys/, (i) => setCount(i, firstHash(i), 3)],
  ['more entries than fit', /items from/, (i) => setCount(i, firstHash(i), 0x4000)],
  ['fewer entries than items', /items from \d+ on/, (i) => setCount(i, firstHash(i), 2)],
  ['items beyond the page', /items from/, (i) => i.set16(firstHash(i) + 22, 513)],
  ['an item beyond the page', /an offset in \[\d+, 512\)/, (i) => setSlot(i, firstHash(i), 512)],
  ['an item in the header', /an offset in/, (i) => setSlot(i, firstHash(i), 8)],
  ['an item twice', /an offset in/, (i) => i.set16(...hashSlot(i, 2, 1))],
  ['items in another order', /an offset in/, (i) => i.set16(...hashSlot(i, 1, 3))],
  [
    'a key in another bucket',
    /a key of bucket 0; f/,
    (i) => i.set8(i.item(firstHash(i), 0) + 1, 0),
  ],
  ['a key of another type', /a key of type 1 or 3/, (i) => i.set8(i.item(firstHash(i), 0), 2)],
  ['data of another type', /data of type 1 or 3/, (i) => i.set8(i.item(firstHash(i), 1), 5)],
  ['duplicates that its flags deny', /data of ty/, (i) => i.set8(i.item(firstHash(i), 1), 2)],
  ['a short reference', /an item of 12 bytes/, (i) => i.set8(i.item(firstHash(i), 0), 3)],
  ['flags that no hash has', /flags of a hash/, (i) => i.set32(48, 8)],
  ['databases inside', /a hash file without databases/, (i) => i.set32(48, 2)],
];

const OVERFLOW_CASES: Case[] = [
  ['a value on pages that say leaf', /an overflow page; f/, (i) => setType(i, chain(i), 5)],
  ['a value beyond the end', /a link to pages/, (i) => i.set32(value(i, -1) + 4, i.pageCount)],
  ['a value on no page', /a link to pages/, (i) => i.set32(value(i, -1) + 4, 0)],
  ['two values on the same pages', /second time/, shareOverflow],
  ['a value that is a leaf', /an overflow page|second time/, (i) => i.set32(value(i, -1) + 4, 1)],
  [
    'a chain that leads to itself',
    /second time/,
    (i) => i.set32(chain(i) + 16, i.number(chain(i))),
  ],
  ['a chain that ends early', /a link to pages/, (i) => i.set32(chain(i) + 16, 0)],
  ['a chain that goes on', /an end after/, (i) => i.set32(lastOfChain(i) + 16, 1)],
  ['a chain with another page before it', /before it/, (i) => i.set32(chain(i) + 12, 9)],
  ['a part of no bytes', /a part of 1 to/, (i) => i.set16(chain(i) + 22, 0)],
  ['a part over its page', /a part of 1 to/, (i) => i.set16(chain(i) + 22, 512)],
  ['a part over its value', /a part of 1 to/, (i) => i.set32(value(i, -1) + 8, 100)],
  ['a length over its pages', /link to|an end after/, (i) => i.set32(value(i, -1) + 8, 9000)],
  ['a length over the file', /a length of at most/, (i) => i.set32(value(i, -1) + 8, 0x1000_0000)],
];

const DUPLICATE_CASES: Case[] = [
  ['a tree beyond the end', /a link to pages/, (i) => i.set32(tree(i) + 4, 0xffff)],
  ['a tree of records', /second time|root of a tree/, (i) => i.set32(tree(i) + 4, 1)],
  ['a tree with a wrong root', /the root of a tree/, (i) => setType(i, treeRoot(i), 13)],
  ['a tree with a leaf of records', /page type/, (i) => setType(i, treeLeaf(i), 5)],
  ['a tree with a leaf left out', /after it/, (i) => i.set32(treeLeaf(i) + 16, 0)],
  ['a duplicate beyond its page', /ends by 512/, (i) => i.set16(i.item(treeLeaf(i), 0), 0xffff)],
  ['a duplicate many times', /side by side/, (i) => repeatSlot(i, treeLeaf(i))],
  ['a duplicate of another type', /of type 1/, (i) => i.set8(i.item(treeLeaf(i), 0) + 2, 2)],
  ['a tree of no entries', /1 or more entries/, (i) => setCount(i, treeRoot(i), 0)],
  ['an entry that leads to itself', /second time/, (i) => linkInTree(i, i.u32(tree(i) + 4))],
];

function linkTo(i: Image, page: number, entry: number, target: number): void {
  i.set32(i.item(page, entry) + 4, i.number(target));
}
function setType(i: Image, page: number, type: number): void {
  i.set8(page + 25, type);
}
function setLevel(i: Image, page: number, level: number): void {
  i.set8(page + 24, level);
}
function setCount(i: Image, page: number, count: number): void {
  i.set16(page + 20, count);
}
function setSlot(i: Image, page: number, at: number): void {
  i.set16(i.slot(page, 0), at);
}
function lastLeaf(i: Image): number {
  let page = i.firstLeaf();
  while (i.u32(page + 16) !== 0) page = i.page(i.u32(page + 16));
  return page;
}
function firstKey(i: Image, item = 0): number {
  return i.item(i.firstLeaf(), item);
}
function slotOf(i: Image, to: number, from: number): [at: number, value: number] {
  return [i.slot(i.firstLeaf(), to), i.u16(i.slot(i.firstLeaf(), from))];
}
function copyKey(i: Image, to: number, from: number): void {
  const leaf = i.firstLeaf();
  i.bytes.copy(i.bytes, i.item(leaf, to), i.item(leaf, from), i.item(leaf, from) + 12);
}
/** Lets the second leaf begin with the key that the first one ends with. */
function repeatLast(i: Image): void {
  const first = i.firstLeaf();
  const from = i.item(first, i.count(first) - 2);
  i.bytes.copy(i.bytes, i.item(i.page(i.u32(first + 16)), 0), from, from + 12);
}
function swapLinks(i: Image, page: number): void {
  const first = i.child(page, 0);
  linkTo(i, page, 0, i.child(page, 1));
  linkTo(i, page, 1, first);
}
/** The item that lies first on the page then reaches to the end. */
function growFirst(i: Image): void {
  const leaf = i.firstLeaf();
  const at = i.u16(leaf + 22);
  i.set16(leaf + at, i.pageBytes - at - 3);
}
function repeatFirst(i: Image): void {
  const leaf = i.firstLeaf();
  for (let k = 3; k < i.count(leaf); k += 2) i.set16(...slotOf(i, k, 1));
}
function repeatSlot(i: Image, page: number): void {
  i.set16(i.slot(page, 1), i.u16(i.slot(page, 0)));
}
/** The page of bucket 0. */
function firstHash(i: Image): number {
  return i.page(i.u32(96));
}
function hashSlot(i: Image, to: number, from: number): [at: number, value: number] {
  return [i.slot(firstHash(i), to), i.u16(i.slot(firstHash(i), from))];
}
function allBuckets(i: Image): void {
  i.set32(72, i.u32(76));
}
/** The data item with a value on overflow pages. */
function value(i: Image, index: number): number {
  return i.item(...overflowValues(i).at(index)!);
}
function overflowValues(i: Image): [page: number, i: number][] {
  const length = ([page, k]: [number, number]) => i.u32(i.item(page, k) + 8);
  const values = i.itemsWith(3).filter(([, k]) => k % 2 === 1);
  return values.sort((a, b) => length(a) - length(b));
}
function shareOverflow(i: Image): void {
  i.bytes.copy(i.bytes, value(i, 0), value(i, -1), value(i, -1) + 12);
}
function chain(i: Image): number {
  return i.page(i.u32(value(i, -1) + 4));
}
function lastOfChain(i: Image): number {
  let page = chain(i);
  while (i.u32(page + 16) !== 0) page = i.page(i.u32(page + 16));
  return page;
}
/** The data item that leads to a tree of duplicates with an internal page. */
function tree(i: Image): number {
  const items = [...i.itemsWith(2), ...i.itemsWith(4)].filter(([page, k]) => {
    const isTree = i.bytes[page + 25] === 5 || i.bytes[i.item(page, k)] === 4;
    return isTree && [3, 4].includes(i.bytes[i.page(i.u32(i.item(page, k) + 4)) + 25]);
  });
  return i.item(...items[0]);
}
function treeRoot(i: Image): number {
  return i.page(i.u32(tree(i) + 4));
}
function treeLink(i: Image): number {
  const isRecno = i.bytes[treeRoot(i) + 25] === 4;
  return i.item(treeRoot(i), 0) + (isRecno ? 0 : 4);
}
function treeLeaf(i: Image): number {
  return i.page(i.u32(treeLink(i)));
}
function linkInTree(i: Image, target: number): void {
  i.set32(treeLink(i), target);
}

describe.each(['btree-be', 'btree-sums'])('a Berkeley DB file is served (%s)', (name) => {
  it.each<[order: string, change: (image: Image) => void]>([
    ['keys in an order of their own', (i) => i.set8(firstKey(i) + 3, 0xff)],
    ['a separator below its left side', (i) => i.set8(i.item(i.root, 1) + 12, 0)],
    ['a separator above its right side', (i) => i.set8(i.item(i.root, 1) + 12, 0xff)],
  ])('with %s', async (_, change) => {
    const image = new Image(`bdb/${name}`);
    const before = Buffer.from(image.bytes);
    const records = await file.scan(image.bytes);
    change(image);
    image.seal();
    expect(image.bytes.equals(before), 'nothing was changed').toBe(false);
    const values = (await file.scan(image.bytes)).map(([, value]) => value);
    expect(values).toEqual(records.map(([, value]) => value));
  });

  it('with a key again, not in a row: the later record comes later, and wins', async () => {
    const image = new Image(`bdb/${name}`);
    const records = await file.scan(image.bytes);
    copyKey(image, 4, 0);
    image.seal();
    records[2][0] = records[0][0];
    expect(await file.scan(image.bytes)).toEqual(records);
  });
});

describe.each<[names: string[], cases: Case[]]>([
  [['btree-be', 'btree-sums'], TREE_CASES],
  [['hash-be', 'hash-sums'], HASH_CASES],
  [['btree-overflow', 'btree-be-overflow', 'hash-overflow', 'hash-be-overflow'], OVERFLOW_CASES],
  [
    ['btree-duplicates', 'btree-dupsort', 'btree-be-dupsort', 'hash-duplicates', 'hash-be-dupsort'],
    DUPLICATE_CASES,
  ],
])('a Berkeley DB file is refused (%s)', (names, cases) => {
  it.each(cases)('with %s', async (_, message, damage) => {
    for (const name of names) {
      const image = new Image(`bdb/${name}`);
      const before = Buffer.from(image.bytes);
      damage(image);
      image.seal();
      expect(image.bytes.equals(before), 'nothing was damaged').toBe(false);
      await refuses(image.bytes, 'DATA_CORRUPT', message);
    }
  });
});

describe('a hash with duplicates on its pages is refused', () => {
  const damaged = (damage: (image: Image, at: number) => void): Buffer => {
    const image = new Image('bdb/hash-be-dupsort');
    const [page, i] = image.itemsWith(2)[0];
    damage(image, image.item(page, i) + 1);
    return image.bytes;
  };

  it.each<[name: string, damage: (image: Image, at: number) => void]>([
    ['a length beyond its item', (image, at) => image.set16(at, 0xffff)],
    ['a length that is one less', (image, at) => image.set16(at, image.u16(at) - 1)],
    ['two lengths that differ', (image, at) => image.set16(at + 2 + image.u16(at), 1)],
  ])('with %s', async (_, damage) => {
    await refuses(damaged(damage), 'DATA_CORRUPT', /duplicates that end at/);
  });
});

describe('the Berkeley DB scanner refuses', () => {
  it.each([
    ['nothing', Buffer.alloc(0), /the file is empty/],
    ['one byte', Buffer.from('x'), /found bytes 78/],
    ['text', Buffer.from('{"key": "value"}\n'.repeat(5000)), /found bytes 7b226b65/],
    ['zeros', Buffer.alloc(100_000), /found bytes 0000/],
    ['random bytes', randomBytes(100_000), /found bytes/],
  ])('a file of %s', async (_, bytes, message) => {
    await refuses(bytes, 'FORMAT_UNKNOWN', message);
  });

  it.each([
    ['recno', /a recno file/],
    ['queue', /a queue file/],
    ['heap', /a heap file/],
    ['encrypted', /an encrypted file/],
    ['compressed', /a compressed btree/],
    ['partitioned', /a partitioned database/],
  ])('what it cannot read, by its name: %s', async (name, message) => {
    await refuses(fixture(`bdb/${name}`), 'FORMAT_UNSUPPORTED', message);
  });

  it.each([
    ['btree', [7, 10]],
    ['hash', [6, 10]],
  ])('versions of a %s that it does not know', async (method, versions) => {
    for (const version of versions) {
      const image = new Image(`bdb/${method}-plain`);
      image.set32(16, version);
      const message = new RegExp(`${method} version ${version} \\(of the versions`);
      await refuses(image.bytes, 'FORMAT_UNSUPPORTED', message);
    }
  });

  it('files of version 1.85, where the magic number is the first', async () => {
    for (const magic of ['62310500', '00053162', '00061561']) {
      const bytes = Buffer.concat([Buffer.from(magic, 'hex'), Buffer.alloc(4092)]);
      await refuses(bytes, 'FORMAT_UNSUPPORTED', /version 1\.85/);
    }
  });

  it.each([0, 1, 256, 1000, 131_072, 0xffff_ffff])('a page size of %i', async (size) => {
    const image = new Image('bdb/btree-be');
    image.set32(20, size);
    await refuses(image.bytes, 'DATA_CORRUPT', /as page size; found/);
  });

  it.each(['btree-overflow', 'hash-be-overflow'])('a value over the limit (%s)', async (name) => {
    const image = new Image(`bdb/${name}`);
    image.set32(value(image, -1) + 8, 0xffff_ffff);
    image.seal();
    await refuses(image.bytes, 'LIMIT_EXCEEDED', /values up to 536870912 bytes; found one of 4294/);
  });

  it.each(['btree-overflow', 'hash-be-overflow'])('a key over the limit (%s)', async (name) => {
    const image = new Image(`bdb/${name}`);
    const [page, i] = image.itemsWith(3).find(([, i]) => i % 2 === 0)!;
    image.set32(image.item(page, i) + 8, 65_536);
    image.seal();
    await refuses(image.bytes, 'LIMIT_EXCEEDED', /keys up to 65535 bytes; found one of 65536/);
  });

  it.each(['btree-sums', 'btree-be-sums', 'hash-sums', 'hash-be-sums', 'databases-be'])(
    'a wrong checksum on any page it reads (%s)',
    async (name) => {
      const original = new Image(`bdb/${name}`);
      const bucket = name === 'databases-be' ? 'users' : undefined;
      let refused = 0;
      for (let page = 0; page < original.pageCount; page++) {
        const bytes = Buffer.from(original.bytes);
        bytes[original.page(page) + 300 + (page % 100)] ^= 1 << (page % 8);
        const found = await file.scan(bytes, { bucket }).catch((error: unknown) => error);
        if (!(found instanceof GoromdbError)) continue;
        expect(found).toMatchObject({
          code: 'DATA_CORRUPT',
          message: expect.stringMatching(/expected checksum 0x[0-9a-f]+; found 0x/),
        });
        refused++;
      }
      // Of several databases only one is read; a hash has pages that its next buckets will take.
      const buckets = name.startsWith('hash') ? original.u32(72) + 2 : original.pageCount;
      const least = bucket === undefined ? buckets : 10;
      expect(refused).toBeGreaterThanOrEqual(least);
    },
  );

  it.each<Case>([
    ['beyond the end', /a link to pages/, (i) => setDatabase(i, 0xffff)],
    ['on the page of another', /second time/, (i) => setDatabase(i, 1)],
    ['on a page of another kind', /the magic number of/, (i) => setDatabase(i, 3)],
    ['with another page size', /page size 512 as in page 0/, (i) => i.set32(users(i) + 20, 1024)],
    ['with another page number', /its own number/, (i) => i.set32(users(i) + 8, 77)],
    ['with checksums of its own', /expected .*checksums|checksum/, (i) => flipSums(i)],
    ['of a kind it does not read', /a recno file/, (i) => i.set32(users(i) + 48, 0x22)],
    ['with names of no page', /page numbers of 4 bytes/, (i) => nameOf(i, (at) => shrink(i, at))],
  ])('a database %s', async (name, message, damage) => {
    for (const files of ['databases', 'databases-be']) {
      const image = new Image(`bdb/${files}`);
      damage(image);
      image.seal();
      const code = name.includes('kind it') ? 'FORMAT_UNSUPPORTED' : 'DATA_CORRUPT';
      await refuses(image.bytes, code, message, 'users');
    }
  });

  it('a file that is shorter than it was when it was opened', async () => {
    for (const name of ['btree-plain', 'hash-plain']) {
      const bytes = fixture(`bdb/${name}`);
      const tail = { bytes: Buffer.alloc(0), at: 9000, missing: bytes.length - 9000 };
      await expect(file.scan(bytes.subarray(0, 9000), {}, tail)).rejects.toMatchObject({
        code: 'DATA_CORRUPT',
        message: expect.stringMatching(/more bytes, found the end/),
      });
    }
  });

  it('every file that is cut within the pages it uses', async () => {
    for (const name of fixtureNames('bdb').filter((name) => !name.includes('64k'))) {
      const image = new Image(name);
      const pageBytes = Math.max(image.pageBytes, 512);
      const whole = await file.scan(image.bytes).catch((error: GoromdbError) => error.code);
      for (let at = 0; at < image.bytes.length; at += pageBytes) {
        const cut = image.bytes.subarray(0, at + (at % 7) * 10);
        const found = await file.scan(cut).catch((error: unknown) => {
          expect(error).toBeInstanceOf(GoromdbError);
          return (error as GoromdbError).code;
        });
        // Free pages at the end may be gone; nothing else may.
        if (Array.isArray(found)) expect(found).toEqual(whole);
        else expect([whole, 'DATA_CORRUPT', 'FORMAT_UNKNOWN']).toContain(found);
        if (at < image.pageBytes * 2) expect(found).toBeTypeOf('string');
      }
    }
  });
});

/** The value of the name `users`: a page number, always big-endian. */
function nameOf(i: Image, use: (at: number) => void): void {
  const leaf = i.root;
  for (let k = 0; k < i.count(leaf); k += 2) {
    const at = i.item(leaf, k);
    if (i.bytes.toString('latin1', at + 3, at + 3 + i.u16(at)) === 'users')
      use(i.item(leaf, k + 1));
  }
}
function setDatabase(i: Image, page: number): void {
  nameOf(i, (at) => i.bytes.writeUInt32BE(page, at + 3));
}
function users(i: Image): number {
  let page = 0;
  nameOf(i, (at) => {
    page = i.page(i.bytes.readUInt32BE(at + 3));
  });
  return page;
}
function shrink(i: Image, at: number): void {
  i.set16(at, 3);
  i.set16(at, 2);
}
function flipSums(i: Image): void {
  i.set8(users(i) + 26, i.hasSums ? 0 : 1);
}
