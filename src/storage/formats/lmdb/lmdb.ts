/**
 * What belongs in this folder: LMDB, data formats 1 and 2.
 *
 * Data files of LMDB, of both data formats.
 */
import { unknown, unsupported } from '../../scanners/faults.ts';
import { createFormat, firstBytesOf } from '../../scanners/format.ts';
import type { PageLink } from '../../scanners/linked-pages.ts';
import { NameList, printable } from '../../scanners/name-list.ts';
import { NamespaceSink } from '../../scanners/namespaces.ts';
import { PageFile } from '../../scanners/page-file.ts';
import type { RecordSink, ScanInput } from '../../scanners/scanner.ts';
import { looksLikeTable } from '../../table/table-layout.ts';
import {
  isLmdb,
  LMDB_DATABASE_BYTES,
  type LmdbDatabase,
  readLmdbDatabase,
  readLmdbHeader,
} from './lmdb-header.ts';
import { LmdbPages } from './lmdb-pages.ts';
import {
  DUPSORT,
  LmdbTree,
  NODE_BIG,
  NODE_DATABASE,
  NODE_DUPLICATES,
  type NodeVisitor,
} from './lmdb-tree.ts';
import { WrappedValues } from './npm-lmdb.ts';

/** The meta page, which has the record of the main database. */
const META_LINK: PageLink = { page: 0, at: 0 };

/**
 * Reads LMDB data files of both data formats, version 1 (LMDB 0.9: mdb_load, Python, Go, Rust) and
 * version 2 (the npm package `lmdb`). Serves the main database, the named one of `options.bucket`,
 * or all named ones as namespaces; of duplicates (MDB_DUPSORT) the first, as mdb_get does.
 *
 * The main tree is verified whole in any case, the named one when it is read. A file with a bad
 * meta page is refused, also where the other one leads to an older state that is sound. Keys may be
 * in any order, as a program's own comparison function makes it.
 */
export const lmdbScanner = createFormat({
  format: 'lmdb',
  title: 'LMDB',
  reading: 'pages',
  has: ['buckets', 'namespaces'],
  recognise: isLmdb,
  async scan(input, options, sink) {
    const header = readLmdbHeader(input);
    if (looksLikeTable(firstBytesOf(input))) {
      // As LMDB it has a handful of large records, which nobody asks for.
      throw unknown(input, 'an LMDB file of records', 'a table of goromdb');
    }
    const file = new PageFile(input, header.pageBytes, options.onProgress);
    const pages = new LmdbPages(file, header);
    const scan = new LmdbScan(pages);
    const { bucket, namespaces, onNotice, onLocator } = options;
    onLocator?.(() => file.place);
    const wrapped = new WrappedValues(() => file.place);
    // Only the npm package lmdb writes data format 2.
    const to = header.layout.version === 2 ? wrapped.watch(sink) : sink;
    if (namespaces !== undefined) {
      const composing = new NamespaceSink(input, 'database', to, namespaces);
      scan.readNamespaces(input, header.main, composing);
    } else if (bucket === undefined) scan.readMain(input, header.main, to);
    else scan.readNamed(input, header.main, bucket, to);
    if (pages.lost.notice !== undefined) onNotice?.(pages.lost.notice);
    for (const notice of wrapped.notices()) onNotice?.(notice);
    options.onProgress?.(input.size);
  },
});

interface NamedDatabase {
  readonly db: LmdbDatabase;
  readonly from: PageLink;
}

class LmdbScan {
  readonly #pages: LmdbPages;
  readonly #tree: LmdbTree;
  /** Duplicates are trees inside the tree. */
  readonly #duplicates: LmdbTree;

  constructor(pages: LmdbPages) {
    this.#pages = pages;
    this.#tree = new LmdbTree(pages);
    this.#duplicates = new LmdbTree(pages);
  }

