/**
 * What belongs in this folder: BoltDB and bbolt.
 *
 * Files of BoltDB and bbolt.
 */
import { unsupported } from '../../scanners/faults.ts';
import { createFormat } from '../../scanners/format.ts';
import { NameList } from '../../scanners/name-list.ts';
import { NamespaceSink } from '../../scanners/namespaces.ts';
import { PageFile } from '../../scanners/page-file.ts';
import type { RecordSink, ScanOptions } from '../../scanners/scanner.ts';
import { readBoltBucket } from './bolt-bucket.ts';
import { BucketFinder, findBucket, listNested, noBucket } from './bolt-finder.ts';
import { isBolt, readBoltHeader } from './bolt-header.ts';
import { BoltPages } from './bolt-pages.ts';
import { BoltTree, DEPTH_MAX, type ElementVisitor } from './bolt-tree.ts';

/**
 * Reads the files of BoltDB and bbolt, of any page size. Serves one bucket: that of
 * `options.bucket` at the top, or without it the only one that there is, or the one that
 * `options.inner` leads to from there; or all at the top as namespaces. Buckets inside of these are
 * no records: their names are not found, as with Bucket.Get, and neither is what they hold.
 *
 * The list of the buckets, the bucket that is served and those that it lies in are verified whole,
 * other buckets are not read. The list of free pages is of no use to a reader and not read either.
 * A leaf without elements is refused unless it is a root: no commit leaves one, but `bbolt surgery
 * clear-page` does, with the records gone; `bbolt compact` makes a sound file of that.
 */
export const boltScanner = createFormat({
  format: 'boltdb',
  title: 'BoltDB',
  reading: 'pages',
  has: ['buckets', 'nested buckets', 'namespaces'],
  recognise: isBolt,
  async scan(input, options, sink) {
    const header = readBoltHeader(input);
    const file = new PageFile(input, header.pageBytes, options.onProgress);
    const pages = new BoltPages(file, header);
    const tree = new BoltTree(pages);
    const from = { page: header.metaPage, at: header.rootAt };
    const walkTop = (visitor: ElementVisitor): void =>
      tree.walk({ root: header.root, inline: undefined, from }, visitor);
    options.onLocator?.(() => file.place);
    if (options.namespaces === undefined) {
      const top = new BucketFinder(pages, options.bucket, 'top');
      walkTop(top);
      const { bucket, path } = findBucket(input, pages, top, options);
      const records = new RecordVisitor(pages, sink);
      tree.walk(bucket, records);
      noteNested(records.nested, options, path);
    } else {
      const composing = new NamespaceSink(input, 'bucket', sink, options.namespaces);
      const records = new RecordVisitor(pages, composing);
      const buckets = new BucketReader(pages, composing, records);
      walkTop(buckets);
      if (buckets.count === 0) throw unsupported(input, 'expected a bucket; found no bucket');
      noteNested(records.nested, options);
    }
    options.onProgress?.(input.size);
  },
});

/** @param path Where they are; undefined: in several. */
function noteNested(names: NameList, { onNotice }: ScanOptions, path?: readonly Buffer[]): void {
  const { count } = names;
  if (count === 0) return;
  const buckets =
    count === 1 ? '1 bucket inside of another one is' : `${count} buckets inside of others are`;
  const advice =
    path === undefined
      ? `${names}; only buckets at the top are namespaces`
      : listNested(names, path);
  onNotice?.(`${buckets} not served, nor what they hold: ${advice}`);
}

/** Passes the records of a bucket on. */
class RecordVisitor implements ElementVisitor {
  /** Buckets beside the records. */
  readonly nested = new NameList();
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
    this.nested.add(bytes.subarray(keyStart, keyEnd));
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
    if (flags === 0) throw noBucket(this.#pages, page, keyStart + shift);
    const bucket = readBoltBucket(this.#pages, bytes, keyEnd, valueEnd, page, shift);
    this.count++;
    this.#namespaces.begin(bytes.subarray(keyStart, keyEnd));
    this.#tree.walk(bucket, this.#records);
  }
}
