import { ftruncateSync, statSync, writeSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { bdbScanner } from '../../../src/storage/formats/bdb/bdb.ts';
import { boltScanner } from '../../../src/storage/formats/bolt/bolt.ts';
import { lmdbScanner } from '../../../src/storage/formats/lmdb/lmdb.ts';
import type { Scanner } from '../../../src/storage/scanners/scanner.ts';
import { type Records, recordSink, ScratchFile } from '../../support/scratch-file.ts';
import { Image as BdbImage, overflowRecords } from './bdb-fixture.ts';
import { Image as BoltImage, META } from './bolt-fixture.ts';
import { Image as LmdbImage, numbered } from './lmdb-fixture.ts';

/** What the files pretend to hold. */
const FILE_BYTES = 20e9;
/** Disk space that one may take. */
const DISK_BYTES_MAX = 4e6;

/** Where page n of a fixture lies in the large file. Some pages stay together: see each format. */
type Spread = (page: number) => number;

let file: ScratchFile | undefined;
afterEach(() => {
  file?.close();
  file = undefined;
});

/** Spreads the pages behind the first ones evenly over the file. */
function evenly(pages: number, pageBytes: number, firstPages: number): Spread {
  const stride = Math.floor(FILE_BYTES / pageBytes / pages);
  return (page) => (page < firstPages ? page : page * stride);
}

/** Writes each page of an image to its place in a sparse file, and scans that. */
async function scanSpread(
  scanner: Scanner,
  { bytes, pageBytes }: { bytes: Buffer; pageBytes: number },
  spread: Spread,
): Promise<Records> {
  const opened = new ScratchFile(scanner);
  file = opened;
  const { path, fd } = opened;
  let size = 0;
  for (let page = 0; page < bytes.length / pageBytes; page++) {
    const position = spread(page) * pageBytes;
    writeSync(fd, bytes, page * pageBytes, pageBytes, position);
    size = Math.max(size, position + pageBytes);
  }
  ftruncateSync(fd, size);
  expect(size).toBeGreaterThan(0.9 * FILE_BYTES);
  expect(statSync(path).blocks * 512).toBeLessThan(DISK_BYTES_MAX);
  const records: Records = [];
  await scanner.scan({ path, fd, size }, { gzipped: false }, recordSink(records));
  return records;
}

function spreadLmdb(image: LmdbImage): Spread {
  const spread = evenly(image.pageCount, image.pageBytes, 2);
  const isBranch = (page: number): boolean => (image.u16(image.flags(page)) & 1) !== 0;
  const move = (number: number): void => {
    const page = image.page(number);
    if (isBranch(page)) {
      for (let i = 0; i < image.count(page); i++) {
        const node = image.node(page, i);
        const child = image.bytes.readUInt32LE(node);
        move(child);
        // 48 bits: lo, hi, flags.
        image.set32(node, spread(child) % 2 ** 32);
        image.set16(node + 4, Math.floor(spread(child) / 2 ** 32));
      }
    }
    image.set64(page, spread(number));
  };
  const root = image.root / image.pageBytes;
  move(root);
  image.set64(image.main + 40, spread(root));
  image.set64(image.meta + 120, spread(image.pageCount - 1));
  image.copyMeta();
  return spread;
}

function spreadBolt(image: BoltImage): Spread {
  // Overflow pages must stay behind their first page.
  const starts = [image.top, ...image.pages()].map((page) => page / image.pageBytes);
  const even = evenly(image.pageCount, image.pageBytes, 2);
  const spread: Spread = (page) => {
    const start = Math.max(...starts.filter((candidate) => candidate <= page), 0);
    return even(start) + page - start;
  };
  const bucket = image.bucket();
  const all = [image.top, ...image.pages()];
  for (const page of all) {
    if (image.isBranch(page)) {
      for (let i = 0; i < image.count(page); i++) {
        const at = image.element(page, i) + 8;
        image.set64(at, spread(image.u64(at)));
      }
    }
  }
  image.set64(bucket, spread(image.u64(bucket)));
  for (const page of all) image.set64(page, spread(image.u64(page)));
  image.set64(image.meta + META.root, spread(image.top / image.pageBytes));
  image.setMeta(META.highWater, spread(image.pageCount - 1) + 1);
  image.refresh();
  return spread;
}

/** Page numbers of Berkeley DB have 32 bits: with pages of 512 bytes that is 2 TiB. */
function spreadBdb(image: BdbImage, spread: Spread): Spread {
  const follow = (at: number): void => {
    if (image.u32(at) !== 0) image.set32(at, spread(image.u32(at)));
  };
  for (const page of image.pagesOf(3, 5, 7, 13)) {
    const type = image.bytes[page + 25];
    for (let i = 0; i < image.count(page) && type !== 7; i++) {
      const item = image.item(page, i);
      const itemType = type === 13 ? image.bytes[item] : image.bytes[item + 2];
      // Entries of internal pages, and what lies on overflow pages.
      if (type === 3 || itemType === 3) follow(item + 4);
    }
    // Of an overflow page, 12 and 16 are the pages before and behind it as well.
    follow(page + 12);
    follow(page + 16);
    image.set32(page + 8, spread(image.number(page)));
  }
  image.set32(32, spread(image.pageCount - 1));
  return spread;
}

describe('a file of 20 GB is read page by page', () => {
  it.each([
    ['v1-deep', numbered(100, 'key-', 'value-', '.'.repeat(400))],
    ['v1-plain', numbered(500, 'key-', 'value-')],
    ['v2-deep', numbered(800, 'key-', 'value-')],
  ])('LMDB, %s', async (name, expected) => {
    const image = new LmdbImage(name);
    const spread = spreadLmdb(image);
    expect(await scanSpread(lmdbScanner, image, spread)).toEqual(expected);
  });

  it.each([
    ['deep', numbered(600, 'key-', 'value-')],
    ['longkeys', numbered(12, 'key-', 'value-', '.'.repeat(2500))],
  ])('bolt, %s', async (name, expected) => {
    const image = new BoltImage(name);
    const spread = spreadBolt(image);
    expect(await scanSpread(boltScanner, image, spread)).toEqual(expected);
  });

  it.each([
    ['btree-be', numbered(500, 'key-', 'value-')],
    ['btree-overflow', overflowRecords()],
  ])('Berkeley DB, %s', async (name, expected) => {
    const image = new BdbImage(`bdb/${name}`);
    const spread = spreadBdb(image, evenly(image.pageCount, image.pageBytes, 1));
    image.set32(88, spread(image.u32(88)));
    expect(await scanSpread(bdbScanner, image, spread)).toEqual(expected);
  });

  it('Berkeley DB, a hash', async () => {
    const image = new BdbImage('bdb/hash-be');
    // Each doubling of the table has its own run of pages; the runs are spread.
    const starts = [0, 1, 2, 3, 4, 5].map(
      (i) => (i === 0 ? 0 : 2 ** (i - 1)) + image.u32(96 + 4 * i),
    );
    const stride = Math.floor(FILE_BYTES / image.pageBytes / starts.length);
    const runOf = (page: number): number => starts.findLastIndex((start) => start <= page) + 1;
    const spread: Spread = (page) => page + runOf(page) * stride;
    spreadBdb(image, spread);
    for (let i = 0; i < starts.length; i++) {
      const bucket = starts[i] - image.u32(96 + 4 * i);
      image.set32(96 + 4 * i, spread(starts[i]) - bucket);
    }
    const records = await scanSpread(bdbScanner, image, spread);
    expect(records.toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual(
      numbered(500, 'key-', 'value-'),
    );
  });
});
