import { GoromdbError } from '../../errors.ts';
import { type BoltBucket, readBoltBucket } from './bolt-bucket.ts';
import { readBoltHeader } from './bolt-header.ts';
import { BoltPages } from './bolt-pages.ts';
import { BoltTree, type ElementVisitor } from './bolt-tree.ts';
import { NameList, printable } from './name-list.ts';
import { PageFile } from './page-file.ts';
import type { RecordSink, ScanInput, Scanner, ScanOptions } from './scanner.ts';

/**
 * Reads the files of BoltDB and bbolt, of any page size. Serves one bucket at the top: that of
 * `options.bucket`, or without it the only one that there is. Buckets inside of it are no records:
 * their names are not found, as with Bucket.Get.
 *
 * The list of the buckets and the bucket that is served are proven whole, other buckets are not
 * read. The list of free pages is of no use to a reader and not read either. A leaf without elements
 * is refused unless it is a root: no commit leaves one, but `bbolt surgery clear-page` does, with
 * the records gone; `bbolt compact` makes a sound file of that.
 */
export const boltScanner: Scanner = {
  format: 'boltdb',
  async scan(input: ScanInput, options: ScanOptions, sink: RecordSink): Promise<void> {
    if (options.gzipped) {
      throw unsupported(input, 'expected a plain BoltDB file; found one wrapped in gzip');
    }
    const header = readBoltHeader(input);
    const file = new PageFile(input, header.pageBytes, options.onProgress);
    const pages = new BoltPages(file, header);
    const tree = new BoltTree(pages);
    const buckets = new BucketFinder(pages, options.bucket);
    const from = { page: header.metaPage, at: header.rootAt };
    tree.walk({ root: header.root, inline: undefined, from }, buckets);
    tree.walk(choose(input, buckets, options.bucket), new RecordVisitor(pages, sink));
    options.onProgress?.(input.size);
  },
};

function choose(input: ScanInput, buckets: BucketFinder, bucket: string | undefined): BoltBucket {
  const { found, names } = buckets;
  const others = names.count === 0 ? 'no bucket' : `the buckets ${names}`;
  if (bucket === undefined && names.count > 1) {
    throw unsupported(input, `expected one bucket; found ${others}; choose one with -bucket`);
  }
  if (found !== undefined) return found;
  const expected = bucket === undefined ? 'a bucket' : `a bucket named ${printable(bucket)}`;
  throw unsupported(input, `expected ${expected}; found ${others}`);
}

/** Passes the records of a bucket on. */
class RecordVisitor implements ElementVisitor {
  readonly #pages: BoltPages;
  readonly #sink: RecordSink;

  constructor(pages: BoltPages, sink: RecordSink) {
    this.#pages = pages;
    this.#sink = sink;
  }

  visit(
    bytes: Buffer,
    keyStart: number,
    keyEnd: number,
    valueEnd: number,
    flags: number,
    page: number,
    shift: number,
  ): void {
    if (flags === 0) this.#sink.add(bytes, keyStart, keyEnd, bytes, keyEnd, valueEnd, 0);
    // A record with a broken flag must not get lost as a bucket.
    else readBoltBucket(this.#pages, bytes, keyEnd, valueEnd, page, shift);
  }
}

/** Remembers the names of the buckets at the top, and the one to serve. */
class BucketFinder implements ElementVisitor {
  /** The wanted bucket; any when none is wanted. */
  found: BoltBucket | undefined;
  readonly names = new NameList();
  readonly #wanted: Buffer | undefined;
  readonly #pages: BoltPages;

  constructor(pages: BoltPages, bucket: string | undefined) {
    this.#pages = pages;
    this.#wanted = bucket === undefined ? undefined : Buffer.from(bucket);
  }

  visit(
    bytes: Buffer,
    keyStart: number,
    keyEnd: number,
    valueEnd: number,
    flags: number,
    page: number,
    shift: number,
  ): void {
    // No writer puts records beside the buckets.
    if (flags === 0) {
      throw this.#pages.corrupt(page, keyStart + shift, 'a bucket', ['a record']);
    }
    const bucket = readBoltBucket(this.#pages, bytes, keyEnd, valueEnd, page, shift);
    const name = bytes.subarray(keyStart, keyEnd);
    if (this.#wanted === undefined || name.equals(this.#wanted)) this.found = bucket;
    this.names.add(name);
  }
}

function unsupported(input: ScanInput, text: string): GoromdbError {
  return new GoromdbError('FORMAT_UNSUPPORTED', `${input.path}: ${text}`);
}
