import type { PageLink } from '../../scanners/linked-pages.ts';
import type { RecordSink } from '../../scanners/scanner.ts';
import { BdbDuplicates } from './bdb-duplicates.ts';
import type { BdbMeta } from './bdb-header.ts';
import {
  type BdbPages,
  PAGE_FREE_END_AT,
  PAGE_HASH,
  PAGE_HASH_UNSORTED,
  PAGE_NEXT_AT,
  PAGE_TYPE_AT,
} from './bdb-pages.ts';

/** dbinc/db_page.h: offsets in HMETA. */
const MAX_BUCKET_AT = 72;
const HIGH_MASK_AT = 76;
const LOW_MASK_AT = 80;
const CHARKEY_AT = 92;
const SPARES_AT = 96;
/** db_page.h: NCACHED. */
const SPARES = 32;
/** dbinc/hash.h: CHARKEY with its NUL; its hash identifies the hash function of a file. */
const CHARKEY = Buffer.from('%$sniglet^&\0');

/** db_page.h: item types. */
const HASH_DATA = 1;
const HASH_DUPLICATES = 2;
const HASH_OVERFLOW = 3;
const HASH_DUPLICATE_TREE = 4;
/** db_page.h: HOFFPAGE, HOFFDUP. */
const OVERFLOW_BYTES = 12;
const DUPLICATE_TREE_BYTES = 8;

/**
 * Passes the records of a hash on. Walks it bucket by bucket, as Berkeley DB looks keys up: pages
 * on the free list and those of other databases in the file are never read, and a key that is not
 * in the bucket of its hash, so that no program finds it, shows damage. The order of keys on a page
 * and their being there once are not checked: Berkeley DB 5.3 at times leaves a key on a page twice,
 * with DB->get giving either; here the later one wins.
 */
export function readHash(pages: BdbPages, meta: BdbMeta, sink: RecordSink): void {
  new HashRecords(pages, meta, sink).read();
}

class HashRecords {
  readonly #pages: BdbPages;
  readonly #meta: BdbMeta;
  readonly #sink: RecordSink;
  readonly #duplicates: BdbDuplicates;
  readonly #bytes: Buffer;
  readonly #maxBucket: number;
  readonly #highMask: number;
  readonly #lowMask: number;
  /** False: the application has a hash function of its own. */
  readonly #isKnownHash: boolean;
  #bucket = 0;
  #key: Buffer = Buffer.alloc(0);
  #keyStart = 0;
  #keyEnd = 0;

  constructor(pages: BdbPages, meta: BdbMeta, sink: RecordSink) {
    this.#pages = pages;
    this.#meta = meta;
    this.#sink = sink;
    this.#duplicates = new BdbDuplicates(pages, sink);
    this.#bytes = Buffer.alloc(pages.pageBytes);
    this.#maxBucket = pages.u32(meta.bytes, MAX_BUCKET_AT);
    this.#highMask = pages.u32(meta.bytes, HIGH_MASK_AT);
    this.#lowMask = pages.u32(meta.bytes, LOW_MASK_AT);
    const charkey = pages.u32(meta.bytes, CHARKEY_AT);
    this.#isKnownHash = charkey === hashKey(CHARKEY, 0, CHARKEY.length);
  }

