import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GoromdbError } from '../../../src/common/errors.ts';
import { boltScanner } from '../../../src/storage/formats/bolt/bolt.ts';
import { cpuMs } from '../../support/cpu-time.ts';
import { ScratchFile } from '../../support/scratch-file.ts';
import { buildFile, FIXTURES, fixture, Image, META, pattern } from './bolt-fixture.ts';

let file: ScratchFile;
beforeAll(() => {
  file = new ScratchFile(boltScanner);
});
afterAll(() => file.close());

type Case = [name: string, message: RegExp, damage: (image: Image) => void];

const GIB = 2 ** 30;

/** @param size The file is as large, by a hole behind `bytes`. */
async function refuses(
  bytes: Buffer,
  code: string,
  message: RegExp,
  size = bytes.length,
): Promise<void> {
  const started = cpuMs();
  const before = process.memoryUsage.rss();
  const hole = size > bytes.length ? { bytes: Buffer.alloc(1), at: size - 1 } : undefined;
  const error = await file.scan(bytes, {}, hole).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(GoromdbError);
  expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  expect(cpuMs() - started).toBeLessThan(2000);
  expect(process.memoryUsage.rss() - before).toBeLessThan(256 * 2 ** 20);
}

/** Cases on a file with three levels or more: a root, branches, leaves of several records. */
const TREE_CASES: Case[] = [
  ['the list of buckets beyond the end', /link to pages from 2/, (i) => setTop(i, i.pageCount)],
  ['the list of buckets far beyond the end', /link to pages/, (i) => setTop(i, 2n ** 64n - 1n)],
  ['a meta page as list of buckets', /link to pages from 2/, (i) => setTop(i, 1)],
  ['no list of buckets', /byte \d+: expected a link to pages from 2/, (i) => setTop(i, 0)],
  ['the list of free pages as list of buckets', /a branch or leaf page; found flags 16/, freeAsTop],
  ['a list of buckets that holds records', /a bucket; found a record/, leafAsTop],
  ['a high water mark of 0', /link to pages from 2 to -1/, (i) => setHighWater(i, 0)],
  ['a high water mark below its pages', /link to pages from 2 to/, (i) => setHighWater(i, 30)],
  ['a bucket beyond the end', /link to pages/, (i) => i.set64(i.bucket(), i.pageCount)],
  ['a bucket far beyond the end', /link to pages/, (i) => i.set64(i.bucket(), 2n ** 63n)],
  ['a bucket on a meta page', /link to pages/, (i) => i.set64(i.bucket(), 1)],
  ['a bucket that leads to itself', /second time/, (i) => i.set64(i.bucket(), topNumber(i))],
  ['a bucket without a root', /a root page or an inline/, (i) => i.set64(i.bucket(), 0)],
  ['a bucket of 15 bytes', /a bucket with .*; found 15 bytes/, (i) => setBucketBytes(i, 15)],
  ['a bucket of no bytes', /a bucket with .*; found 0 bytes/, (i) => setBucketBytes(i, 0)],
  ['a bucket of 17 bytes', /a bucket with .*; found 17 bytes/, (i) => setBucketBytes(i, 17)],
  ['a child beyond the end', /link to pages/, (i) => link(i, i.root, 0, i.pageCount)],
  ['a child that only the high water mark allows', /link to pages from 2/, linkPastEnd],
  ['a child beyond 2^32', /link to pages/, (i) => link(i, i.root, 0, 2 ** 32 + 9)],
  ['a child beyond 2^53', /link to pages/, (i) => link(i, i.root, 0, 2n ** 64n - 1n)],
  ['a branch that leads to itself', /second time/, (i) => linkTo(i, i.root, 0, i.root)],
  ['a branch that leads back up', /second time/, (i) => linkTo(i, i.child(i.root, 0), 0, i.root)],
  ['a page with two parents', /second time/, (i) => linkTo(i, i.root, 1, i.child(i.root, 0))],
  ['another page number on a page', /its own number/, (i) => i.set64(i.firstLeaf(), 999)],
  ['a number with a high half on a page', /its own/, (i) => i.set32(i.firstLeaf() + 4, 1)],
  ['a leaf that says branch', /data begins at 112; found 16/, (i) => i.set16(i.firstLeaf() + 8, 1)],
  ['a branch that says leaf', /a record or a bucket/, (i) => i.set16(i.root + 8, 2)],
  ['a leaf that says meta', /branch or leaf page; found flags 4/, (i) => setFlags(i, 4)],
  ['a leaf that says free list', /found flags 16/, (i) => setFlags(i, 16)],
  ['a leaf that says two kinds', /found flags 3/, (i) => setFlags(i, 3)],
  ['a leaf with an unknown flag', /found flags 258/, (i) => setFlags(i, 0x102)],
  ['a leaf without a kind', /found flags 0/, (i) => setFlags(i, 0)],
  ['a leaf without elements', /1 element or more; found 0/, (i) => i.set16(i.firstLeaf() + 10, 0)],
  ['a branch without elements', /1 element or more; found 0/, (i) => i.set16(i.root + 10, 0)],
  ['a leaf with one element less', /data begins at/, (i) => addCount(i, i.firstLeaf(), -1)],
  ['a leaf with one element more', /data begins at/, (i) => addCount(i, i.firstLeaf(), 1)],
  ['a branch with one element less', /data begins at/, (i) => addCount(i, i.root, -1)],
  ['a branch with one element more', /data begins at/, (i) => addCount(i, i.root, 1)],
  ['a leaf of 65535 elements', /that fit in 512 bytes/, (i) => i.set16(i.firstLeaf() + 10, 0xffff)],
  ['a branch of 65535 elements', /that fit in 512/, (i) => i.set16(i.root + 10, 0xffff)],
  ['a key beyond its page', /that ends by 512/, (i) => i.set32(leafField(i, 8), 0x7000_0000)],
  ['a key of 4 GiB', /that ends by 512/, (i) => i.set32(leafField(i, 8), 0xffff_ffff)],
  ['a key of no bytes', /a key of 1 byte/, (i) => i.set32(leafField(i, 8), 0)],
  ['a value beyond its page', /that ends by 512/, (i) => i.set32(leafField(i, 12), 512)],
  ['a value of 4 GiB', /that ends by 512/, (i) => i.set32(leafField(i, 12), 0xffff_ffff)],
  ['a value that reaches into the next', /data begins/, (i) => i.set32(leafField(i, 12), 30)],
  ['an element that is elsewhere', /data begins/, (i) => i.set32(leafField(i, 4), 1)],
  ['an element beyond its page', /data begins/, (i) => i.set32(leafField(i, 4), 0xffff_fff0)],
  ['one element many times', /data begins/, repeatElement],
  ['an element of a kind bolt has not', /a record or a bucket/, (i) => i.set32(leafField(i, 0), 2)],
  ['an element with a high flag', /a record or a/, (i) => i.set32(leafField(i, 0), 0x8000_0000)],
  ['a record that says bucket', /a bucket with a root page/, (i) => i.set32(leafField(i, 0), 1)],
  ['a branch key of a gigabyte', /ends by 512/, (i) => i.set32(branchField(i, 4), 0x7000_0000)],
  ['a last branch key beyond its page', /ends by 512/, growLastBranchKey],
  ['a branch key of no bytes', /1 byte or more/, (i) => i.set32(branchField(i, 4), 0)],
  ['a branch key that is elsewhere', /data begins/, (i) => i.set32(branchField(i, 0), 40)],
  ['two keys in the wrong order', /ascending order/, (i) => raise(i, i.key(i.firstLeaf(), 0) + 8)],
  ['one key twice', /ascending order/, repeatKey],
  ['leaves in the wrong order', /ascending order/, swapLeaves],
  ['a branch key below its left side', /ascending/, (i) => i.set16(i.key(i.root, 1), 0)],
  ['a branch key above its right side', /ascending/, (i) => raise(i, i.key(i.root, 1) + 8)],
  ['a branch key above its leaf', /ascending/, (i) => raise(i, i.key(lowestBranch(i), 1) + 8)],
  ['a first branch key above its page', /ascending/, (i) => raise(i, i.key(i.root, 0) + 8)],
  ['a branch key that is the last of its left side', /ascending/, lowerBranchKey],
  ['a page that claims the next', /as many pages as \d+ bytes/, (i) => i.set32(leafAt(i, 12), 1)],
  ['a page that claims 4 billion', /pages that end/, (i) => i.set32(leafAt(i, 12), 0xffff_ffff)],
  ['a branch that claims the next', /as many pages/, (i) => i.set32(i.root + 12, 1)],
];

