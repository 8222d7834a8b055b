import { copyBytes } from '../../storage/record.ts';
import type { RecordVisitor } from '../../storage/storage.ts';
import { type Reply, STEP_WORK_MAX, TURN_WORK_MAX } from '../reply.ts';
import {
  type Call,
  type Command,
  fail,
  isInteger,
  NOT_AN_INTEGER,
  plainCommand,
  SYNTAX_ERROR,
  withView,
} from './command.ts';
import { Glob, PATTERN_BYTES_MAX } from './glob.ts';
import { appendArray, appendBulkText, appendInteger } from './output.ts';
import { canScan, type ScanView } from './positions.ts';

/** KEYS is refused on more keys than this, or more bytes: it holds the thread until it is done. */
export const KEYS_MAX = 1_000;
export const KEYS_BYTES_MAX = 256 * 1024;

/** SCAN shows at most so many keys at once, whatever COUNT says; to Redis, too, it is a hint. */
export const SCAN_COUNT_MAX = 1_000;

/** What SCAN shows without COUNT (Redis' default). */
const SCAN_COUNT_DEFAULT = 10;

/** The largest cursor that Redis takes, an unsigned 64-bit number. */
const CURSOR_MAX = 2n ** 64n - 1n;

const LIST_BYTES_INITIAL = 4 * 1024;

/** Room for `$<bytes>\r\n` and `\r\n`. */
const BULK_FRAME_BYTES = 32;

const PATTERN_TOO_LONG = `ERR pattern is longer than ${PATTERN_BYTES_MAX} bytes`;
const KEYS_TOO_LONG = `ERR KEYS is refused on more than ${KEYS_BYTES_MAX} bytes of keys, use SCAN`;
const CANNOT_LIST = 'ERR this storage cannot list its keys';

/** Keys as bulk strings, whose number is not known before all are there. */
class KeyList {
  #bytes: Buffer = Buffer.allocUnsafe(LIST_BYTES_INITIAL);
  #end = 0;
  #count = 0;