  read(): void {
    this.#checkMasks();
    for (this.#bucket = 0; this.#bucket <= this.#maxBucket; this.#bucket++) this.#readBucket();
  }

  /** Every hash must lead to a bucket. */
  #checkMasks(): void {
    const [max, high, low] = [this.#maxBucket, this.#highMask, this.#lowMask];
    const isMask = (high & (high + 1)) === 0 && high < 2 ** (SPARES - 1) && low === high >>> 1;
    if (isMask && high >= max && low <= max) return;
    throw this.#pages.corrupt(this.#meta.page, MAX_BUCKET_AT, 'masks for its buckets', [
      `last bucket ${max}, masks ${high} and ${low}`,
    ]);
  }

  #readBucket(): void {
    const pages = this.#pages;
    // hash.h: BS_TO_PAGE; each doubling of the table has its own run of pages.
    const spareAt = SPARES_AT + 4 * (32 - Math.clz32(this.#bucket));
    let page = this.#bucket + pages.u32(this.#meta.bytes, spareAt);
    let from: PageLink = { page: this.#meta.page, at: spareAt };
    let previous = 0;
    do {
      const type =
        previous === 0
          ? pages.fetchBucket(page, from, this.#bytes)
          : pages.fetch(page, from, this.#bytes);
      if (type === undefined) return;
      if (type !== PAGE_HASH && type !== PAGE_HASH_UNSORTED) {
        throw pages.corrupt(page, PAGE_TYPE_AT, 'a hash page', [`type ${type}`]);
      }
      pages.checkPrevious(this.#bytes, page, previous);
      this.#readPage(page);
      previous = page;
      from = { page, at: PAGE_NEXT_AT };
      page = pages.u32(this.#bytes, PAGE_NEXT_AT);
    } while (page !== 0);
  }

  #readPage(page: number): void {
    const pages = this.#pages;
    const bytes = this.#bytes;
    const count = pages.countPairs(bytes, page);
    // db_page.h, LEN_HITEM: an item reaches to where the one before it begins.
    let end = bytes.length;
    pages.file.recordPage = page;
    for (let i = 0; i < count; i += 2) {
      const keyAt = this.#itemAt(i, end, page);
      pages.file.recordAt = keyAt;
      this.#takeKey(keyAt, end, page);
      const at = this.#itemAt(i + 1, keyAt, page);
      this.#take(at, keyAt, page);
      end = at;
    }
    if (end === pages.itemsStart(bytes)) return;
    throw pages.corrupt(page, PAGE_FREE_END_AT, `items from ${end} on`, [pages.itemsStart(bytes)]);
  }

  #itemAt(i: number, end: number, page: number): number {
    const slot = this.#pages.headerBytes + 2 * i;
    const at = this.#pages.u16(this.#bytes, slot);
    const start = this.#pages.itemsStart(this.#bytes);
    if (at >= start && at < end) return at;
    throw this.#pages.corrupt(page, slot, `an offset in [${start}, ${end})`, [at]);
  }

  #takeKey(at: number, end: number, page: number): void {
    const pages = this.#pages;
    const type = this.#bytes[at];
    if (type === HASH_DATA) {
      this.#key = this.#bytes;
      this.#keyStart = at + 1;
      this.#keyEnd = end;
    } else if (type === HASH_OVERFLOW) {
      this.#checkSize(at, end, OVERFLOW_BYTES, page);
      const length = pages.u32(this.#bytes, at + 8);
      this.#key = pages.readKey(pages.u32(this.#bytes, at + 4), length, { page, at: at + 4 });
      this.#keyStart = 0;
      this.#keyEnd = length;
    } else {
      throw pages.corrupt(page, at, 'a key of type 1 or 3', [type]);
    }
    if (!this.#isKnownHash) return;
    const hash = hashKey(this.#key, this.#keyStart, this.#keyEnd);
    const high = (hash & this.#highMask) >>> 0;
    const bucket = high > this.#maxBucket ? hash & this.#lowMask : high;
    if (bucket === this.#bucket) return;
    throw pages.corrupt(page, at, `a key of bucket ${this.#bucket}`, [`one of bucket ${bucket}`]);
  }

  #take(at: number, end: number, page: number): void {
    const pages = this.#pages;
    const bytes = this.#bytes;
    const type = bytes[at];
    if (type === HASH_DATA) {
      this.#add(bytes, at + 1, end);
      return;
    }
    const link = { page, at: at + 4 };
    if (type === HASH_OVERFLOW) {
      this.#checkSize(at, end, OVERFLOW_BYTES, page);
      const length = pages.u32(bytes, at + 8);
      this.#add(pages.readValue(pages.u32(bytes, at + 4), length, link), 0, length);
      return;
    }
    if ((type !== HASH_DUPLICATES && type !== HASH_DUPLICATE_TREE) || !this.#meta.duplicates) {
      const known = this.#meta.duplicates ? '1, 2, 3 or 4' : '1 or 3';
      throw pages.corrupt(page, at, `data of type ${known}`, [type]);
    }
    if (type === HASH_DUPLICATES) {
      this.#takeDuplicates(at, end, page);
      return;
    }
    this.#checkSize(at, end, DUPLICATE_TREE_BYTES, page);
    const root = pages.u32(bytes, at + 4);
    const values = this.#duplicates.addFirst(this.#key, this.#keyStart, this.#keyEnd, root, link);
    this.#noteLost(values - 1);
  }

  /** db_page.h: each duplicate is between two copies of its length. */
  #takeDuplicates(at: number, end: number, page: number): void {
    const pages = this.#pages;
    const bytes = this.#bytes;
    const first = at + 1;
    let next = first;
    let values = 0;
    while (next < end || next === first) {
      const length = next + 4 <= end ? pages.u16(bytes, next) : end;
      const tail = next + 2 + length;
      if (tail + 2 > end || pages.u16(bytes, tail) !== length) {
        throw pages.corrupt(page, next, `duplicates that end at ${end}`, [
          `one with length ${length}`,
        ]);
      }
      if (next === first) this.#add(bytes, next + 2, tail);
      next = tail + 2;
      values++;
    }
    this.#noteLost(values - 1);
  }

  #noteLost(values: number): void {
    if (values > 0) this.#pages.lost.note(values, this.#key, this.#keyStart, this.#keyEnd);
  }

  #checkSize(at: number, end: number, size: number, page: number): void {
    if (end - at === size) return;
    throw this.#pages.corrupt(page, at, `an item of ${size} bytes`, [end - at]);
  }

  #add(value: Buffer, start: number, end: number): void {
    this.#sink.add(this.#key, this.#keyStart, this.#keyEnd, value, start, end, 0);
  }
}

/** hash/hash_func.c: __ham_func5, the default since version 5 of the hash format. */
function hashKey(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let at = start; at < end; at++) hash = Math.imul(hash, 16_777_619) ^ bytes[at];
  return hash >>> 0;
}