const OVERFLOW_CASES: Case[] = [
  ['a page less than it needs', /as many pages as/, (i) => addPages(i, -1)],
  ['two pages more than it needs', /as many pages as/, (i) => addPages(i, 2)],
  ['no overflow pages', /ends by 1024/, (i) => i.set32(bigLeaf(i) + 12, 0)],
  ['pages beyond the end', /pages that end/, (i) => addPages(i, 9999)],
  ['overflow pages that are used elsewhere', /second time/, overlap],
  ['a value one longer than it is', /as many pages|ends by|data begins/, growBigValue],
  ['elements over many pages', /as many pages/, (i) => i.set16(bigLeaf(i) + 10, 0xffff)],
];

const INLINE_CASES: Case[] = [
  ['a number', /an inline leaf page/, (i) => i.set64(inline(i), 3)],
  ['a kind that is no leaf', /an inline leaf page/, (i) => i.set16(inline(i) + 8, 1)],
  ['overflow pages', /an inline leaf page/, (i) => i.set32(inline(i) + 12, 1)],
  ['one element less', /data begins/, (i) => i.set16(inline(i) + 10, 9)],
  ['no elements', /elements that fill 376 bytes; found 16/, (i) => i.set16(inline(i) + 10, 0)],
  ['many elements', /fit in 376 bytes; found 65535/, (i) => i.set16(inline(i) + 10, 0xffff)],
  ['a shorter last value', /elements that fill/, (i) => i.set32(inline(i) + 16 + 9 * 16 + 12, 1)],
  ['a longer last value', /that ends by 376/, (i) => i.set32(inline(i) + 16 + 9 * 16 + 12, 90)],
  ['keys out of order', /ascending/, (i) => raise(i, inline(i) + 16 + 160 + 8)],
  ['less room than a page header', /a bucket with .*found 31 bytes/, (i) => setBucketBytes(i, 31)],
];