  add(key: Buffer, start: number, end: number): void {
    const needed = this.#end + end - start + BULK_FRAME_BYTES;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(needed * 2);
      this.#bytes.copy(larger, 0, 0, this.#end);
      this.#bytes = larger;
    }
    this.#end += this.#bytes.write(`$${end - start}\r\n`, this.#end, 'latin1');
    this.#end = copyBytes(this.#bytes, this.#end, key, start, end);
    this.#end += this.#bytes.write('\r\n', this.#end, 'latin1');
    this.#count++;
  }

  appendTo(reply: Reply): void {
    appendArray(reply, this.#count);
    reply.give(this.#bytes, 0, this.#end);
  }
}

/** What it costs to list a key and compare it with a pattern, in units of work (see reply.ts). */
function listingWork(keyBytes: number): number {
  return 1 + (keyBytes >> 8);
}

interface ScanOptions {
  count: number;
  glob: Glob | undefined;
  /** Whether strings are asked for; there is nothing else. */
  wantsStrings: boolean;
}

function cursorOf(text: string): number | undefined {
  if (!/^-?\d{0,20}$/.test(text) || BigInt(text === '-' ? 0 : text) > CURSOR_MAX) return undefined;
  const cursor = Number(text);
  // What this server never gave begins anew, like a cursor of another generation.
  return Number.isSafeInteger(cursor) && cursor >= 0 ? cursor : 0;
}

function globOf(pattern: string): Glob | undefined {
  if (pattern.length > PATTERN_BYTES_MAX) return undefined;
  return new Glob(Buffer.from(pattern, 'latin1'));
}

/** @returns The options, or the error. */
function optionsOf(call: Call): ScanOptions | string {
  const { args } = call;
  const options: ScanOptions = { count: SCAN_COUNT_DEFAULT, glob: undefined, wantsStrings: true };
  while (args.left > 0) {
    const name = args.nextWord();
    if (args.left === 0) return SYNTAX_ERROR;
    const value = args.nextText();
    if (name === 'count') {
      if (!isInteger(value)) return NOT_AN_INTEGER;
      if (Number(value) < 1) return SYNTAX_ERROR;
      options.count = Math.min(Number(value), SCAN_COUNT_MAX);
    } else if (name === 'match') {
      options.glob = globOf(value);
      if (options.glob === undefined) return PATTERN_TOO_LONG;
    } else if (name === 'type') {
      options.wantsStrings = value.toLowerCase() === 'string';
    } else {
      return SYNTAX_ERROR;
    }
  }
  return options;
}

/** SCAN cursor [MATCH pattern] [COUNT count] [TYPE type] */
function scan(call: Call, reply: Reply): void {
  const cursor = cursorOf(call.args.nextText());
  if (cursor === undefined) {
    fail(call, reply, 'ERR invalid cursor');
    return;
  }
  const options = optionsOf(call);
  if (typeof options === 'string') {
    fail(call, reply, options);
    return;
  }
  withView(call, (view) => {
    if (!canScan(view)) {
      fail(call, reply, CANNOT_LIST);
      return;
    }
    const { glob, count, wantsStrings } = options;
    const list = new KeyList();
    let work = 0;
    const show: RecordVisitor = (key, start, end) => {
      work += listingWork(end - start);
      if (glob === undefined || glob.matches(key, start, end)) list.add(key, start, end);
      // COUNT is a hint: fewer keys are shown when they are long.
      return work < TURN_WORK_MAX;
    };
    const next = wantsStrings ? call.positions.scan(view, cursor, count, show, reply) : 0;
    reply.charge(work);
    appendArray(reply, 2);
    appendBulkText(reply, String(next));
    list.appendTo(reply);
  });
}

/** KEYS pattern */
function keys(call: Call, reply: Reply): void {
  const glob = globOf(call.args.nextText());
  if (glob === undefined) {
    fail(call, reply, PATTERN_TOO_LONG);
    return;
  }
  withView(call, (view) => {
    if (view.info.keys > KEYS_MAX) {
      fail(call, reply, `ERR KEYS is refused on more than ${KEYS_MAX} keys, use SCAN`);
    } else if (!canScan(view)) {
      fail(call, reply, CANNOT_LIST);
    } else {
      const list = listAll(view, glob, reply);
      if (list === undefined) fail(call, reply, KEYS_TOO_LONG);
      else list.appendTo(reply);
    }
  });
}

/** @returns The keys that match; undefined when it takes too long. */
function listAll(view: ScanView, glob: Glob, reply: Reply): KeyList | undefined {
  const list = new KeyList();
  let work = 0;
  let bytes = 0;
  let cursor = 0;
  do {
    let shown = 0;
    cursor = view.scan(cursor, KEYS_MAX, (key, start, end) => {
      shown++;
      bytes += end - start;
      if (bytes > KEYS_BYTES_MAX) return false;
      if (glob.matches(key, start, end)) list.add(key, start, end);
      return undefined;
    });
    // Keys that came again in the file are passed over without being shown.
    work += cursor === 0 ? shown : KEYS_MAX;
  } while (cursor !== 0 && bytes <= KEYS_BYTES_MAX && work < STEP_WORK_MAX);
  reply.charge(work + bytes / 256);
  return cursor === 0 && bytes <= KEYS_BYTES_MAX ? list : undefined;
}

function dbsize(call: Call, reply: Reply): void {
  appendInteger(
    reply,
    withView(call, (view) => view.info.keys),
  );
}

/** The commands that list keys. */
export const LISTINGS: readonly Command[] = [
  plainCommand('scan', -2, scan, ['readonly']),
  plainCommand('keys', 2, keys, ['readonly']),
  plainCommand('dbsize', 1, dbsize, ['readonly', 'fast']),
];
