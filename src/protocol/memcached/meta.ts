import type { View } from '../../handler/handler.ts';
import { recordBytes } from '../../storage/record.ts';
import type { Batch, DataSetInfo, Entry } from '../../storage/storage.ts';
import { countGets, countTouches } from '../counters.ts';
import { skipSpaces, wordEnd } from '../line.ts';
import type { SessionContext } from '../protocol.ts';
import type { Reply } from '../reply.ts';
import { BAD_FORMAT, SPAN_SECONDS_MAX } from '../writes.ts';
import { FLAG, type MetaWords, OPAQUE_TOO_LONG } from './meta-flags.ts';
import { protocolError } from './protocol-error.ts';

const HIT = Buffer.from('HD');
const VALUE = Buffer.from('VA ');
const MISS = Buffer.from('EN');
const LINE_END = Buffer.from('\r\n');

/** Time left to live: records never expire. */
const FOREVER = Buffer.from('-1');

/** What a client wins that is to make the value. */
const NO_VALUE: Entry = {
  buffer: Buffer.alloc(0),
  valueStart: 0,
  valueEnd: 0,
  flags: 0,
  cas: 0,
  wireStart: -1,
};

/** The meta commands that read. */
export class MetaReads {
  readonly #words: MetaWords;

  /** @param words Where a command's words are put; nothing stays there that a later call needs. */
  constructor(words: MetaWords) {
    this.#words = words;
  }

  /**
   * `mg <key> <flags>*` (memcached's protocol.txt, "Meta Get"), of which line[from, end) is what
   * is behind the command. Flags that would change the item (T, R) are checked and then do nothing:
   * there is nothing to prolong or to recache. A miss with N is won by each who asks, as nothing is
   * made that others would find: see `#appendWin`.
   */
  get(line: Buffer, from: number, end: number, context: SessionContext, reply: Reply): void {
    const view = context.handler.view();
    try {
      this.answer(line, from, end, view, context, reply);
    } finally {
      view.release();
    }
  }

  /**
   * As `get`, from a view.
   *
   * @param batch Where the key was located, as number `i`, if it was.
   */
  answer(
    line: Buffer,
    from: number,
    end: number,
    view: View,
    context: SessionContext,
    reply: Reply,
    batch?: Batch,
    i = 0,
  ): void {
    const error = this.#faultOf(line, from, end);
    if (error !== undefined) {
      protocolError(context, reply, error);
      return;
    }
    const { key, keyStart, keyEnd, isBase64 } = this.#words;
    // A key in base64 was located as it is in the line.
    const isAhead = batch !== undefined && !isBase64;
    const entry = isAhead ? batch.entry(i) : view.get(key, keyStart, keyEnd);
    reply.charge(1);
    this.#count(context, entry !== undefined);
    if (entry === undefined && this.#words.has(FLAG.vivify)) {
      this.#appendWin(line, view.info, reply);
    } else if (entry === undefined) this.#appendMiss(line, reply);
    else this.#appendHit(line, entry, view.info, reply);
  }

