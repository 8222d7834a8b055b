import { FOREIGN_KEY, type ForeignKeys } from '../../handler/foreign-keys.ts';
import type { View } from '../../handler/handler.ts';
import { BATCH_KEYS_MAX, type Batch, type Entry } from '../../storage/storage.ts';
import { countGets, countTouches } from '../counters.ts';
import { skipSpaces, wordEnd } from '../line.ts';
import { isSigned } from '../numbers.ts';
import { DEFAULT_REQUEST_LIMITS, type SessionContext } from '../protocol.ts';
import type { Reply } from '../reply.ts';
import { ASKED_KEY_BYTES_MAX, BAD_FORMAT } from '../writes.ts';
import { protocolError } from './protocol-error.ts';
import { appendValue } from './values.ts';

const END = Buffer.from('END\r\n');

/**
 * A longer line is checked before a key of it is answered, as what is sent cannot be taken back. So
 * many bytes are checked at a time: up to 0.5 ms (2026-11-28), and as many units of work (see
 * reply.ts).
 */
const CHECKED_BYTES = 64 * 1024;
const CHECK_WORK = 500;

/** Where the keys of one lookup begin and end. All sessions share it: valid within one call. */
const bounds = new Int32Array(2 * BATCH_KEYS_MAX);

/**
 * Answers `get`, `gets`, `gat` and `gats` (memcached's protocol.txt, "Retrieval command"). When
 * the reply is full it stops before the next key, and goes on, on the same view of the data, when
 * it is given the rest of the line.
 */
export class Retrieval {
  readonly #context: SessionContext;
  readonly #keysMax: number;
  /** The data that the command under way is answered from. */
  #view: View | undefined;
  #withCas = false;
  #touches = false;
  /** Why a key could not be looked up; said at the end, when all other keys are answered. */
  #fault: string | undefined;
  /** The check under way of a long line: keys so far, and bytes of the line that they are in. */
  #check: { keys: number; bytes: number } | undefined;

  constructor(context: SessionContext) {
    this.#context = context;
    this.#keysMax = (context.requestLimits ?? DEFAULT_REQUEST_LIMITS).keysMax;
  }

  get isUnderWay(): boolean {
    return this.#view !== undefined;
  }

