import { LEND_BYTES_MIN } from '../protocol/reply.ts';
import { copyBytes } from '../storage/record.ts';
import type { Entry } from '../storage/storage.ts';
import { KeptValue, type ValueMemory } from './kept-value.ts';

/** Keys that one connection has asked for at a time; a command with more asks again. */
export const QUESTION_KEYS_MAX = 4_096;

/**
 * Keys that a connection asks for at first. It becomes twice as many with each question whose answers all
 * had room, and as many as had room where some had not: so owners send few values that nobody keeps. Of
 * 200 values of 1 MiB in one get they sent 5,202 MiB when all were asked for at once (2026-11-29).
 */
export const QUESTION_KEYS_FIRST = 128;

/** Bytes of those keys; one key may be longer. */
const QUESTION_BYTES_MAX = 256 * 1024;

/**
 * Bytes of answers that are kept for one connection. What comes behind them is asked for once more
 * when those were sent: so a list of large values does not have to fit into memory.
 */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

/** Room for keys that is taken first: most ask for one. */
const ROOM_BYTES_MIN = 128;

/** Room that is given back when all is answered. */
const ROOM_BYTES_KEPT = 4 * 1024;

const NO_KEYS = Buffer.alloc(0);

/** Why nobody can say what a key's record is. */
class Fault {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const PENDING = Symbol('asked');
const DROPPED = Symbol('answered, not kept');

/** Undefined: there is no such key. */
type Answer = Entry | Fault | typeof PENDING | typeof DROPPED | undefined;

/** Keys that one connection asks for, and what was answered: used again and again. */
export class Questions {
  #keys: Buffer = NO_KEYS;
  #keyBytes = 0;
  /** Where the keys begin and end in them. */
  readonly #bounds: number[] = [];
  readonly #shards: number[] = [];
  readonly #answers: Answer[] = [];
  #left = 0;
  /** How many were not answered when they were added, and the first of them. */
  #asked = 0;
  #first = -1;
  #answerBytes = 0;
  /** Of the answers that were carried. */
  #carriedBytes = 0;
  #dropped = 0;
  /** Of those, the large ones: `#memory` has them, too. */
  readonly #large: KeptValue[] = [];
  #largeBytes = 0;
  readonly #memory: ValueMemory;
  #onReady: (() => void) | undefined;

  /** @param memory Counts the large values of the connection. */
  constructor(memory: ValueMemory = { bytes: 0 }) {
    this.#memory = memory;
  }

  get count(): number {
    return this.#answers.length;
  }

