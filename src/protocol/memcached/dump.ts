import type { View } from '../../handler/handler.ts';
import { recordBytes } from '../../storage/record.ts';
import type { Entry, RecordVisitor } from '../../storage/storage.ts';
import type { Reply } from '../reply.ts';

/** Records that the storage is asked for at once. It shows fewer when the reply is full before. */
const RECORDS_AT_ONCE = 16;

/** What it costs to ask for them, in units of work (see reply.ts). */
const SCAN_WORK = 4;

/** Bytes of a key that cost as much as a line, a unit. */
const KEY_BYTES_A_UNIT = 128;

/** Bytes of a key that are escaped at a time. */
const ESCAPED_BYTES = 1024;

/** memcached has this many slab classes; ours are all in the first. */
const CLASS_MAX = 63;
const OUR_CLASS = 1;

const HEX = Buffer.from('0123456789ABCDEF');
const PERCENT = 0x25;
const SPACE = 0x20;
const DELETE = 0x7f;

/** The bytes that need no escape in a URI (RFC 3986, section 2.3). */
const UNRESERVED = new Uint8Array(256);
for (const char of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~') {
  UNRESERVED[char.charCodeAt(0)] = 1;
}

/** How a dump is written. */
interface DumpForm {
  readonly head: string;
  readonly tail: string;
  append(reply: Reply, key: Buffer, start: number, end: number, entry: Entry, la: number): void;
}

/**
 * `lru_crawler metadump` (memcached's protocol.txt, "LRU_Crawler"), in which lines end in a bare
 * line feed.
 */
const META: DumpForm = {
  head: '',
  tail: 'END\r\n',
  append(reply, key, start, end, entry, la) {
    const size = recordBytes(end - start, entry.valueEnd - entry.valueStart, entry.flags);
    reply.text('key=');
    appendEscaped(reply, key, start, end);
    reply.text(` exp=-1 la=${la} cas=${entry.cas} fetch=no cls=${OUR_CLASS} size=${size}\n`);
  },
};

/** `lru_crawler mgdump`: each line is a command that gets the key. */
const COMMANDS: DumpForm = {
  head: 'OK\r\n',
  tail: 'EN\r\n',
  append(reply, key, start, end) {
    reply.text('mg ');
    if (isPlain(key, start, end)) {
      reply.copy(key, start, end);
      reply.text('\r\n');
    } else {
      reply.text(`${key.toString('base64', start, end)} b\r\n`);
    }
  },
};

/** A list of all keys under way: as much of it at a time as a reply takes. */
export class Dump {
  readonly #view: View;
  readonly #form: DumpForm;
  readonly #lastAccess: number;
  #reply: Reply | undefined;
  #cursor = 0;
  #isOpen = true;

  /** @param view Is let go of when the dump is done or closed. */
  private constructor(view: View, form: DumpForm) {
    this.#view = view;
    this.#form = form;
    this.#lastAccess = Math.floor(view.info.loadedAt / 1000);
  }

  /**
   * Begins `lru_crawler metadump` or `mgdump`.
   *
   * @param classes `all`, `hash`, or numbers with commas between them.
   * @param openView Gives the view to list.
   * @returns The dump, to go on with; or the whole answer when there is nothing to list.
   */
  static begin(
    kind: 'metadump' | 'mgdump',
    classes: string,
    openView: () => View,
    reply: Reply,
  ): Dump | string {
    const form = kind === 'metadump' ? META : COMMANDS;
    const hasOurs = includesOurClass(classes);
    if (hasOurs === undefined) return 'BADCLASS invalid class id\r\n';
    if (!hasOurs) return form.head + form.tail;
    const view = openView();
    if (view.scan === undefined) {
      view.release();
      return `CLIENT_ERROR lru_crawler ${kind} not allowed: this storage cannot list its keys\r\n`;
    }
    reply.text(form.head);
    return new Dump(view, form);
  }

  /** Appends lines until the reply is full. @returns Whether all of the dump is written. */
  goOn(reply: Reply): boolean {
    this.#reply = reply;
    do {
      // A key that came again in the file is passed over without being shown.
      reply.charge(SCAN_WORK);
      this.#cursor = this.#view.scan!(this.#cursor, RECORDS_AT_ONCE, this.#append);
      if (this.#cursor === 0) {
        reply.text(this.#form.tail);
        this.close();
        return true;
      }
    } while (!reply.isFull);
    return false;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#view.release();
  }

  readonly #append: RecordVisitor = (key, start, end, entry) => {
    const reply = this.#reply!;
    reply.charge(1 + (end - start) / KEY_BYTES_A_UNIT);
    this.#form.append(reply, key, start, end, entry, this.#lastAccess);
    return !reply.isFull;
  };
}

/** @returns undefined when one of the classes does not exist. */
function includesOurClass(classes: string): boolean | undefined {
  if (classes === 'all' || classes === 'hash') return true;
  const numbers = classes
    .split(',')
    .filter((text) => text !== '')
    .map((text) => (/^\d+$/.test(text) ? Number(text) : 0));
  if (numbers.some((number) => number < 1 || number > CLASS_MAX)) return undefined;
  return numbers.includes(OUR_CLASS);
}

/** Where a part of a key is escaped. All dumps share it: it is valid within one call. */
const escaped = Buffer.alloc(3 * ESCAPED_BYTES);

function appendEscaped(reply: Reply, key: Buffer, start: number, end: number): void {
  for (let from = start; from < end; from += ESCAPED_BYTES) {
    const to = Math.min(end, from + ESCAPED_BYTES);
    let length = 0;
    for (let i = from; i < to; i++) {
      const byte = key[i];
      if (UNRESERVED[byte] === 1) {
        escaped[length++] = byte;
      } else {
        escaped[length++] = PERCENT;
        escaped[length++] = HEX[byte >> 4];
        escaped[length++] = HEX[byte & 15];
      }
    }
    reply.copy(escaped, 0, length);
  }
}

/** Whether a command can name a key as it is: a space or a line's end would cut it. */
function isPlain(key: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if (key[i] <= SPACE || key[i] === DELETE) return false;
  }
  return start < end;
}
