import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PageSet } from '../../../src/storage/scanners/linked-pages.ts';
import { PageFile, readAt } from '../../../src/storage/scanners/page-file.ts';

const PAGE = 4096;
/** Page 1,500,000 of 4 KiB lies beyond 2^32 bytes. */
const FAR_PAGE = 1_500_000;
const PAGES = FAR_PAGE + 1;

let folder: string;
let fd: number;

/** A sparse file: each page of the first 600 and the far one begins with its own number. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'goromdb-page-file-'));
  fd = openSync(join(folder, 'pages'), 'w+');
  const bytes = Buffer.alloc(PAGE);
  for (const page of [...Array.from({ length: 600 }, (_, i) => i), FAR_PAGE]) {
    bytes.writeUInt32LE(page);
    bytes.writeUInt32LE(page, PAGE - 4);
    writeSync(fd, bytes, 0, PAGE, page * PAGE);
  }
});
afterAll(() => {
  closeSync(fd);
  rmSync(folder, { recursive: true, force: true });
});

function openPages(size = PAGES * PAGE, onProgress?: (bytes: number) => void): PageFile {
  return new PageFile({ path: 'pages', fd, size }, PAGE, onProgress);
}

function numberOf(pages: PageFile, page: number): number {
  const target = Buffer.alloc(PAGE, 0xff);
  pages.read(page, 1, target);
  expect(target.readUInt32LE(PAGE - 4)).toBe(target.readUInt32LE(0));
  return target.readUInt32LE(0);
}

describe('a page file', () => {
  it('gives the right page in any order of reading', () => {
    const pages = openPages();
    const forward = Array.from({ length: 600 }, (_, i) => i);
    const backAndForth = forward.map((i) => Math.max(0, i + (i % 3 === 0 ? 7 : -5))).slice(0, 590);
    const scattered = forward.map((i) => (i * 263) % 600);
    for (const page of [...forward, ...forward.toReversed(), ...backAndForth, ...scattered]) {
      expect(numberOf(pages, page)).toBe(page);
    }
  });

  it('reads a page beyond 4 GiB', () => {
    expect(numberOf(openPages(), FAR_PAGE)).toBe(FAR_PAGE);
  });

  it('gives several pages at once, at any place of the memory', () => {
    const pages = openPages();
    for (const first of [0, 1, 2, 300, 303, 306, 309, 20]) {
      const target = Buffer.alloc(3 * PAGE + 10);
      pages.read(first, 3, target, 10);
      for (let i = 0; i < 3; i++) expect(target.readUInt32LE(10 + i * PAGE)).toBe(first + i);
    }
  });

  it('reads with pages of any size', () => {
    for (const pageBytes of [512, 65_536, 1_048_576]) {
      const size = 600 * PAGE;
      const pages = new PageFile({ path: 'pages', fd, size }, pageBytes);
      expect(pages.pageCount).toBe(Math.floor(size / pageBytes));
      const target = Buffer.alloc(pageBytes);
      for (let page = 0; page < pages.pageCount; page++) {
        pages.read(page, 1, target);
        const at = Math.ceil((page * pageBytes) / PAGE) * PAGE - page * pageBytes;
        if (at < pageBytes) {
          expect(target.readUInt32LE(at)).toBe((page * pageBytes + at) / PAGE);
        }
      }
    }
  });

  it.each([
    ['just beyond the end', PAGES, 1],
    ['far beyond 2^53', 2 ** 60, 1],
    ['before the begin', -1, 1],
    ['that is no number', Number.NaN, 1],
    ['partly beyond the end', FAR_PAGE, 2],
  ])('refuses a page %s', (_, first, count) => {
    expect(() => openPages().read(first, count, Buffer.alloc(2 * PAGE))).toThrow(
      expect.objectContaining({ code: 'DATA_CORRUPT' }),
    );
  });

  it('does not count a last page that is cut', () => {
    const pages = openPages(3 * PAGE - 1);
    expect(pages.pageCount).toBe(2);
    expect(() => pages.read(2, 1, Buffer.alloc(PAGE))).toThrow(/page 2, byte 8192: expected/);
  });

  it('says so when the file ends before its size', () => {
    const short = openSync(join(folder, 'short'), 'w+');
    try {
      ftruncateSync(short, 10 * PAGE + 7);
      const pages = new PageFile({ path: 'short', fd: short, size: 100 * PAGE }, PAGE);
      for (const page of [10, 11, 50]) {
        expect(() => pages.read(page, 1, Buffer.alloc(PAGE))).toThrow(
          expect.objectContaining({
            code: 'DATA_CORRUPT',
            message: expect.stringMatching(/^short: byte \d+: expected \d+ more bytes, found the/),
          }),
        );
      }
    } finally {
      closeSync(short);
    }
  });

  it('says so when the file cannot be read', () => {
    const directory = openSync(folder, 'r');
    try {
      expect(() =>
        readAt({ path: 'folder', fd: directory, size: PAGE }, Buffer.alloc(9), 0, 9, 0),
      ).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }));
    } finally {
      closeSync(directory);
    }
  });

  it('reports its progress every 16 MiB and never more than the size', () => {
    const told: number[] = [];
    const size = 600 * PAGE;
    const pages = openPages(size, (bytes) => told.push(bytes));
    const target = Buffer.alloc(600 * PAGE);
    for (let i = 0; i < 20; i++) pages.read(0, 600, target);
    expect(told).toEqual([size, size]);
  });
});

describe('a page set', () => {
  it('takes each page once', () => {
    const set = new PageSet();
    const pages = [0, 1, 7, 8, 65_535, 65_536, 2 ** 32, 2 ** 32 + 1, 2 ** 50];
    for (const page of pages) expect(set.claim(page), `first claim of ${page}`).toBe(true);
    for (const page of pages) expect(set.claim(page), `second claim of ${page}`).toBe(false);
    expect(set.claim(2)).toBe(true);
  });
});
