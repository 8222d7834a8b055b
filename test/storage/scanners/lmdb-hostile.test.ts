import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GoromdbError } from '../../../src/common/errors.ts';
import { lmdbScanner } from '../../../src/storage/formats/lmdb/lmdb.ts';
import { cpuMs } from '../../support/cpu-time.ts';
import { ScratchFile } from '../../support/scratch-file.ts';
import { FIXTURES, fixture, Image } from './lmdb-fixture.ts';

let file: ScratchFile;
beforeAll(() => {
  file = new ScratchFile(lmdbScanner);
});
afterAll(() => file.close());

type Case = [name: string, message: RegExp, damage: (image: Image) => void];

async function refuses(bytes: Buffer, code: string, message: RegExp): Promise<void> {
  const started = cpuMs();
  const error = await file.scan(bytes).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(GoromdbError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(cpuMs() - started).toBeLessThan(2000);
}

/** Cases on files with three levels: a root, branches, leaves of several records. */
const TREE_CASES: Case[] = [
  ['its root beyond the end', /link to pages/, (i) => i.set64(i.main + 40, i.pageCount)],
  ['its root far beyond the end', /link to pages/, (i) => i.set64(i.main + 40, 2n ** 63n)],
  ['a meta page as root', /link to pages from 2/, (i) => i.set64(i.main + 40, 1)],
  ['a root that the last transaction does not know', /link/, (i) => i.set64(i.meta + 120, 3)],
  ['a child beyond the end', /link to pages/, (i) => i.set16(i.node(i.root, 0), 0xffff)],
  ['a child beyond 2^32', /link to pages/, (i) => i.set16(i.node(i.root, 0) + 4, 1)],
  ['a branch that leads to itself', /second time/, (i) => linkTo(i, i.root, 0, i.root)],
  ['a branch that leads back up', /second time/, (i) => linkTo(i, i.child(i.root, 0), 1, i.root)],
  ['a page with two parents', /second time/, (i) => linkTo(i, i.root, 1, i.child(i.root, 0))],
  ['a leaf that says branch', /a leaf page on level 3/, (i) => i.set16(i.flags(i.firstLeaf()), 1)],
  ['a leaf that says overflow', /leaf page/, (i) => i.set16(i.flags(i.firstLeaf()), 4)],
  ['a leaf that says two kinds', /leaf page/, (i) => i.set16(i.flags(i.firstLeaf()), 3)],
  ['a leaf of fixed keys', /leaf page/, (i) => i.set16(i.flags(i.firstLeaf()), 0x22)],
  ['a leaf with an unknown flag', /leaf page/, (i) => i.set16(i.flags(i.firstLeaf()), 0x102)],
  ['a branch that says leaf', /a branch page on level 1/, (i) => i.set16(i.flags(i.root), 2)],
  ['a depth that is one less', /a leaf page on level 2 of 2/, (i) => i.set16(i.main + 6, 2)],
  ['a depth that is one more', /a branch page on level 3 of 4/, (i) => i.set16(i.main + 6, 4)],
  ['a depth of 0', /a depth from 1 to 32/, (i) => i.set16(i.main + 6, 0)],
  ['a depth over the limit of LMDB', /a depth from 1 to 32/, (i) => i.set16(i.main + 6, 33)],
  ['a depth but no root', /expected depth 0/, (i) => i.set64(i.main + 40, 2n ** 64n - 1n)],
  ['entries but no root', /\d+ entries as recorded; found 0/, noRoot],
  ['another page number on a page', /its own number/, (i) => i.set64(i.firstLeaf(), 999)],
  ['lower beyond upper', /bounds of entries/, (i) => i.set16(i.lower(i.firstLeaf()), 0xff0)],
  ['an odd lower', /bounds/, (i) => i.set16(i.lower(i.root), i.u16(i.lower(i.root)) + 1)],
  ['a lower that leaves no entries', /bounds/, (i) => setCount(i, i.firstLeaf(), 0)],
  ['a lower inside the header', /bounds/, (i) => i.version === 1 && i.set16(i.lower(i.root), 8)],
  ['an upper beyond the page', /bounds/, (i) => i.set16(i.upper(i.firstLeaf()), 0xfffe)],
  ['a branch of one key', /2 or more keys/, (i) => setCount(i, i.root, 1)],
  ['a node beyond the page', /a node at an even offset/, (i) => setSlot(i, i.pageBytes - 4)],
  ['a node at an odd offset', /a node at an even/, (i) => i.set16(...oddSlot(i))],
  ['a node inside the header', /a node at an even offset/, (i) => setSlot(i, i.header)],
  ['a node in the free space', /a node at an even/, (i) => setSlot(i, freeSpace(i))],
  ['a value beyond its page', /a node that ends by/, (i) => i.set16(firstNode(i), 0x7fff)],
  ['a value of a gigabyte', /a node that ends by/, (i) => i.set16(firstNode(i) + 2, 0x4000)],
  ['a key beyond its page', /a node that ends by/, (i) => i.set16(firstNode(i) + 6, 0xffff)],
  ['a key of no bytes', /a key of 1 byte or more/, (i) => i.set16(firstNode(i) + 6, 0)],
  ['a node that reaches over the next ones', /fit beside each other/, growNode],
  ['one node many times', /fit beside each other/, repeatNode],
  ['a branch key beyond its page', /ends by/, (i) => i.set16(i.node(i.root, 1) + 6, 0xffff)],
  ['a key twice', /each key once/, (i) => repeatSlot(i, i.firstLeaf())],
  ['a key twice, on two leaves', /each key once/, (i) => repeatLast(i, i.child(i.root, 0))],
  [
    'a kind of node that LMDB has not',
    /a record of this kind/,
    (i) => i.set16(firstNode(i) + 4, 8),
  ],
  ['duplicates that its flags deny', /of this kind/, (i) => i.set16(firstNode(i) + 4, 4)],
  ['a database record of a wrong size', /of this kind/, (i) => i.set16(firstNode(i) + 4, 2)],
  ['one entry too few', /entries as recorded/, (i) => addEntries(i, 1)],
  ['one entry too many', /entries as recorded/, (i) => addEntries(i, -1)],
];

const OVERFLOW_CASES: Case[] = [
  ['pages beyond the end', /link to pages/, (i) => i.set64(bigValue(i, 0), i.pageCount)],
  [
    'pages partly beyond the end',
    /\d pages from/,
    (i) => i.set64(bigValue(i, -1), i.pageCount - 1),
  ],
  ['pages far beyond the end', /link to pages/, (i) => i.set64(bigValue(i, 0), 2n ** 64n - 1n)],
  ['pages that begin with a meta page', /link to pages/, (i) => i.set64(bigValue(i, 0), 0)],
  ['pages of another value', /second time/, shareOverflow],
  [
    'a leaf as its pages',
    /second time/,
    (i) => i.set64(bigValue(i, 0), i.firstLeaf() / i.pageBytes),
  ],
  ['pages that say leaf', /an overflow page; found/, (i) => i.set16(i.flags(overflow(i, 0)), 2)],
  ['pages of another number', /its own number/, (i) => i.set64(overflow(i, 0), 7)],
  ['fewer pages than it needs', /or more pages/, (i) => i.set32(i.lower(overflow(i, 0)), 0)],
  ['a run beyond the end', /pages/, (i) => i.set32(i.lower(overflow(i, 0)), 0x7fff_ffff)],
  ['a size over its pages', /pages/, (i) => i.set16(bigNode(i, 0), 60_000)],
];

const DUPLICATE_CASES: Case[] = [
  [
    'a sub-page that says branch',
    /a page of duplicates/,
    (i) => i.set16(i.flags(subPage(i)), 0x41),
  ],
  ['a sub-page beyond its node', /bounds/, (i) => i.set16(i.upper(subPage(i)), 0x800)],
  ['a sub-page too small for a header', /duplicates; found 4 bytes/, shrinkSubPage],
  ['a duplicate with data', /a duplicate without/, (i) => shrinkKey(i, i.node(subPage(i), 0))],
  ['a duplicate with flags', /a duplicate w/, (i) => i.set16(i.node(subPage(i), 0) + 4, 2)],
  ['a tree of duplicates beyond the end', /link to pages/, (i) => i.set64(subTree(i) + 40, 9999)],
  ['its own page as tree', /second time/, (i) => i.set64(subTree(i) + 40, i.root / i.pageBytes)],
  ['a tree of no duplicates', /one duplicate or more/, (i) => i.set64(subTree(i) + 40, -1n & M64)],
  ['a tree with one entry too few', /as recorded/, (i) => i.set64(subTree(i) + 32, 601)],
  ['more entries than recorded', /as recorded/, (i) => i.set64(i.main + 32, 604)],
];

const FIXED_CASES: Case[] = [
  ['fixed keys of no bytes', /keys in \d+ bytes/, (i) => i.set16(subPage(i) + i.header - 8, 0)],
  ['fixed keys beyond the node', /keys in/, (i) => i.set16(subPage(i) + i.header - 8, 5000)],
  ['fixed keys of another size', /by the record/, (i) => i.set32(subTree(i), 4)],
  ['a fixed key twice', /each key once/, (i) => repeatFixed(i, subPage(i), 0, subPage(i), 1)],
  ['a fixed key twice, on two leaves', /each key once/, repeatLastFixed],
];

/** What a comparison function of the program's own may have led to. */
const ORDER_CASES: [name: string, fixture: string, change: (image: Image) => void][] = [
  ['two keys the other way round', 'deep', (i) => swapSlots(i, i.firstLeaf())],
  ['leaves the other way round', 'deep', (i) => swapLinks(i, i.child(i.root, 0))],
  ['a branch key below its left side', 'deep', (i) => i.set16(i.node(i.root, 1) + 8, 0)],
  ['a branch key above its right side', 'deep', (i) => raise(i, i.node(i.root, 1) + 10)],
  ['duplicates the other way round', 'dupsort', (i) => swapSlots(i, subPage(i))],
  ['fixed duplicates out of order', 'dupfixed', (i) => raise(i, subPage(i) + i.header)],
];

const M64 = 2n ** 64n - 1n;

function linkTo(i: Image, page: number, entry: number, target: number): void {
  i.set16(i.node(page, entry), target / i.pageBytes);
}
function noRoot(i: Image): void {
  i.set64(i.main + 40, M64);
  i.set16(i.main + 6, 0);
}
function firstNode(i: Image): number {
  return i.node(i.firstLeaf(), 0);
}
function setCount(i: Image, page: number, count: number): void {
  i.set16(i.lower(page), 2 * count + (i.version === 1 ? 16 : 0));
}
/** Lets the first node pointer of a leaf point to a byte of its page. */
function setSlot(i: Image, at: number): void {
  i.set16(i.slot(i.firstLeaf(), 0), at - (i.version === 1 ? 0 : 24));
}
function oddSlot(i: Image): [at: number, value: number] {
  const slot = i.slot(i.firstLeaf(), 1);
  return [slot, i.u16(slot) + 1];
}
function freeSpace(i: Image): number {
  return i.u16(i.upper(i.firstLeaf())) + (i.version === 1 ? 0 : 24) - 2;
}
/** LMDB fills pages from the end: the last node that was added has the others behind it. */
function growNode(i: Image): void {
  const leaf = i.firstLeaf();
  const node = i.node(leaf, i.count(leaf) - 1);
  i.set16(node, leaf + i.pageBytes - node - 8 - i.u16(node + 6));
}
function repeatNode(i: Image): void {
  const leaf = i.firstLeaf();
  // MDB_REVERSEKEY: the order of keys does not give it away.
  i.set16(i.main + 4, 2);
  const last = i.count(leaf) - 1;
  growNode(i);
  for (let slot = 0; slot < last; slot++) i.set16(i.slot(leaf, slot), i.u16(i.slot(leaf, last)));
}
function swapSlots(i: Image, page: number): void {
  const first = i.u16(i.slot(page, 0));
  i.set16(i.slot(page, 0), i.u16(i.slot(page, 1)));
  i.set16(i.slot(page, 1), first);
}
function repeatSlot(i: Image, page: number): void {
  i.set16(i.slot(page, 1), i.u16(i.slot(page, 0)));
}
/** Lets the second leaf of a branch begin with the key that the first one ends with. */
function repeatLast(i: Image, branch: number): void {
  const [first, second] = [i.child(branch, 0), i.child(branch, 1)];
  const [from, to] = [i.node(first, i.count(first) - 1), i.node(second, 0)];
  expect(i.u16(from + 6)).toBe(i.u16(to + 6));
  i.bytes.copy(i.bytes, to + 8, from + 8, from + 8 + i.u16(from + 6));
}
/** Copies a key of a leaf of fixed keys. */
function repeatFixed(i: Image, from: number, last: number, to: number, next: number): void {
  const size = i.u16(from + i.header - 8);
  const at = from + i.header + last * size;
  i.bytes.copy(i.bytes, to + i.header + next * size, at, at + size);
}
function repeatLastFixed(i: Image): void {
  const branch = i.page(Number(i.bytes.readBigUInt64LE(subTree(i) + 40)));
  const first = i.child(branch, 0);
  repeatFixed(i, first, i.count(first) - 1, i.child(branch, 1), 0);
}
function swapLinks(i: Image, page: number): void {
  const first = i.child(page, 0);
  linkTo(i, page, 0, i.child(page, 1));
  linkTo(i, page, 1, first);
}
function raise(i: Image, at: number): void {
  i.set16(at, 0xffff);
}
function addEntries(i: Image, count: number): void {
  i.set64(i.main + 32, i.bytes.readBigUInt64LE(i.main + 32) + BigInt(count));
}
function bigNode(i: Image, index: number): number {
  return i.node(...i.nodesWith(1).at(index)!);
}
function bigValue(i: Image, index: number): number {
  return i.value(...i.nodesWith(1).at(index)!);
}
function overflow(i: Image, index: number): number {
  return i.page(Number(i.bytes.readBigUInt64LE(bigValue(i, index))));
}
function shareOverflow(i: Image): void {
  const [to, from] = [bigValue(i, 1), bigValue(i, 0)];
  i.bytes.copy(i.bytes, to, from, from + (i.version === 1 ? 8 : 24));
}
function subPage(i: Image): number {
  return i.value(...i.nodesWith(4)[0]);
}
function shrinkSubPage(i: Image): void {
  i.set16(i.node(...i.nodesWith(4)[0]), 4);
}
function shrinkKey(i: Image, node: number): void {
  i.set16(node + 6, i.u16(node + 6) - 1);
  i.set16(node, 1);
}
/** MDB_db of the duplicates of a key. */
function subTree(i: Image): number {
  return i.value(...i.nodesWith(6)[0]);
}

describe.each(['v1', 'v2'])('an LMDB file of data format %s is served', (version) => {
  it.each(ORDER_CASES)('with %s (%s)', async (_, name, change) => {
    const image = new Image(`${version}-${name}`);
    const keys = (await file.scan(image.bytes)).map(([key]) => key);
    const before = Buffer.from(image.bytes);
    change(image);
    image.copyMeta();
    expect(image.bytes.equals(before), 'nothing was changed').toBe(false);
    expect((await file.scan(image.bytes)).map(([key]) => key).sort()).toEqual(keys.sort());
  });

  it('with a key again, not in a row: the later record comes later, and wins', async () => {
    const image = new Image(`${version}-deep`);
    const records = await file.scan(image.bytes);
    const leaf = image.firstLeaf();
    const [from, to] = [image.node(leaf, 0), image.node(leaf, 2)];
    image.bytes.copy(image.bytes, to + 8, from + 8, from + 8 + image.u16(from + 6));
    image.copyMeta();
    records[2][0] = records[0][0];
    expect(await file.scan(image.bytes)).toEqual(records);
  });
});

describe.each(['v1', 'v2'])('an LMDB file of data format %s is refused', (version) => {
  const suites: [string, Case[]][] = [
    ['deep', TREE_CASES],
    ['overflow', OVERFLOW_CASES],
    ['dupsort', DUPLICATE_CASES],
    ['dupfixed', FIXED_CASES],
  ];
  for (const [name, cases] of suites) {
    it.each(cases)(`with %s (${name})`, async (_, message, damage) => {
      const image = new Image(`${version}-${name}`);
      const before = Buffer.from(image.bytes);
      damage(image);
      image.copyMeta();
      if (name === 'deep' && image.version === 2 && image.bytes.equals(before)) return;
      expect(image.bytes.equals(before), 'nothing was damaged').toBe(false);
      await refuses(image.bytes, 'DATA_CORRUPT', message);
    });
  }

  it('with a value over the limit, before memory is taken for it', async () => {
    const image = new Image(`${version}-overflow`);
    image.set16(bigNode(image, 0) + 2, 0x2001);
    await refuses(image.bytes, 'LIMIT_EXCEEDED', /values up to 536870912 bytes; found one of/);
  });

  it.each([0, 1, 2, 128, 4095, 131_072, 0xffff_ffff])('with a page size of %i', async (size) => {
    const image = new Image(`${version}-plain`);
    image.set32(image.header + 24, size);
    await refuses(image.bytes, 'FORMAT_UNKNOWN', new RegExp(`found a page size of ${size} `));
  });

  it('with pages of a size that its second meta page denies', async () => {
    const image = new Image(`${version}-plain`);
    image.set32(image.pageBytes + image.header + 24, 8192);
    await refuses(image.bytes, 'DATA_CORRUPT', /page size 4096 as in page 0; found 8192/);
  });

  it('with a second meta page that is none', async () => {
    for (const at of [0, -6, 16, 20]) {
      const image = new Image(`${version}-plain`);
      const offset = at < 0 ? image.header + at : at === 0 ? 0 : image.header + at - 16;
      image.set16(image.pageBytes + offset, 0x4444);
      await refuses(image.bytes, 'DATA_CORRUPT', /byte 4096: expected/);
    }
  });

  it.each([0, 3, 999])('with data version %i', async (number) => {
    const image = new Image(`${version}-plain`);
    image.set16(image.header + 4, number);
    await refuses(image.bytes, 'FORMAT_UNKNOWN', new RegExp(`data version ${number} with`));
  });

  it('when its machine had another byte order or 32 bits', async () => {
    const image = new Image(`${version}-plain`);
    image.bytes.subarray(image.header, image.header + 4).reverse();
    await refuses(image.bytes, 'FORMAT_UNKNOWN', /big-endian/);
    image.bytes.fill(0, 0, 64);
    image.set32(12, 0xbeefc0de);
    await refuses(image.bytes, 'FORMAT_UNKNOWN', /32-bit/);
  });
});

describe('the LMDB scanner refuses', () => {
  it.each([
    ['nothing', Buffer.alloc(0), /the file is empty/],
    ['one byte', Buffer.from('x'), /found bytes 78/],
    ['text', Buffer.from('{"key": "value"}\n'.repeat(5000)), /found bytes 7b226b65/],
    ['zeros', Buffer.alloc(100_000), /found bytes 0000/],
    ['random bytes', randomBytes(100_000), /found bytes/],
    ['a meta page that is cut', fixture('v1-plain').subarray(0, 100), /a file of 100 bytes/],
  ])('a file of %s', async (_, bytes, message) => {
    await refuses(bytes, 'FORMAT_UNKNOWN', message);
  });

  it('a third meta page that disagrees with the newest', async () => {
    for (const [at, value] of [
      [128, 1_000_000],
      [72 + 40, 5],
    ]) {
      const image = new Image('v2-plain');
      image.set64(image.pageBytes / 2 + image.header + at, value);
      await refuses(image.bytes, 'DATA_CORRUPT', /byte 2048: expected a copy of the meta/);
    }
  });

  it('an overflow run of another length than its leaf says', async () => {
    const image = new Image('v2-overflow');
    image.set64(bigValue(image, 0) + 16, 5);
    await refuses(image.bytes, 'DATA_CORRUPT', /or more pages/);
  });

  it('a file that is shorter than it was when it was opened', async () => {
    const bytes = fixture('v1-plain');
    const tail = { bytes: Buffer.alloc(0), at: 20_000, missing: bytes.length - 20_000 };
    await expect(file.scan(bytes.subarray(0, 20_000), {}, tail)).rejects.toMatchObject({
      code: 'DATA_CORRUPT',
      message: expect.stringMatching(/more bytes, found the end/),
    });
  });

  it('every file that is cut within the pages it uses', async () => {
    for (const name of readdirSync(FIXTURES).filter((name) => name.endsWith('.mdb'))) {
      const image = new Image(name.replace('.mdb', ''));
      const whole = await file.scan(image.bytes).catch((error: GoromdbError) => error.code);
      for (let pages = 0; pages < image.pageCount; pages++) {
        const cut = image.bytes.subarray(0, pages * image.pageBytes + (pages % 3) * 100);
        const found = await file.scan(cut).catch((error: unknown) => {
          expect(error).toBeInstanceOf(GoromdbError);
          return (error as GoromdbError).code;
        });
        // Free pages at the end may be gone; nothing else may.
        if (Array.isArray(found)) expect(found).toEqual(whole);
        else expect([whole, 'DATA_CORRUPT', 'FORMAT_UNKNOWN']).toContain(found);
        if (pages < 2) expect(found).toBeTypeOf('string');
      }
    }
  });
});
