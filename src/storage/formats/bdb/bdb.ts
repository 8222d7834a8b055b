/**
 * What belongs in this folder: Berkeley DB and MemcacheDB.
 *
 * Btree and hash files of Berkeley DB, and what MemcacheDB keeps in them.
 */
import { unsupported } from '../../scanners/faults.ts';
import { createFormat } from '../../scanners/format.ts';
import { printable } from '../../scanners/name-list.ts';
import { NamespaceSink } from '../../scanners/namespaces.ts';
import { PageFile } from '../../scanners/page-file.ts';
import type { RecordSink, ScanInput } from '../../scanners/scanner.ts';
import { readBtree } from './bdb-btree.ts';
import { readHash } from './bdb-hash.ts';
import { type BdbMeta, isBdb, readBdbDatabase, readBdbHeader } from './bdb-header.ts';
import { NameCollector } from './bdb-names.ts';
import { BdbPages } from './bdb-pages.ts';

/**
 * Reads btree and hash files of Berkeley DB 4 and 5 in either byte order, with checksums or
 * without. Serves the only database of a file, the named one of `options.bucket`, or all named ones
 * as namespaces; of duplicates the first, as DB->get does. Refuses what is encrypted, compressed,
 * partitioned, or of another access method.
 */
export const bdbScanner = createFormat({
  format: 'bdb',
  title: 'Berkeley DB',
  reading: 'pages',
  has: ['buckets', 'namespaces'],
  recognise: isBdb,
  async scan(input, options, sink) {
    const meta = readBdbHeader(input);
    const file = new PageFile(input, meta.pageBytes, options.onProgress);
    const pages = new BdbPages(file, meta);
    const { namespaces, onNotice, onLocator } = options;
    onLocator?.(() => file.place);
    if (namespaces !== undefined) {
      const composing = new NamespaceSink(input, 'database', sink, namespaces);
      readNamespaces(input, pages, meta, composing);
    } else if (meta.databases) {
      readNamed(input, pages, meta, options.bucket, sink);
    } else if (options.bucket === undefined) {
      readDatabase(pages, meta, sink);
    } else {
      throw unsupported(
        input,
        `expected a database named ${printable(options.bucket)}; found a file of one without name`,
      );
    }
    if (pages.lost.notice !== undefined) onNotice?.(pages.lost.notice);
    options.onProgress?.(input.size);
  },
});

function readNamespaces(
  input: ScanInput,
  pages: BdbPages,
  main: BdbMeta,
  sink: NamespaceSink,
): void {
  const databases: { readonly name: Buffer; readonly page: number }[] = [];
  if (main.databases) {
    const names = new NameCollector(undefined, (name, page) => {
      databases.push({ name: Buffer.from(name), page });
    });
    readNames(pages, main, names);
  }
  if (databases.length === 0) {
    const found = main.databases ? 'none' : 'a file of one without name';
    throw unsupported(input, `expected named databases; found ${found}: leave out -namespaces`);
  }
  for (const { name, page } of databases) {
    sink.begin(name);
    readAt(input, pages, main, page, sink);
  }
}

/** Reads the database whose meta page is `page`. */
function readAt(
  input: ScanInput,
  pages: BdbPages,
  main: BdbMeta,
  page: number,
  sink: RecordSink,
): void {
  const bytes = pages.fetchMeta(page, { page: main.page, at: 0 });
  readDatabase(pages, readBdbDatabase(input, bytes, page, main), sink);
}

/** The main database of a file with named ones holds nothing but their names. */
function readNames(pages: BdbPages, main: BdbMeta, names: NameCollector): void {
  readDatabase(pages, main, names);
  if (names.wrongBytes === undefined) return;
  throw pages.corrupt(main.page, 0, 'names with page numbers of 4 bytes', [
    `one of ${names.wrongBytes}`,
  ]);
}

function readNamed(
  input: ScanInput,
  pages: BdbPages,
  main: BdbMeta,
  bucket: string | undefined,
  sink: RecordSink,
): void {
  const names = new NameCollector(bucket);
  readNames(pages, main, names);
  if (names.found !== undefined) {
    readAt(input, pages, main, names.found, sink);
    return;
  }
  const others = names.names.count === 0 ? 'no database' : `the databases ${names.names}`;
  throw unsupported(
    input,
    bucket === undefined
      ? `expected records; found ${others}; choose one with -bucket, or serve all with -namespaces`
      : `expected a database named ${printable(bucket)}; found ${others}`,
  );
}

function readDatabase(pages: BdbPages, meta: BdbMeta, sink: RecordSink): void {
  if (meta.method === 'btree') readBtree(pages, meta, sink);
  else readHash(pages, meta, sink);
}
