import { equalBytes } from '../../scanners/bytes.ts';
import type { RecordSink } from '../../scanners/scanner.ts';
import { BdbDuplicates } from './bdb-duplicates.ts';
import type { BdbMeta } from './bdb-header.ts';
import type { BdbPages } from './bdb-pages.ts';
import {
  BdbTree,
  ITEM_DATA,
  ITEM_DATA_AT,
  ITEM_DELETED,
  ITEM_DUPLICATES,
  ITEM_OVERFLOW,
  ItemRoom,
  RECORD_TREE,
  type TreeVisitor,
} from './bdb-tree.ts';

/** dbinc/db_page.h: BTMETA.root. */
const META_ROOT_AT = 88;

/**
 * Passes the records of a btree on, of several with one key the first that is not deleted. The order of
 * keys is not checked: a program may have a comparison function of its own (DB->set_bt_compare), of
 * which the file says nothing. Each key is found by its bytes here, in any order.
 */
export function readBtree(pages: BdbPages, meta: BdbMeta, sink: RecordSink): void {
  const root = pages.u32(meta.bytes, META_ROOT_AT);
  const from = { page: meta.page, at: META_ROOT_AT };
  const records = new BtreeRecords(pages, meta.duplicates, sink);
  new BdbTree(pages).walk(root, from, [RECORD_TREE], records);
  records.end();
}

class BtreeRecords implements TreeVisitor {
  readonly #pages: BdbPages;
  readonly #allowDuplicates: boolean;
  readonly #sink: RecordSink;
  readonly #room: ItemRoom;
  readonly #duplicates: BdbDuplicates;
  /** Whether the key at hand has a value that is not deleted. */
  #isServed = false;
  /** Values of the key at hand beside the one that is served. */
  #lost = 0;
  /** The key at hand, or the last one of the leaf before. */
  #key: Buffer = Buffer.alloc(0);
  #keyStart = 0;
  #keyEnd = -1;
  /** Keeps the key when its page goes. */
  readonly #kept: Buffer;

  constructor(pages: BdbPages, allowDuplicates: boolean, sink: RecordSink) {
    this.#pages = pages;
    this.#allowDuplicates = allowDuplicates;
    this.#sink = sink;
    this.#room = new ItemRoom(pages);
    this.#duplicates = new BdbDuplicates(pages, sink);
    this.#kept = Buffer.alloc(pages.pageBytes);
  }

  leaf(bytes: Buffer, page: number): void {
    const count = this.#pages.countPairs(bytes, page);
    const room = this.#room;
    room.begin(bytes, page);
    let lastKeyAt = -1;
    for (let i = 0; i < count; i += 2) {
      const keyAt = room.itemAt(i, ITEM_DATA_AT + 1);
      // Duplicates on one page share the item of their key.
      if (keyAt !== lastKeyAt) this.#takeKey(bytes, room, i, keyAt, page);
      else this.#checkAgain(page, keyAt);
      lastKeyAt = keyAt;
      const at = room.itemAt(i + 1, ITEM_DATA_AT + 1);
      const type = room.takeItem(i + 1, at);
      if ((bytes[at + 2] & ITEM_DELETED) === 0) this.#take(bytes, at, type, page);
    }
    room.finish();
    this.#keepKey(bytes);
  }

  /** No leaf follows. */
  end(): void {
    if (this.#lost > 0) {
      this.#pages.lost.note(this.#lost, this.#key, this.#keyStart, this.#keyEnd);
    }
    this.#lost = 0;
  }

  #takeKey(bytes: Buffer, room: ItemRoom, i: number, at: number, page: number): void {
    const type = room.takeItem(i, at);
    if (bytes[at + 2] !== type || (type !== ITEM_DATA && type !== ITEM_OVERFLOW)) {
      throw this.#pages.corrupt(page, at + 2, 'a key of type 1 or 3', [bytes[at + 2]]);
    }
    let key = bytes;
    let start = at + ITEM_DATA_AT;
    let end = start + this.#pages.u16(bytes, at);
    if (type === ITEM_OVERFLOW) {
      const length = this.#pages.u32(bytes, at + 8);
      const first = this.#pages.u32(bytes, at + 4);
      key = this.#pages.readKey(first, length, { page, at: at + 4 });
      start = 0;
      end = length;
    }
    if (equalBytes(this.#key, this.#keyStart, this.#keyEnd, key, start, end)) {
      this.#checkAgain(page, at);
    } else {
      this.end();
      this.#isServed = false;
    }
    this.#key = key;
    this.#keyStart = start;
    this.#keyEnd = end;
  }

  /** A key may come again when duplicates are allowed, or when what came before is deleted. */
  #checkAgain(page: number, at: number): void {
    if (this.#allowDuplicates || !this.#isServed) return;
    throw this.#pages.corrupt(page, at, 'each key once', ['one a second time']);
  }

  #take(bytes: Buffer, at: number, type: number, page: number): void {
    const pages = this.#pages;
    if (type !== ITEM_DATA && type !== ITEM_OVERFLOW && type !== ITEM_DUPLICATES) {
      throw pages.corrupt(page, at + 2, 'data of type 1, 2 or 3', [type]);
    }
    if (type === ITEM_DUPLICATES && !this.#allowDuplicates) {
      throw pages.corrupt(page, at + 2, 'no duplicates, by the flags', ['type 2']);
    }
    if (this.#isServed) {
      this.#lost++;
      return;
    }
    const { file } = pages;
    file.recordPage = page;
    file.recordAt = at;
    if (type === ITEM_DATA) {
      const start = at + ITEM_DATA_AT;
      this.#add(bytes, start, start + pages.u16(bytes, at));
      return;
    }
    const link = { page, at: at + 4 };
    const first = pages.u32(bytes, at + 4);
    if (type === ITEM_OVERFLOW) {
      const length = pages.u32(bytes, at + 8);
      this.#add(pages.readValue(first, length, link), 0, length);
      return;
    }
    const count = this.#duplicates.addFirst(this.#key, this.#keyStart, this.#keyEnd, first, link);
    this.#isServed = count > 0;
    this.#lost += Math.max(0, count - 1);
  }

  #add(value: Buffer, start: number, end: number): void {
    this.#isServed = true;
    this.#sink.add(this.#key, this.#keyStart, this.#keyEnd, value, start, end, 0);
  }

  /** A key on overflow pages stays where it is until after the next such key. */
  #keepKey(page: Buffer): void {
    if (this.#key !== page) return;
    page.copy(this.#kept, 0, this.#keyStart, this.#keyEnd);
    this.#key = this.#kept;
    this.#keyEnd -= this.#keyStart;
    this.#keyStart = 0;
  }
}
