import type { PageLink } from '../../scanners/linked-pages.ts';
import {
  type BdbPages,
  PAGE_BTREE_INTERNAL,
  PAGE_BTREE_LEAF,
  PAGE_DUPLICATE_LEAF,
  PAGE_ENTRIES_AT,
  PAGE_LEVEL_AT,
  PAGE_NEXT_AT,
  PAGE_RECNO_INTERNAL,
  PAGE_RECNO_LEAF,
  PAGE_TYPE_AT,
} from './bdb-pages.ts';

/** dbinc/db_page.h: item types, and the bit that says that an item is deleted. */
export const ITEM_DATA = 1;
export const ITEM_DUPLICATES = 2;
export const ITEM_OVERFLOW = 3;
export const ITEM_DELETED = 0x80;

/** db_page.h: BKEYDATA.data, and the size of BOVERFLOW and RINTERNAL. */
export const ITEM_DATA_AT = 3;
const OVERFLOW_BYTES = 12;
const RECNO_ENTRY_BYTES = 8;
/** db_page.h: BINTERNAL.data. */
const SEPARATOR_AT = 12;
/** db_page.h: LEAFLEVEL. */
const LEAF_LEVEL = 1;

/** The types of pages that belong together in one tree. */
export interface TreeKind {
  readonly internal: number;
  readonly leaf: number;
}

/** A tree of records. */
export const RECORD_TREE: TreeKind = { internal: PAGE_BTREE_INTERNAL, leaf: PAGE_BTREE_LEAF };
/** Trees of the duplicates of a key, sorted or in the order of their writing. */
export const DUPLICATE_TREES: readonly TreeKind[] = [
  { internal: PAGE_BTREE_INTERNAL, leaf: PAGE_DUPLICATE_LEAF },
  { internal: PAGE_RECNO_INTERNAL, leaf: PAGE_RECNO_LEAF },
];

/** Takes the leaves of a tree, in order. */
export interface TreeVisitor {
  /** @param bytes The leaf page. Lent for the call only. */
  leaf(bytes: Buffer, page: number): void;
}

/**
 * Walks one tree after the other, page by page from the root, and verifies: type and level of every
 * page, the entries of internal pages, and that each leaf names its neighbours, so that no leaf was
 * left out. Pages are copied out of the file one per level, so a visitor may read others meanwhile.
 */
export class BdbTree {
  readonly #pages: BdbPages;
  /** One page per level, the root first. */
  readonly #buffers: Buffer[] = [];
  readonly #room: ItemRoom;
  #kind: TreeKind = RECORD_TREE;
  #visitor: TreeVisitor | undefined;
  /** The leaf that was visited last, 0 at the start, and what it says comes next. */
  #leaf = 0;
  #nextLeaf = 0;

  constructor(pages: BdbPages) {
    this.#pages = pages;
    this.#room = new ItemRoom(pages);
  }

  /**
   * @param from Where the number of the root is, for messages.
   * @param kinds What the root may be.
   */
  walk(root: number, from: PageLink, kinds: readonly TreeKind[], visitor: TreeVisitor): void {
    this.#visitor = visitor;
    this.#leaf = 0;
    const bytes = this.#buffer(0);
    const type = this.#pages.fetch(root, from, bytes);
    const level = bytes[PAGE_LEVEL_AT];
    const kind = kinds.find((kind) => type === (level === LEAF_LEVEL ? kind.leaf : kind.internal));
    if (kind === undefined || level < LEAF_LEVEL) {
      throw this.#pages.corrupt(root, PAGE_LEVEL_AT, 'the root of a tree', [
        `level ${level}, type ${type}`,
      ]);
    }
    this.#kind = kind;
    this.#visit(bytes, root, level, 0);
    if (this.#nextLeaf === 0) return;
    throw this.#pages.corrupt(this.#leaf, PAGE_NEXT_AT, 'no leaf after the last one', [
      `page ${this.#nextLeaf}`,
    ]);
  }

  #child(number: number, from: PageLink, level: number, depth: number): void {
    const bytes = this.#buffer(depth);
    const type = this.#pages.fetch(number, from, bytes);
    const expected = level === LEAF_LEVEL ? this.#kind.leaf : this.#kind.internal;
    if (type !== expected) {
      throw this.#pages.corrupt(number, PAGE_TYPE_AT, `page type ${expected}`, [`type ${type}`]);
    }
    if (bytes[PAGE_LEVEL_AT] !== level) {
      throw this.#pages.corrupt(number, PAGE_LEVEL_AT, `level ${level}`, [bytes[PAGE_LEVEL_AT]]);
    }
    this.#visit(bytes, number, level, depth);
  }

  #visit(bytes: Buffer, number: number, level: number, depth: number): void {
    if (level > LEAF_LEVEL) {
      this.#internal(bytes, number, level, depth);
      return;
    }
    if (this.#leaf !== 0 && this.#nextLeaf !== number) {
      throw this.#pages.corrupt(this.#leaf, PAGE_NEXT_AT, `leaf ${number} after it`, [
        `page ${this.#nextLeaf}`,
      ]);
    }
    this.#pages.checkPrevious(bytes, number, this.#leaf);
    this.#leaf = number;
    this.#nextLeaf = this.#pages.u32(bytes, PAGE_NEXT_AT);
    this.#visitor!.leaf(bytes, number);
  }

  #internal(bytes: Buffer, number: number, level: number, depth: number): void {
    const pages = this.#pages;
    const isRecno = this.#kind.internal === PAGE_RECNO_INTERNAL;
    const count = this.#checkEntries(bytes, number, isRecno);
    for (let i = 0; i < count; i++) {
      const at = pages.u16(bytes, pages.headerBytes + 2 * i);
      const linkAt = isRecno ? at : at + 4;
      this.#child(pages.u32(bytes, linkAt), { page: number, at: linkAt }, level - 1, depth + 1);
    }
  }

  /** Returns the number of entries. */
  #checkEntries(bytes: Buffer, number: number, isRecno: boolean): number {
    const pages = this.#pages;
    const count = pages.countItems(bytes, number);
    if (count === 0) throw pages.corrupt(number, PAGE_ENTRIES_AT, '1 or more entries', [count]);
    this.#room.begin(bytes, number);
    for (let i = 0; i < count; i++) {
      const at = this.#room.itemAt(i, isRecno ? RECNO_ENTRY_BYTES : SEPARATOR_AT);
      if (isRecno) {
        this.#room.take(i, at, RECNO_ENTRY_BYTES);
        continue;
      }
      this.#room.take(i, at, align4(SEPARATOR_AT + pages.u16(bytes, at)));
      const type = bytes[at + 2];
      if (type !== ITEM_DATA && type !== ITEM_OVERFLOW) {
        throw pages.corrupt(number, at + 2, 'an entry of type 1 or 3', [type]);
      }
    }
    this.#room.finish();
    return count;
  }

  #buffer(depth: number): Buffer {
    this.#buffers[depth] ??= Buffer.alloc(this.#pages.pageBytes);
    return this.#buffers[depth];
  }
}

