import { GoromdbError } from '../../errors.ts';
import { type BoltBucket, readBoltBucket } from './bolt-bucket.ts';
import { readBoltHeader } from './bolt-header.ts';
import { BoltPages } from './bolt-pages.ts';
import { BoltTree, DEPTH_MAX, type ElementVisitor } from './bolt-tree.ts';
import { NameList, printable } from './name-list.ts';
import { NamespaceSink } from './namespaces.ts';
import { PageFile } from './page-file.ts';
import type { RecordSink, ScanInput, Scanner, ScanOptions } from './scanner.ts';

/**
 * Reads the files of BoltDB and bbolt, of any page size. Serves one bucket at the top: that of
 * `options.bucket`, or without it the only one that there is; or all of them as namespaces. Buckets
 * inside of these are no records: their names are not found, as with Bucket.Get, and neither is what
 * they hold.
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
    const top = { page: header.metaPage, at: header.rootAt };
    const walkTop = (visitor: ElementVisitor): void =>
      tree.walk({ root: header.root, inline: undefined, from: top }, visitor);
    options.onLocator?.(() => file.place);
    if (options.namespaces === undefined) {
      const buckets = new BucketFinder(pages, options.bucket);
      walkTop(buckets);
      const records = new RecordVisitor(pages, sink);
      tree.walk(choose(input, buckets, options.bucket), records);
      tellNested(records.nested, options);
    } else {
      const composing = new NamespaceSink(input, 'bucket', sink, options.namespaces);
      const records = new RecordVisitor(pages, composing);
      const buckets = new BucketReader(pages, composing, records);
      walkTop(buckets);
      if (buckets.count === 0) throw unsupported(input, 'expected a bucket; found no bucket');
      tellNested(records.nested, options);
    }
    options.onProgress?.(input.size);
  },
};

function choose(input: ScanInput, buckets: BucketFinder, bucket: string | undefined): BoltBucket {
  const { found, names } = buckets;
  const others = names.count === 0 ? 'no bucket' : `the buckets ${names}`;
  if (bucket === undefined && names.count > 1) {
    const advice = 'choose one with -bucket, or serve all with -namespaces';
    throw unsupported(input, `expected one bucket; found ${others}; ${advice}`);
  }
  if (found !== undefined) return found;
  const expected = bucket === undefined ? 'a bucket' : `a bucket named ${printable(bucket)}`;
  throw unsupported(input, `expected ${expected}; found ${others}`);
}

function tellNested(count: number, { onNotice }: ScanOptions): void {
  if (count === 0) return;
  const buckets =
    count === 1 ? '1 bucket inside of another one is' : `${count} buckets inside of others are`;
  onNotice?.(`${buckets} not served, nor what they hold: only buckets at the top are`);
}

/** Passes the records of a bucket on. */
class RecordVisitor implements ElementVisitor {
  /** Buckets beside the records. */
  nested = 0;
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
    if (flags === 0) {
      const { file } = this.#pages;
      file.recordPage = page;
      file.recordAt = keyStart + shift;
      this.#sink.add(bytes, keyStart, keyEnd, bytes, keyEnd, valueEnd, 0);
      return;
    }
    // A record with a broken flag must not get lost as a bucket.
    readBoltBucket(this.#pages, bytes, keyEnd, valueEnd, page, shift);
    this.nested++;
  }
}

/** Reads the buckets at the top as it comes to them, so that inline ones need not be kept. */
class BucketReader implements ElementVisitor {
  count = 0;
  readonly #pages: BoltPages;
  readonly #tree: BoltTree;
  readonly #namespaces: NamespaceSink;
  readonly #records: RecordVisitor;

  constructor(pages: BoltPages, namespaces: NamespaceSink, records: RecordVisitor) {
    this.#pages = pages;
    this.#tree = new BoltTree(pages, DEPTH_MAX);
    this.#namespaces = namespaces;
    this.#records = records;
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
    const bucket = readTopBucket(
      ...([this.#pages, bytes, keyStart, keyEnd, valueEnd, flags, page, shift] as const),
    );
    this.count++;
    this.#namespaces.begin(bytes.subarray(keyStart, keyEnd));
    this.#tree.walk(bucket, this.#records);
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
    const bucket = readTopBucket(
      ...([this.#pages, bytes, keyStart, keyEnd, valueEnd, flags, page, shift] as const),
    );
    const name = bytes.subarray(keyStart, keyEnd);
    if (this.#wanted === undefined || name.equals(this.#wanted)) this.found = bucket;
    this.names.add(name);
  }
}

/** Reads an element of the list of buckets. No writer puts records beside the buckets. */
function readTopBucket(
  pages: BoltPages,
  bytes: Buffer,
  keyStart: number,
  keyEnd: number,
  valueEnd: number,
  flags: number,
  page: number,
  shift: number,
): BoltBucket {
  if (flags === 0) throw pages.corrupt(page, keyStart + shift, 'a bucket', ['a record']);
  return readBoltBucket(pages, bytes, keyEnd, valueEnd, page, shift);
}

function unsupported(input: ScanInput, text: string): GoromdbError {
  return new GoromdbError('FORMAT_UNSUPPORTED', `${input.path}: ${text}`);
}