function setTop(i: Image, page: number | bigint): void {
  i.setMeta(META.root, page);
}
function setHighWater(i: Image, page: number): void {
  i.setMeta(META.highWater, page);
}
function topNumber(i: Image): number {
  return i.top / i.pageBytes;
}
function freeAsTop(i: Image): void {
  setTop(i, i.u64(i.meta + 48));
}
function leafAsTop(i: Image): void {
  setTop(i, i.firstLeaf() / i.pageBytes);
}
/** Of the only bucket, which is the last on its page: nothing follows that could tell. */
function setBucketBytes(i: Image, size: number): void {
  i.set32(i.element(i.top, 0) + 12, size);
}
function link(i: Image, page: number, element: number, target: number | bigint): void {
  i.set64(i.element(page, element) + 8, target);
}
function linkTo(i: Image, page: number, element: number, target: number): void {
  link(i, page, element, target / i.pageBytes);
}
function setFlags(i: Image, flags: number): void {
  i.set16(i.firstLeaf() + 8, flags);
}
function addCount(i: Image, page: number, count: number): void {
  i.set16(page + 10, i.count(page) + count);
}
function leafAt(i: Image, at: number): number {
  return i.firstLeaf() + at;
}
function leafField(i: Image, at: number): number {
  return i.element(i.firstLeaf(), 1) + at;
}
function branchField(i: Image, at: number): number {
  return i.element(i.root, 1) + at;
}
function growLastBranchKey(i: Image): void {
  i.set32(i.element(i.root, i.count(i.root) - 1) + 4, 600);
}
/** The branch over the first leaf. */
function lowestBranch(i: Image): number {
  return i.pages().find((page) => i.isBranch(page) && i.child(page, 0) === i.firstLeaf())!;
}
function linkPastEnd(i: Image): void {
  setHighWater(i, 9999);
  link(i, i.root, 0, i.pageCount);
}
function repeatElement(i: Image): void {
  const leaf = i.firstLeaf();
  const place = i.key(leaf, 0);
  for (let n = 1; n < i.count(leaf); n++)
    i.set32(i.element(leaf, n) + 4, place - i.element(leaf, n));
}
function raise(i: Image, at: number): void {
  i.bytes[at] = 0xff;
}
function repeatKey(i: Image): void {
  const leaf = i.firstLeaf();
  i.bytes.copy(i.bytes, i.key(leaf, 1), i.key(leaf, 0), i.key(leaf, 0) + 9);
}
/** The separators go with their leaves, so that only the order over pages is wrong. */
function swapLeaves(i: Image): void {
  const branch = lowestBranch(i);
  const [first, second] = [i.child(branch, 0), i.child(branch, 1)];
  linkTo(i, branch, 0, second);
  linkTo(i, branch, 1, first);
}
/** Lets key 1 of a branch be the last key below key 0. */
function lowerBranchKey(i: Image): void {
  const leaf = i.firstLeaf();
  const branch = lowestBranch(i);
  const last = i.key(leaf, i.count(leaf) - 1);
  i.bytes.copy(i.bytes, i.key(branch, 1), last, last + 9);
}
function bigLeaf(i: Image): number {
  return i.pages().findLast((page) => i.u32(page + 12) > 0)!;
}
function addPages(i: Image, count: number): void {
  setHighWater(i, 9999);
  i.set32(bigLeaf(i) + 12, i.u32(bigLeaf(i) + 12) + count);
}
/** Lets an earlier leaf begin on the last overflow page of the big one. */
function overlap(i: Image): void {
  const target = bigLeaf(i) + i.u32(bigLeaf(i) + 12) * i.pageBytes;
  const leaf = i.firstLeaf();
  i.bytes.copy(i.bytes, target, leaf, leaf + i.pageBytes);
  i.set64(target, target / i.pageBytes);
  linkTo(i, lowestBranch(i), 0, target);
}
function growBigValue(i: Image): void {
  const field = i.element(bigLeaf(i), 0) + 12;
  i.set32(field, i.u32(field) + i.pageBytes);
}
/** The inline page of the only bucket. */
function inline(i: Image): number {
  return i.bucket() + 16;
}

