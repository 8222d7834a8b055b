import { ANSWER, ELSEWHERE, ELSEWHERE_BYTES_MAX, HIT, MISS } from '../protocol/forward/frames.ts';
import { wireBytesOf } from '../storage/record.ts';
import { VALUE_BYTES_MAX } from '../storage/scanners/scanner.ts';
import type { Pending } from './pending.ts';

/** What a server sent that is no answer to what it was asked. */
export class WrongAnswer extends Error {}

/**
 * Reads the answers of one server, in the order asked, from bytes that may be split anywhere. Each
 * says which request it is for, and a hit which key: one that does not fit ends the connection, so that no
 * key is ever answered with another one's value.
 */
export class Answers {
  readonly #pending: Pending;
  readonly #onElsewhere: (addresses: string) => void;
  /** A head that has come in part. */
  readonly #head = Buffer.allocUnsafeSlow(ANSWER.bytes);
  #headBytes = 0;
  /** A record that has come in part; undefined: nobody wants it. */
  #body: Buffer | undefined;
  #bodyBytes = 0;
  #bodyLeft = 0;
  /** What has come in part are addresses. */
  #isElsewhere = false;
  #sequence = 0;
  #flags = 0;
  #valueBytes = 0;
  #cas = 0;
  /** What was read, in memory that stays: made for the first record of a read. */
  #copy: Buffer | undefined;
  #copyStart = 0;

  /** @param onElsewhere Called when other servers are to be asked for the oldest, which stays pending. */
  constructor(pending: Pending, onElsewhere: (addresses: string) => void) {
    this.#pending = pending;
    this.#onElsewhere = onElsewhere;
  }

  /** @throws WrongAnswer */
  read(chunk: Buffer, start: number, end: number): void {
    this.#copy = undefined;
    let at = start;
    while (at < end) {
      if (this.#bodyLeft > 0) at = this.#readBody(chunk, at, end);
      else if (this.#headBytes > 0 || end - at < ANSWER.bytes) at = this.#readHead(chunk, at, end);
      else at = this.#begin(chunk, at, chunk, at + ANSWER.bytes, end);
    }
  }

  #readHead(chunk: Buffer, start: number, end: number): number {
    const bytes = Math.min(end - start, ANSWER.bytes - this.#headBytes);
    chunk.copy(this.#head, this.#headBytes, start, start + bytes);
    this.#headBytes += bytes;
    if (this.#headBytes < ANSWER.bytes) return start + bytes;
    this.#headBytes = 0;
    return this.#begin(this.#head, 0, chunk, start + bytes, end);
  }

  /** @param at Where what is behind the head begins. @returns How far the chunk was read. */
  #begin(head: Buffer, headStart: number, chunk: Buffer, at: number, end: number): number {
    const pending = this.#pending;
    const status = head[headStart + ANSWER.status];
    if (pending.length === 0) throw new WrongAnswer('it answers what it was not asked');
    const { questions, index } = pending;
    const keyBytes = head.readUInt16BE(headStart + ANSWER.keyBytes);
    const isInOrder = head.readInt32BE(headStart + ANSWER.sequence) === this.#sequence;
    if (!isInOrder || keyBytes !== questions.keyEnd(index) - questions.keyStart(index)) {
      throw new WrongAnswer('it answers something else than it was asked');
    }
    this.#sequence = (this.#sequence + 1) | 0;
    if (status === MISS) {
      pending.shift();
      questions.noteMiss(index);
      return at;
    }
    this.#valueBytes = head.readUInt32BE(headStart + ANSWER.valueBytes);
    if (status === ELSEWHERE && this.#valueBytes <= ELSEWHERE_BYTES_MAX) {
      return this.#beginElsewhere(chunk, at, end);
    }
    this.#flags = head.readUInt32BE(headStart + ANSWER.flags);
    this.#cas =
      head.readUInt32BE(headStart + ANSWER.cas) * 2 ** 32 +
      head.readUInt32BE(headStart + ANSWER.cas + 4);
    if (status !== HIT || this.#valueBytes > VALUE_BYTES_MAX) {
      throw new WrongAnswer('it does not answer as a server of this cluster');
    }
    const wireBytes = wireBytesOf(keyBytes, this.#flags, this.#valueBytes);
    if (end - at < wireBytes) {
      this.#body = questions.isWanted(index) ? Buffer.allocUnsafeSlow(wireBytes) : undefined;
      this.#bodyBytes = wireBytes;
      this.#bodyLeft = wireBytes;
      return at;
    }
    if (questions.isWanted(index)) {
      this.#copy ??= this.#keep(chunk, at, end);
      this.#deliver(this.#copy, at - this.#copyStart, wireBytes, keyBytes);
    } else this.#dropOldest();
    return at + wireBytes;
  }

  #beginElsewhere(chunk: Buffer, at: number, end: number): number {
    const bytes = this.#valueBytes;
    if (end - at >= bytes) {
      this.#onElsewhere(chunk.toString('latin1', at, at + bytes));
      return at + bytes;
    }
    this.#isElsewhere = true;
    this.#body = Buffer.allocUnsafeSlow(bytes);
    this.#bodyBytes = bytes;
    this.#bodyLeft = bytes;
    return at;
  }

  #keep(chunk: Buffer, start: number, end: number): Buffer {
    this.#copyStart = start;
    const copy = Buffer.allocUnsafe(end - start);
    chunk.copy(copy, 0, start, end);
    return copy;
  }

  #readBody(chunk: Buffer, start: number, end: number): number {
    const bytes = Math.min(end - start, this.#bodyLeft);
    const body = this.#body;
    if (body !== undefined)
      chunk.copy(body, this.#bodyBytes - this.#bodyLeft, start, start + bytes);
    this.#bodyLeft -= bytes;
    if (this.#bodyLeft > 0) return start + bytes;
    this.#body = undefined;
    const { questions, index } = this.#pending;
    if (this.#isElsewhere) {
      this.#isElsewhere = false;
      this.#onElsewhere(body!.toString('latin1'));
    } else if (body === undefined) this.#dropOldest();
    else {
      const keyBytes = questions.keyEnd(index) - questions.keyStart(index);
      this.#deliver(body, 0, this.#bodyBytes, keyBytes);
    }
    return start + bytes;
  }

  #dropOldest(): void {
    const { questions, index } = this.#pending;
    this.#pending.shift();
    questions.noteDropped(index);
  }

  /** Takes the record at `start` of memory that stays. */
  #deliver(buffer: Buffer, start: number, wireBytes: number, keyBytes: number): void {
    const pending = this.#pending;
    const { questions, index } = pending;
    if (!questions.isAbout(index, buffer, start, start + keyBytes)) {
      throw new WrongAnswer('it answers with another key than it was asked for');
    }
    const valueEnd = start + wireBytes - 2;
    const valueStart = valueEnd - this.#valueBytes;
    const flags = this.#flags;
    const entry = { buffer, valueStart, valueEnd, flags, cas: this.#cas, wireStart: start };
    pending.shift();
    questions.noteHit(index, entry, wireBytes);
  }
}