/**
 * Checks the items of a page as they are taken: they fill the room behind the free space without
 * gaps, and none lies on another, so that no byte of a page is used twice.
 */
export class ItemRoom {
  readonly #pages: BdbPages;
  /** Size of the item at each offset, both in units of 4 bytes. */
  readonly #sizes: Uint16Array;
  #bytes: Buffer = Buffer.alloc(0);
  #page = 0;
  #start = 0;
  #taken = 0;

  constructor(pages: BdbPages) {
    this.#pages = pages;
    this.#sizes = new Uint16Array(pages.pageBytes / 4);
  }

  begin(bytes: Buffer, page: number): void {
    this.#bytes = bytes;
    this.#page = page;
    this.#start = this.#pages.itemsStart(bytes);
    this.#taken = 0;
  }

  /** Where item i begins; its first `least` bytes are inside the page. */
  itemAt(i: number, least: number): number {
    const slot = this.#pages.headerBytes + 2 * i;
    const at = this.#pages.u16(this.#bytes, slot);
    const last = this.#bytes.length - least;
    // btree/bt_put.c: items have sizes that are multiples of 4 and are laid from the page's end.
    if (at >= this.#start && at <= last && (at & 3) === 0) return at;
    throw this.#pages.corrupt(this.#page, slot, `an aligned offset in [${this.#start}, ${last}]`, [
      at,
    ]);
  }

  /** Takes the room of item i of a leaf, and returns its type without the deleted bit. */
  takeItem(i: number, at: number): number {
    const type = this.#bytes[at + 2] & ~ITEM_DELETED;
    if (type === ITEM_DATA) {
      this.take(i, at, align4(ITEM_DATA_AT + this.#pages.u16(this.#bytes, at)));
    } else {
      this.take(i, at, OVERFLOW_BYTES);
    }
    return type;
  }

  take(i: number, at: number, size: number): void {
    if (at + size > this.#bytes.length) {
      const slot = this.#pages.headerBytes + 2 * i;
      throw this.#pages.corrupt(this.#page, slot, `an item that ends by ${this.#bytes.length}`, [
        `one of ${size} bytes at ${at}`,
      ]);
    }
    this.#sizes[at >> 2] = size >> 2;
    this.#taken++;
  }

  /** Walks over the items in the order of their places. */
  finish(): void {
    let at = this.#start;
    let found = 0;
    while (at < this.#bytes.length && this.#sizes[at >> 2] !== 0) {
      const size = this.#sizes[at >> 2] << 2;
      this.#sizes[at >> 2] = 0;
      at += size;
      found++;
    }
    if (at === this.#bytes.length && found === this.#taken) return;
    throw this.#pages.corrupt(this.#page, at, 'items side by side, without gap or overlap', [
      `${found} of ${this.#taken} items up to here`,
    ]);
  }
}

function align4(size: number): number {
  return (size + 3) & ~3;
}