  /** Memory that is taken, without large values. */
  get heldBytes(): number {
    if (this.#answers.length === 0) return 0;
    return this.#keys.length + this.#answerBytes - this.#largeBytes;
  }

  get isFull(): boolean {
    return this.count >= QUESTION_KEYS_MAX || this.#keyBytes >= QUESTION_BYTES_MAX;
  }

  /** Whether no further answers may be kept beside these. */
  get isLarge(): boolean {
    return this.#answerBytes + this.#carriedBytes >= ANSWER_BYTES_MAX;
  }

  /** How many were not answered when they were added. */
  get asked(): number {
    return this.#asked;
  }

  /** How many to ask for the next time. @param before How many might be asked for this time. */
  nextCount(before: number): number {
    if (this.#dropped > 0) return Math.max(1, this.#asked - this.#dropped);
    return this.#asked < before ? before : Math.min(before * 2, QUESTION_KEYS_MAX);
  }

  /** Memory that holds all keys. */
  get keys(): Buffer {
    return this.#keys;
  }

  keyStart(i: number): number {
    return this.#bounds[2 * i];
  }

  keyEnd(i: number): number {
    return this.#bounds[2 * i + 1];
  }

  shard(i: number): number {
    return this.#shards[i];
  }

  add(key: Buffer, start: number, end: number, shard: number): void {
    if (this.#first < 0) this.#first = this.count;
    this.#push(key, start, end, shard, PENDING);
    this.#asked++;
    this.#left++;
  }

  /** Takes over the answers among [from, end) of others. */
  carry(others: Questions, from: number, end: number): void {
    for (let i = from; i < end; i++) {
      // Nobody has looked it up: a command was wrong, or is put off. It would be asked for, and not waited for.
      if (!others.isAnswered(i)) continue;
      const answer = others.#answers[i];
      this.#carriedBytes += others.bytesOf(i);
      this.#push(others.#keys, others.keyStart(i), others.keyEnd(i), others.#shards[i], answer);
      const lease = typeof answer === 'object' && 'lease' in answer ? answer.lease : undefined;
      if (!(lease instanceof KeptValue)) continue;
      lease.retain();
      this.#large.push(lease);
    }
  }

  #push(key: Buffer, start: number, end: number, shard: number, answer: Answer): void {
    const keyStart = this.#keyBytes;
    const keyEnd = keyStart + end - start;
    if (keyEnd > this.#keys.length) this.#grow(keyEnd);
    copyBytes(this.#keys, keyStart, key, start, end);
    this.#keyBytes = keyEnd;
    this.#bounds.push(keyStart, keyEnd);
    this.#shards.push(shard);
    this.#answers.push(answer);
  }

  #grow(bytes: number): void {
    const keys = Buffer.allocUnsafeSlow(Math.max(ROOM_BYTES_MIN, bytes, this.#keys.length * 2));
    this.#keys.copy(keys, 0, 0, this.#keyBytes);
    this.#keys = keys;
  }

  /** Whether question number i is about key[start, end). */
  isAbout(i: number, key: Buffer, start: number, end: number): boolean {
    const own = this.#bounds[2 * i];
    const length = end - start;
    if (this.#bounds[2 * i + 1] - own !== length) return false;
    for (let at = 0; at < length; at++) {
      if (this.#keys[own + at] !== key[start + at]) return false;
    }
    return true;
  }

  /** Whether there is an answer, or a fault. */
  isAnswered(i: number): boolean {
    const answer = this.#answers[i];
    return answer !== PENDING && answer !== DROPPED;
  }

  faultOf(i: number): string | undefined {
    const answer = this.#answers[i];
    return answer instanceof Fault ? answer.text : undefined;
  }

  /** The answer to a question that has one and no fault. */
  entry(i: number): Entry | undefined {
    return this.#answers[i] as Entry | undefined;
  }

  /** Bytes of the value that is the answer to question number i. */
  bytesOf(i: number): number {
    const answer = this.#answers[i];
    const isEntry = typeof answer === 'object' && !(answer instanceof Fault);
    return isEntry ? answer.valueEnd - answer.valueStart : 0;
  }

  /** All are asked now. @param onReady Called when each has its answer. */
  await(onReady: () => void): void {
    this.#onReady = onReady;
  }

  /** The connection is gone: nobody wants the answers. */
  abandon(): void {
    this.#onReady = undefined;
  }

  /** Whether the answer to question number i would be kept. The first always is: so there is progress. */
  isWanted(i: number): boolean {
    const hasRoom = i === this.#first || this.#answerBytes < ANSWER_BYTES_MAX;
    return this.#onReady !== undefined && hasRoom;
  }

  noteMiss(i: number): void {
    this.#note(i, undefined);
  }

  noteFault(i: number, text: string): void {
    this.#note(i, new Fault(text));
  }

  /** @param bytes Memory that the entry keeps. */
  noteHit(i: number, entry: Entry, bytes: number): void {
    this.#answerBytes += bytes;
    if (bytes < LEND_BYTES_MIN) {
      this.#note(i, entry);
      return;
    }
    const lease = new KeptValue(this.#memory, bytes);
    this.#large.push(lease);
    this.#largeBytes += bytes;
    this.#note(i, { ...entry, lease });
  }

  /** There was an answer, and no room for it. */
  noteDropped(i: number): void {
    this.#dropped++;
    this.#note(i, DROPPED);
  }

  #note(i: number, answer: Answer): void {
    this.#answers[i] = answer;
    this.#left--;
    if (this.#left > 0) return;
    const onReady = this.#onReady;
    this.#onReady = undefined;
    onReady?.();
  }

  /** Forgets all. Only when nothing is asked, or each question has its answer. */
  reset(): void {
    if (this.#answers.length === 0) return;
    this.#bounds.length = 0;
    this.#shards.length = 0;
    this.#answers.length = 0;
    this.#keyBytes = 0;
    this.#answerBytes = 0;
    this.#carriedBytes = 0;
    this.#dropped = 0;
    this.#asked = 0;
    for (const lease of this.#large) lease.release();
    this.#large.length = 0;
    this.#largeBytes = 0;
    this.#left = 0;
    this.#first = -1;
    if (this.#keys.length > ROOM_BYTES_KEPT) this.#keys = NO_KEYS;
  }
}