  #faultOf(line: Buffer, from: number, end: number): string | undefined {
    if (!this.#words.findKey(line, from, end)) return 'ERROR';
    if (this.#words.keyIsTooLong) return BAD_FORMAT;
    if (!this.#words.findFlags(line, this.#words.keyEnd, end, 2)) {
      return 'CLIENT_ERROR options flags are too long';
    }
    return (
      this.#words.checkFlags(line) ??
      (this.#words.hasLongOpaque(line) ? OPAQUE_TOO_LONG : undefined)
    );
  }

  /** A hit with a time to live is a touch to memcached, and a miss is a miss. */
  #count(context: SessionContext, isHit: boolean): void {
    if (!isHit) countGets(context.counters, 0, 1);
    else if (this.#words.has(FLAG.timeToLive)) countTouches(context.counters, 1, 0);
    else countGets(context.counters, 1, 0);
  }

  /** `EN` and what is echoed. It is all that q hides: a value is what the client asks for. */
  #appendMiss(line: Buffer, reply: Reply): void {
    if (this.#words.has(FLAG.quiet)) return;
    reply.copy(MISS, 0, MISS.length);
    for (let i = 0; i < this.#words.count; i++) {
      const letter = line[this.#words.starts[i]];
      if (letter === FLAG.opaque) this.#appendFlag(line, i, this.#words.ends[i], reply);
      else if (letter === FLAG.key) this.#appendKey(line, i, reply);
    }
    reply.copy(LINE_END, 0, LINE_END.length);
  }

  /**
   * What memcached answers to who is first to miss a key with N: an empty item, and W, which says
   * that the client has won and is to make the value. A client that waits for a winner, as dalli's
   * `fetch_with_lock`, would wait in vain for `EN`.
   */
  #appendWin(line: Buffer, info: DataSetInfo, reply: Reply): void {
    const entry = { ...NO_VALUE, cas: info.generation };
    let expiry: Buffer = FOREVER;
    const withValue = this.#words.has(FLAG.value);
    reply.text(withValue ? 'VA 0' : 'HD');
    for (let i = 0; i < this.#words.count; i++) {
      const letter = line[this.#words.starts[i]];
      const tokenStart = this.#words.starts[i] + 1;
      if (letter === FLAG.vivify || letter === FLAG.timeToLive) {
        expiry = expiryOf(line.subarray(tokenStart, this.#words.ends[i]));
      } else if (letter === FLAG.timeLeft) {
        this.#appendFlag(line, i, tokenStart, reply);
        reply.copy(expiry, 0, expiry.length);
      } else {
        this.#appendHitFlag(line, i, entry, info, reply);
      }
    }
    reply.text(withValue ? ' W\r\n\r\n' : ' W\r\n');
  }

  #appendHit(line: Buffer, entry: Entry, info: DataSetInfo, reply: Reply): void {
    const { valueStart, valueEnd } = entry;
    const withValue = this.#words.has(FLAG.value);
    if (withValue) {
      reply.copy(VALUE, 0, VALUE.length);
      reply.decimal(valueEnd - valueStart);
    } else {
      reply.copy(HIT, 0, HIT.length);
    }
    for (let i = 0; i < this.#words.count; i++) this.#appendHitFlag(line, i, entry, info, reply);
    reply.copy(LINE_END, 0, LINE_END.length);
    if (!withValue) return;
    reply.lend(entry, valueStart, valueEnd);
    reply.copy(LINE_END, 0, LINE_END.length);
  }

  /** Appends what the flag at `i` asks for, if it asks for anything, in the order asked. */
  #appendHitFlag(line: Buffer, i: number, entry: Entry, info: DataSetInfo, reply: Reply): void {
    const letterEnd = this.#words.starts[i] + 1;
    switch (line[this.#words.starts[i]]) {
      case FLAG.size:
        this.#appendNumber(line, i, entry.valueEnd - entry.valueStart, reply);
        return;
      case FLAG.clientFlags:
        this.#appendNumber(line, i, entry.flags, reply);
        return;
      case FLAG.cas:
        this.#appendNumber(line, i, entry.cas, reply);
        return;
      case FLAG.timeLeft:
        this.#appendFlag(line, i, letterEnd, reply);
        reply.copy(FOREVER, 0, FOREVER.length);
        return;
      case FLAG.hit:
        // Hits are not recorded by key.
        this.#appendNumber(line, i, 0, reply);
        return;
      case FLAG.lastAccess:
        this.#appendNumber(line, i, secondsSinceLoaded(info), reply);
        return;
      case FLAG.opaque:
        this.#appendFlag(line, i, this.#words.ends[i], reply);
        return;
      case FLAG.key:
        this.#appendKey(line, i, reply);
        return;
    }
  }

  /** Appends the flag as it is in the line, with the space before it, up to `end`. */
  #appendFlag(line: Buffer, i: number, end: number, reply: Reply): void {
    reply.copy(line, this.#words.starts[i] - 1, end);
  }

  #appendNumber(line: Buffer, i: number, value: number, reply: Reply): void {
    this.#appendFlag(line, i, this.#words.starts[i] + 1, reply);
    reply.decimal(value);
  }

  #appendKey(line: Buffer, i: number, reply: Reply): void {
    this.#appendFlag(line, i, this.#words.starts[i] + 1, reply);
    if (this.#words.isBase64) reply.text(this.#words.keyText());
    else reply.copy(this.#words.key, this.#words.keyStart, this.#words.keyEnd);
  }

  /** `me <key> [b]` (memcached's protocol.txt, "Meta Debug"). */
  debug(line: Buffer, from: number, end: number, context: SessionContext, reply: Reply): void {
    const isFound = this.#words.findKey(line, from, end) && !this.#words.keyIsTooLong;
    if (!isFound || !this.#decodesForDebug(line, end)) {
      protocolError(context, reply, BAD_FORMAT);
      return;
    }
    const view = context.handler.view();
    try {
      const entry = view.get(this.#words.key, this.#words.keyStart, this.#words.keyEnd);
      context.counters.cmd_meta++;
      reply.text(entry === undefined ? 'EN\r\n' : this.#debugLine(entry, view.info));
    } finally {
      view.release();
    }
  }

  /** Decodes the key when the word behind it is b, the only flag that `me` knows. */
  #decodesForDebug(line: Buffer, end: number): boolean {
    const flag = skipSpaces(line, this.#words.keyEnd, end);
    const flagEnd = wordEnd(line, flag, end);
    if (flagEnd - flag !== 1 || line[flag] !== FLAG.base64) return true;
    this.#words.findFlags(line, flag, flagEnd, 2);
    return this.#words.checkFlags(line) === undefined;
  }

  #debugLine(entry: Entry, info: DataSetInfo): string {
    const { key, keyStart, keyEnd, isBase64 } = this.#words;
    const encoding = isBase64 ? 'base64' : 'latin1';
    const valueBytes = entry.valueEnd - entry.valueStart;
    const size = recordBytes(keyEnd - keyStart, valueBytes, entry.flags);
    return `ME ${key.toString(encoding, keyStart, keyEnd)} exp=-1 la=${secondsSinceLoaded(info)} cas=${entry.cas} fetch=no cls=1 size=${size}\r\n`;
  }
}

/** The last access to a key is not recorded; the whole data set came to life when it was loaded. */
function secondsSinceLoaded(info: DataSetInfo): number {
  return Math.max(0, Math.floor((Date.now() - info.loadedAt) / 1000));
}

/** What is left of the time in a token of N or T (memcached's protocol.txt, "Expiration times"). */
function expiryOf(token: Buffer): Buffer {
  const seconds = Number(token.toString('latin1'));
  if (seconds <= 0) return FOREVER;
  const left = seconds > SPAN_SECONDS_MAX ? seconds - Math.floor(Date.now() / 1000) : seconds;
  return Buffer.from(String(Math.max(0, left)));
}