  readMain(input: ScanInput, main: LmdbDatabase, sink: RecordSink): void {
    const names = new NameCollector(undefined);
    const records = this.#read(main, META_LINK, sink, names);
    if (records > 0 || names.names.count === 0) return;
    const advice = 'choose one with -bucket, or serve all with -namespaces';
    throw unsupported(
      input,
      `expected records; found only named databases: ${names.names}; ${advice}`,
    );
  }

  readNamespaces(input: ScanInput, main: LmdbDatabase, sink: NamespaceSink): void {
    const databases: (NamedDatabase & { readonly name: Buffer })[] = [];
    const names = new NameCollector(undefined, (name, db, from) => {
      databases.push({ name: Buffer.from(name), db, from });
    });
    if (this.#read(main, META_LINK, NO_SINK, names) > 0) {
      const found = 'records beside them, which have no namespace';
      throw unsupported(
        input,
        `expected named databases only; found ${found}: leave out -namespaces`,
      );
    }
    if (databases.length === 0) {
      throw unsupported(input, 'expected named databases; found none: leave out -namespaces');
    }
    for (const { name, db, from } of databases) {
      sink.begin(name);
      this.#read(db, from, sink, undefined);
    }
  }

  readNamed(input: ScanInput, main: LmdbDatabase, bucket: string, sink: RecordSink): void {
    const names = new NameCollector(bucket);
    this.#read(main, META_LINK, NO_SINK, names);
    const found = names.found;
    if (found !== undefined) {
      this.#read(found.db, found.from, sink, undefined);
      return;
    }
    const others = names.names.count === 0 ? 'no named database' : `the databases ${names.names}`;
    throw unsupported(input, `expected a database named ${printable(bucket)}; found ${others}`);
  }

  /** Returns the number of records. */
  #read(
    db: LmdbDatabase,
    from: PageLink,
    sink: RecordSink,
    names: NameCollector | undefined,
  ): number {
    const visitor = new RecordVisitor(this.#pages, this.#duplicates, db, sink, names);
    this.#tree.walk(db, from, 'records', visitor);
    return visitor.records;
  }
}

/** Passes the records of one database on. */
class RecordVisitor implements NodeVisitor {
  records = 0;
  readonly #pages: LmdbPages;
  readonly #tree: LmdbTree;
  readonly #hasDuplicates: boolean;
  readonly #sink: RecordSink;
  readonly #names: NameCollector | undefined;
  readonly #first: FirstDuplicate;

  /**
   * @param tree Walks the duplicates.
   * @param names Takes the named databases; undefined: there must be none.
   */
  constructor(
    pages: LmdbPages,
    tree: LmdbTree,
    db: LmdbDatabase,
    sink: RecordSink,
    names: NameCollector | undefined,
  ) {
    this.#pages = pages;
    this.#tree = tree;
    this.#hasDuplicates = (db.flags & DUPSORT) !== 0;
    this.#sink = sink;
    this.#names = names;
    this.#first = new FirstDuplicate(pages, sink);
  }

