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
import { compareBytes } from './bytes.ts';
import type { RecordSink } from './scanner.ts';

/** dbinc/db_page.h: BTMETA.root. */
const META_ROOT_AT = 88;

/**
 * Passes the records of a btree on, of several with one key the first that is not deleted. Keys
 * must ascend as bytes do: a file with an order of its own (DB->set_bt_compare) is refused, as
 * nothing in it tells that from damage.
 */
export function readBtree(pages: BdbPages, meta: BdbMeta, sink: RecordSink): void {
  const root = pages.u32(meta.bytes, META_ROOT_AT);
  const from = { page: meta.page, at: META_ROOT_AT };
  const records = new BtreeRecords(pages, meta.duplicates, sink);
  new BdbTree(pages).walk(root, from, [RECORD_TREE], records);
}

class BtreeRecords implements TreeVisitor {
  readonly #pages: BdbPages;
  readonly #allowDuplicates: boolean;
  readonly #sink: RecordSink;
  readonly #room: ItemRoom;
  readonly #duplicates: BdbDuplicates;
  /** What the next key must not be below: the key before it, or a separator. */
  #floor: Buffer = Buffer.alloc(0);
  #floorStart = 0;
  #floorEnd = -1;
  /** Whether the floor is a key, not a separator: an equal key is the same record again. */
  #floorIsKey = false;
  /** Whether the key before had a value that is not deleted. */
  #isServed = false;
  /** Keeps the floor when its page goes. */
  readonly #kept: Buffer;
  #key: Buffer = Buffer.alloc(0);
  #keyStart = 0;
  #keyEnd = 0;

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
    this.#keepFloor(bytes);
  }

  separator(bytes: Buffer, start: number, end: number, page: number): void {
    if (this.#floorEnd >= 0) {
      const order = this.#compareFloor(bytes, start, end);
      const isRepeated = order === 0 && this.#floorIsKey;
      if (order > 0 || (isRepeated && !this.#allowDuplicates)) throw this.#disorder(page, start);
      if (isRepeated) return;
    }
    this.#floor = this.#kept;
    bytes.copy(this.#kept, 0, start, end);
    this.#floorStart = 0;
    this.#floorEnd = end - start;
    this.#floorIsKey = false;
  }

  #takeKey(bytes: Buffer, room: ItemRoom, i: number, at: number, page: number): void {
    const type = room.takeItem(i, at);
    if (bytes[at + 2] !== type || (type !== ITEM_DATA && type !== ITEM_OVERFLOW)) {
      throw this.#pages.corrupt(page, at + 2, 'a key of type 1 or 3', [bytes[at + 2]]);
    }
    if (type === ITEM_DATA) {
      this.#key = bytes;
      this.#keyStart = at + ITEM_DATA_AT;
      this.#keyEnd = this.#keyStart + this.#pages.u16(bytes, at);
    } else {
      const length = this.#pages.u32(bytes, at + 8);
      const first = this.#pages.u32(bytes, at + 4);
      this.#key = this.#pages.readKey(first, length, { page, at: at + 4 });
      this.#keyStart = 0;
      this.#keyEnd = length;
    }
    const order =
      this.#floorEnd < 0 ? -1 : this.#compareFloor(this.#key, this.#keyStart, this.#keyEnd);
    if (order > 0) throw this.#disorder(page, at);
    if (order === 0 && this.#floorIsKey) this.#checkAgain(page, at);
    else this.#isServed = false;
    this.#floor = this.#key;
    this.#floorStart = this.#keyStart;
    this.#floorEnd = this.#keyEnd;
    this.#floorIsKey = true;
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
    if (this.#isServed) return;
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
    this.#isServed = this.#duplicates.addFirst(
      this.#key,
      this.#keyStart,
      this.#keyEnd,
      first,
      link,
    );
  }

  #add(value: Buffer, start: number, end: number): void {
    this.#isServed = true;
    this.#sink.add(this.#key, this.#keyStart, this.#keyEnd, value, start, end, 0);
  }

  /** A key on overflow pages stays where it is until after the next such key. */
  #keepFloor(page: Buffer): void {
    if (this.#floor !== page) return;
    page.copy(this.#kept, 0, this.#floorStart, this.#floorEnd);
    this.#floor = this.#kept;
    this.#floorEnd -= this.#floorStart;
    this.#floorStart = 0;
  }

  #compareFloor(key: Buffer, start: number, end: number): number {
    return compareBytes(this.#floor, this.#floorStart, this.#floorEnd, key, start, end);
  }

  #disorder(page: number, at: number): Error {
    return this.#pages.corrupt(page, at, 'keys in ascending order of their bytes', [
      'one out of order',
    ]);
  }
}