describe('a bolt file is refused', () => {
  const suites: [string, string, Case[]][] = [
    ['with', 'deep', TREE_CASES],
    ['with a leaf of', 'overflow', OVERFLOW_CASES],
    ['with an inline bucket of', 'inline', INLINE_CASES],
  ];
  for (const [title, name, cases] of suites) {
    it.each(cases)(`${title} %s (${name})`, async (_, message, damage) => {
      const image = new Image(name);
      const before = Buffer.from(image.bytes);
      damage(image);
      image.refresh();
      expect(image.bytes.equals(before), 'nothing was damaged').toBe(false);
      // With room at the end it is not the end of the file that refuses a run of pages.
      const room = name === 'overflow' ? 64 * image.pageBytes : 0;
      const size = image.bytes.length + room;
      await refuses(image.bytes, 'DATA_CORRUPT', message, size);
    });
  }

  it('with a bucket inside of the bucket that is none', async () => {
    const image = new Image('nested');
    const leaves = image.pages().filter((page) => !image.isBranch(page));
    const values = leaves.flatMap((page) =>
      Array.from({ length: image.count(page) }, (_, n) => [
        image.element(page, n),
        image.value(page, n),
      ]),
    );
    const nested = values.filter(([element]) => image.u32(element) === 1);
    expect(nested).toHaveLength(2);
    for (const [, value] of nested) {
      const before = image.u64(value);
      for (const root of [before === 0 ? 5 : 0, image.pageCount, 1]) {
        image.set64(value, root);
        await refuses(image.bytes, 'DATA_CORRUPT', /a bucket with|link to pages/);
      }
      image.set64(value, before);
    }
    expect(await file.scan(image.bytes)).toHaveLength(100);
  });

  it('with a bucket of a few bytes where its page ends', async () => {
    const image = new Image(buildFile(128, [['k'.repeat(91), 'value']]));
    image.set32(image.element(image.root, 0), 1);
    await refuses(image.bytes, 'DATA_CORRUPT', /a bucket with .*; found 5 bytes, root missing/);
  });

  it('with a tree that is too deep', async () => {
    // Every page a branch with one link, to the next one.
    const pages = 40;
    const bytes = Buffer.concat([buildFile(512, [['key', '']]), Buffer.alloc(pages * 512)]);
    const image = new Image(bytes);
    for (let number = 3; number < 3 + pages; number++) {
      const page = image.page(number);
      image.set64(page, number);
      image.set16(page + 8, 1);
      image.set16(page + 10, 1);
      image.set32(page + 16, 16);
      image.set32(page + 20, 1);
      image.set64(page + 24, number + 1);
      bytes.write('a', page + 32);
    }
    image.setMeta(META.highWater, 3 + pages);
    image.refresh();
    await refuses(bytes, 'DATA_CORRUPT', /32 levels or less/);
  });

  it('with a key or value over the limits, before memory is taken for it', async () => {
    for (const [field, message] of [
      [8, /keys up to 65535 bytes; found one of 1000000$/],
      [12, /values up to 536870912 bytes; found one of 600000000$/],
    ] as const) {
      const image = new Image(buildFile(4096, [['key', pattern(5000)]]));
      const element = image.element(image.root, 0);
      const size = field === 8 ? 1_000_000 : 600_000_000;
      image.set32(element + field, size);
      const pages = Math.ceil((32 + image.u32(element + 8) + image.u32(element + 12)) / 4096);
      image.set32(image.root + 12, pages - 1);
      image.setMeta(META.highWater, 3 + pages);
      image.refresh();
      await refuses(image.bytes, 'LIMIT_EXCEEDED', message, (3 + pages) * 4096);
    }
  });

  it('with a branch over the limit', async () => {
    const image = new Image(buildFile(4096, [['key', pattern(5000)]]));
    const keyBytes = 3_000_000;
    image.set16(image.root + 8, 1);
    image.set32(image.element(image.root, 0), 16);
    image.set32(image.element(image.root, 0) + 4, keyBytes);
    const pages = Math.ceil((32 + keyBytes) / 4096);
    image.set32(image.root + 12, pages - 1);
    image.setMeta(META.highWater, 3 + pages);
    image.refresh();
    await refuses(image.bytes, 'LIMIT_EXCEEDED', /branch pages up to/, (3 + pages) * 4096);
  });

  it('with a page that claims most of a sparse file, in no time', async () => {
    const image = new Image('deep');
    image.set32(image.firstLeaf() + 12, 0x7fff_ffff);
    image.setMeta(META.highWater, 2n ** 40n);
    image.refresh();
    await refuses(image.bytes, 'DATA_CORRUPT', /as many pages as/, 2048 * GIB);
  });

  it('with keys out of order on a leaf of megabytes', async () => {
    const value = pattern(700_000);
    const bytes = buildFile(4096, [
      ['b', value],
      ['a', value],
    ]);
    await refuses(bytes, 'DATA_CORRUPT', /ascending order/);
  });
});