  visit(
    leaf: Buffer,
    keyStart: number,
    valueStart: number,
    valueBytes: number,
    flags: number,
    page: number,
  ): number {
    const { file } = this.#pages;
    file.recordPage = page;
    file.recordAt = keyStart;
    if (flags === 0) {
      this.records++;
      const valueEnd = valueStart + valueBytes;
      this.#sink.add(leaf, keyStart, valueStart, leaf, valueStart, valueEnd, 0);
      return 1;
    }
    if (flags === NODE_BIG) {
      this.records++;
      const value = this.#pages.readBigValue(leaf, valueStart, valueBytes, page);
      const start = this.#pages.layout.headerBytes;
      this.#sink.add(leaf, keyStart, valueStart, value, start, start + valueBytes, 0);
      return 1;
    }
    const isDatabase = flags === NODE_DATABASE && valueBytes === LMDB_DATABASE_BYTES;
    if (isDatabase && this.#names !== undefined) {
      this.#names.add(leaf, keyStart, valueStart, page);
      return 1;
    }
    if ((flags & ~NODE_DATABASE) === NODE_DUPLICATES && this.#hasDuplicates) {
      this.records++;
      const count = this.#duplicates(leaf, keyStart, valueStart, valueBytes, flags, page);
      if (count > 1) this.#pages.lost.note(count - 1, leaf, keyStart, valueStart);
      return count;
    }
    throw this.#pages.corrupt(page, keyStart, 'a record of this kind of database', [
      `a node with flags ${flags}, ${valueBytes} bytes`,
    ]);
  }

  /** Serves the first duplicate of a key and counts all. */
  #duplicates(
    leaf: Buffer,
    keyStart: number,
    valueStart: number,
    valueBytes: number,
    flags: number,
    page: number,
  ): number {
    const first = this.#first;
    first.begin(leaf, keyStart, valueStart);
    if (flags === NODE_DUPLICATES) {
      return this.#tree.walkSubPage(leaf, valueStart, valueBytes, page, first);
    }
    if (valueBytes !== LMDB_DATABASE_BYTES) {
      throw this.#pages.corrupt(page, valueStart, 'a database record', [`${valueBytes} bytes`]);
    }
    const db = readLmdbDatabase(leaf, valueStart);
    if (db.root === undefined) {
      throw this.#pages.corrupt(page, valueStart, 'one duplicate or more', ['none']);
    }
    return this.#tree.walk(db, { page, at: valueStart }, 'duplicates', first);
  }
}

/** Takes the duplicates of one key, which are the keys of a tree of their own. */
class FirstDuplicate implements NodeVisitor {
  readonly #pages: LmdbPages;
  readonly #sink: RecordSink;
  #key: Buffer | undefined;
  #keyStart = 0;
  #keyEnd = 0;

  constructor(pages: LmdbPages, sink: RecordSink) {
    this.#pages = pages;
    this.#sink = sink;
  }

  begin(key: Buffer, keyStart: number, keyEnd: number): void {
    this.#key = key;
    this.#keyStart = keyStart;
    this.#keyEnd = keyEnd;
  }

  visit(
    leaf: Buffer,
    start: number,
    end: number,
    valueBytes: number,
    flags: number,
    page: number,
  ): number {
    if (flags !== 0 || valueBytes !== 0) {
      throw this.#pages.corrupt(page, start, 'a duplicate without flags and data', [
        `flags ${flags}, ${valueBytes} bytes`,
      ]);
    }
    if (this.#key !== undefined) {
      this.#sink.add(this.#key, this.#keyStart, this.#keyEnd, leaf, start, end, 0);
      this.#key = undefined;
    }
    return 1;
  }
}

/** Takes the name of a database without the NUL at its end, lent for the call. */
type NameListener = (name: Buffer, db: LmdbDatabase, from: PageLink) => void;

/** Remembers the names of databases, and the one that was asked for. */
class NameCollector {
  found: NamedDatabase | undefined;
  readonly names = new NameList();
  readonly #wanted: Buffer | undefined;
  readonly #onName: NameListener | undefined;
  #isExact = false;

  /** @param onName Called with every database. */
  constructor(bucket: string | undefined, onName?: NameListener) {
    this.#wanted = bucket === undefined ? undefined : Buffer.from(bucket);
    this.#onName = onName;
  }

  add(leaf: Buffer, start: number, end: number, page: number): void {
    const name = leaf.subarray(start, end);
    this.names.add(withoutNul(name));
    this.#onName?.(withoutNul(name), readLmdbDatabase(leaf, end), { page, at: end });
    if (this.#wanted === undefined || this.#isExact) return;
    // The npm package `lmdb` ends names in NUL; a name without it is the better match.
    this.#isExact = name.equals(this.#wanted);
    if (!this.#isExact && !withoutNul(name).equals(this.#wanted)) return;
    this.found = { db: readLmdbDatabase(leaf, end), from: { page, at: end } };
  }
}

const NO_SINK: RecordSink = { add: () => {} };

function withoutNul(name: Buffer): Buffer {
  return name.at(-1) === 0 ? name.subarray(0, -1) : name;
}
