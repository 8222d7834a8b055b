import type { PageLink } from '../../scanners/linked-pages.ts';
import type { RecordSink } from '../../scanners/scanner.ts';
import type { BdbPages } from './bdb-pages.ts';
import {
  BdbTree,
  DUPLICATE_TREES,
  ITEM_DATA,
  ITEM_DATA_AT,
  ITEM_DELETED,
  ITEM_OVERFLOW,
  ItemRoom,
  type TreeVisitor,
} from './bdb-tree.ts';

/**
 * Reads the duplicates of a key that have a tree of their own, verifies the whole tree and passes
 * the first on. Their order is the application's (DB->set_dup_compare), and is not checked.
 */
export class BdbDuplicates implements TreeVisitor {
  readonly #pages: BdbPages;
  readonly #tree: BdbTree;
  readonly #sink: RecordSink;
  readonly #room: ItemRoom;
  #key: Buffer = Buffer.alloc(0);
  #keyStart = 0;
  #keyEnd = 0;
  #count = 0;

  constructor(pages: BdbPages, sink: RecordSink) {
    this.#pages = pages;
    this.#tree = new BdbTree(pages);
    this.#sink = sink;
    this.#room = new ItemRoom(pages);
  }

  /**
   * @param root First page of the duplicates.
   * @returns how many the key has: all may be deleted.
   */
  addFirst(key: Buffer, keyStart: number, keyEnd: number, root: number, from: PageLink): number {
    this.#key = key;
    this.#keyStart = keyStart;
    this.#keyEnd = keyEnd;
    this.#count = 0;
    this.#tree.walk(root, from, DUPLICATE_TREES, this);
    return this.#count;
  }

  leaf(bytes: Buffer, page: number): void {
    const count = this.#pages.countItems(bytes, page);
    const room = this.#room;
    room.begin(bytes, page);
    for (let i = 0; i < count; i++) {
      const at = room.itemAt(i, ITEM_DATA_AT + 1);
      const type = room.takeItem(i, at);
      if (type !== ITEM_DATA && type !== ITEM_OVERFLOW) {
        throw this.#pages.corrupt(page, at + 2, 'a duplicate of type 1 or 3', [type]);
      }
      if ((bytes[at + 2] & ITEM_DELETED) !== 0) continue;
      if (this.#count === 0) this.#add(bytes, at, type, page);
      this.#count++;
    }
    room.finish();
  }

  #add(bytes: Buffer, at: number, type: number, page: number): void {
    const key = this.#key;
    if (type === ITEM_DATA) {
      const start = at + ITEM_DATA_AT;
      const end = start + this.#pages.u16(bytes, at);
      this.#sink.add(key, this.#keyStart, this.#keyEnd, bytes, start, end, 0);
      return;
    }
    const length = this.#pages.u32(bytes, at + 8);
    const first = this.#pages.u32(bytes, at + 4);
    const value = this.#pages.readValue(first, length, { page, at: at + 4 });
    this.#sink.add(key, this.#keyStart, this.#keyEnd, value, 0, length, 0);
  }
}