describe('the meta pages of a bolt file are refused', () => {
  it.each([
    ['a broken checksum', /checksum [0-9a-f]{16} \(its bytes have [0-9a-f]{16}\)/, META.checksum],
    ['another root than their checksum says', /checksum/, META.root],
    ['another high water mark than their checksum says', /checksum/, META.highWater],
    ['another transaction than their checksum says', /checksum/, META.transaction],
  ])('when both have %s', async (_, message, at) => {
    const image = new Image('plain');
    for (const page of [0, image.pageBytes]) image.bytes[page + at] ^= 0x10;
    await refuses(image.bytes, 'DATA_CORRUPT', message);
  });

  it.each([0, 1, 127, 2 ** 25, 0xffff_ffff])('when they say pages of %i bytes', async (size) => {
    const image = new Image('plain');
    for (const page of [0, image.pageBytes]) image.set32(page + META.pageBytes, size);
    image.refresh();
    await refuses(image.bytes, 'DATA_CORRUPT', new RegExp(`a page size of ${size} \\(`));
  });

  it('when they say another version', async () => {
    const image = new Image('plain');
    for (const page of [0, image.pageBytes]) image.set32(page + META.version, 3);
    image.refresh();
    await refuses(
      image.bytes,
      'FORMAT_UNKNOWN',
      /version 2, little-endian\); found bolt version 3/,
    );
  });

  it('when the newest one has another page number', async () => {
    const image = new Image('plain');
    image.set64(image.meta, 7);
    await refuses(image.bytes, 'DATA_CORRUPT', /page number \d; found 7/);
  });

  it('when the newest one is no meta page', async () => {
    const image = new Image('plain');
    image.set16(image.meta + 8, 2);
    await refuses(image.bytes, 'DATA_CORRUPT', /a meta page \(flags 4\); found flags 2/);
  });

  it('when the second is the newest and says another page size', async () => {
    const image = new Image('plain');
    image.set32(image.pageBytes + META.pageBytes, 8192);
    image.set64(image.pageBytes + META.transaction, 99);
    image.refresh();
    await refuses(image.bytes, 'DATA_CORRUPT', /page size 4096 as in page 0; found 8192/);
  });

  it('when only the second is sound but its page size is none of the usual', async () => {
    const image = new Image('pages-1000');
    image.bytes[META.root] ^= 1;
    await refuses(image.bytes, 'DATA_CORRUPT', /one sound meta page of two; found checksum/);
  });

  it('when there is no second one in the file', async () => {
    const bytes = fixture('plain');
    for (const size of [80, 4096, 8191]) {
      await refuses(bytes.subarray(0, size), 'DATA_CORRUPT', /two meta pages of 4096 bytes/);
    }
    await refuses(bytes.subarray(0, 79), 'DATA_CORRUPT', /found a file of 79 bytes/);
  });

  it('when the machine had another byte order', async () => {
    const image = new Image('plain');
    for (const page of [0, image.pageBytes]) image.bytes.subarray(page + 16, page + 20).reverse();
    await refuses(image.bytes, 'FORMAT_UNKNOWN', /found bolt from a big-endian machine/);
  });
});