  /**
   * Begins `get` or `gets`, of which line[from, end) is what is behind the command.
   *
   * @returns Where the first key begins that is not answered yet; `end` when the command is done.
   */
  get(line: Buffer, from: number, end: number, withCas: boolean, reply: Reply): number {
    const keys = skipSpaces(line, from, end);
    if (keys === end) {
      protocolError(this.#context, reply, 'ERROR');
      return end;
    }
    this.#withCas = withCas;
    this.#touches = false;
    return this.#begin(line, keys, end, reply);
  }

  /** As `get`, for `gat` and `gats`: a time comes before the keys, and does nothing. */
  getAndTouch(line: Buffer, from: number, end: number, withCas: boolean, reply: Reply): number {
    const time = skipSpaces(line, from, end);
    const timeEnd = wordEnd(line, time, end);
    if (time === end || !isSigned(line, time, timeEnd)) {
      const error = time === end ? 'ERROR' : 'CLIENT_ERROR invalid exptime argument';
      protocolError(this.#context, reply, error);
      return end;
    }
    this.#withCas = withCas;
    this.#touches = true;
    return this.#begin(line, skipSpaces(line, timeEnd, end), end, reply);
  }

  /** Goes on with the keys in line[from, end). @returns As `get`. */
  goOn(line: Buffer, from: number, end: number, reply: Reply): number {
    if (this.#check !== undefined) {
      const error = this.#goOnChecking(this.#check, line, from, end, reply);
      if (error !== undefined) return this.#fail(error, end, reply);
      // Still under way: all of the line is to be given again.
      if (this.#check !== undefined) return from;
    }
    return this.#finish(this.#answerKeys(this.#view!, line, from, end, reply), end, reply);
  }

  /** Lets go of the data. */
  close(): void {
    this.#view?.release();
    this.#view = undefined;
    this.#check = undefined;
    this.#fault = undefined;
  }

  /** A key that is too long makes the error the only reply, as memcached does it. */
  #begin(line: Buffer, keys: number, end: number, reply: Reply): number {
    const replyLength = reply.length;
    const view = this.#context.handler.view();
    // Kept from the start: if the storage throws, `close` still lets go of it.
    this.#view = view;
    if (end - keys > CHECKED_BYTES) {
      this.#check = { keys: 0, bytes: 0 };
      return this.goOn(line, keys, end, reply);
    }
    const stop = this.#answerKeys(view, line, keys, end, reply);
    // The keys that have to wait are checked now.
    const check = { keys: 0, bytes: 0 };
    const error = stop === end ? undefined : this.#checkKeys(check, line, keys, end, end);
    if (error === undefined) return this.#finish(stop, end, reply);
    reply.truncate(replyLength);
    return this.#fail(error, end, reply);
  }

  #fail(error: string, end: number, reply: Reply): number {
    this.close();
    protocolError(this.#context, reply, error);
    return end;
  }

  /** Checks a part of the keys in line[from, end), or parts until the reply is full. */
  #goOnChecking(
    check: { keys: number; bytes: number },
    line: Buffer,
    from: number,
    end: number,
    reply: Reply,
  ): string | undefined {
    let error: string | undefined;
    while (error === undefined && check.bytes < end - from && !reply.isFull) {
      const until = Math.min(end, from + check.bytes + CHECKED_BYTES);
      error = this.#checkKeys(check, line, from, until, end);
      reply.charge(CHECK_WORK);
    }
    if (check.bytes >= end - from) this.#check = undefined;
    return error;
  }

  /**
   * Checks the keys of line[from, end) that begin before `until`.
   *
   * @returns What is wrong with them.
   */
  #checkKeys(
    check: { keys: number; bytes: number },
    line: Buffer,
    from: number,
    until: number,
    end: number,
  ): string | undefined {
    let key = skipSpaces(line, from + check.bytes, until);
    while (key < until) {
      const keyEnd = wordEnd(line, key, Math.min(end, key + ASKED_KEY_BYTES_MAX + 1));
      if (keyEnd - key > ASKED_KEY_BYTES_MAX) return BAD_FORMAT;
      check.keys++;
      key = skipSpaces(line, keyEnd, Math.max(keyEnd, until));
    }
    check.bytes = key - from;
    if (key < end || check.keys <= this.#keysMax) return undefined;
    return `CLIENT_ERROR too many keys: at most ${this.#keysMax} in one get, found ${check.keys}`;
  }

  #finish(stop: number, end: number, reply: Reply): number {
    if (stop !== end) return stop;
    if (this.#fault === undefined) reply.copy(END, 0, END.length);
    else reply.text(`SERVER_ERROR ${this.#fault}\r\n`);
    this.close();
    return stop;
  }

  /**
   * @returns Where the first key begins that is not answered, because the reply is full, the key
   *   too long, one too many, or not known here; `end` when all are.
   */
  #answerKeys(view: View, line: Buffer, from: number, end: number, reply: Reply): number {
    const { foreign } = this.#context;
    let hits = 0;
    let misses = 0;
    let key = from;
    while (key < end && !reply.isFull && hits + misses < this.#keysMax) {
      if (foreign?.isWanted === true) break;
      const count = findKeys(line, key, end, this.#keysMax - hits - misses);
      const batch = count > 1 ? view.batch : undefined;
      batch?.locate(line, bounds, count);
      let i = 0;
      for (; i < count && !reply.isFull; i++) {
        const keyEnd = bounds[2 * i + 1];
        const entry =
          foreign === undefined
            ? entryAt(view, batch, line, i)
            : this.#entryAnywhere(foreign, view, batch, line, i);
        if (entry === 'unknown') break;
        reply.charge(1);
        if (entry === 'fault') continue;
        if (entry === undefined) misses++;
        else {
          hits++;
          appendValue(reply, entry, line, bounds[2 * i], keyEnd, this.#withCas);
        }
      }
      // The next key is too long.
      if (count === 0) break;
      key = i < count ? bounds[2 * i] : skipSpaces(line, bounds[2 * i - 1], end);
    }
    const count = this.#touches ? countTouches : countGets;
    count(this.#context.counters, hits, misses);
    return key;
  }

  /** As `entryAt`; 'unknown': the key is to be asked for; 'fault': nobody can say. */
  #entryAnywhere(
    foreign: ForeignKeys,
    view: View,
    batch: Batch | undefined,
    line: Buffer,
    i: number,
  ): Entry | 'unknown' | 'fault' | undefined {
    foreign.isLookedAt = true;
    try {
      const entry = entryAt(view, batch, line, i);
      return foreign.isWanted ? 'unknown' : entry;
    } catch (error) {
      if (error !== FOREIGN_KEY) throw error;
      this.#fault = FOREIGN_KEY.fault;
      return 'fault';
    } finally {
      foreign.isLookedAt = false;
    }
  }
}

/** The record of key number `i` of the lookup under way. */
function entryAt(view: View, batch: Batch | undefined, line: Buffer, i: number): Entry | undefined {
  return batch === undefined ? view.get(line, bounds[2 * i], bounds[2 * i + 1]) : batch.entry(i);
}

/** Sets the bounds of the next keys, up to one that is too long. @returns How many there are. */
function findKeys(line: Buffer, from: number, end: number, keysMax: number): number {
  const countMax = Math.min(BATCH_KEYS_MAX, keysMax);
  let count = 0;
  for (let key = from; key < end && count < countMax; count++) {
    const keyEnd = wordEnd(line, key, end);
    if (keyEnd - key > ASKED_KEY_BYTES_MAX) break;
    bounds[2 * count] = key;
    bounds[2 * count + 1] = keyEnd;
    key = skipSpaces(line, keyEnd, end);
  }
  return count;
}