describe('the bolt scanner refuses', () => {
  it.each([
    ['nothing', Buffer.alloc(0), /found an empty file/],
    ['one byte', Buffer.from('x'), /found bytes 78/],
    ['text', Buffer.from('{"key": "value"}\n'.repeat(5000)), /found bytes 7b226b65/],
    ['zeros', Buffer.alloc(100_000), /found bytes 0000/],
    ['random bytes', randomBytes(100_000), /found bytes/],
    ['a meta page that is cut before its magic', fixture('plain').subarray(0, 19), /found bytes/],
  ])('a file of %s', async (_, bytes, message) => {
    await refuses(bytes, 'FORMAT_UNKNOWN', message);
  });

  it('a file that is shorter than it was when it was opened', async () => {
    const bytes = fixture('plain').subarray(0, 20_000);
    const tail = { bytes: Buffer.alloc(0), at: bytes.length, missing: 41_440 };
    await expect(file.scan(bytes, {}, tail)).rejects.toMatchObject({
      code: 'DATA_CORRUPT',
      message: expect.stringMatching(/more bytes, found the end/),
    });
  });

  it('every file that is cut within the pages it uses', async () => {
    for (const name of readdirSync(FIXTURES).filter((name) => name.endsWith('.db'))) {
      const image = new Image(name.replace('.db', ''));
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
