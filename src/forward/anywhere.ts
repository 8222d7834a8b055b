import { FOREIGN_KEY, type ForeignKeys } from '../handler/foreign-keys.ts';
import type { View, ViewSource } from '../handler/handler.ts';
import type { Batch, DataSetInfo, Entry } from '../storage/storage.ts';
import type { Owners, Shards } from './forward.ts';
import type { ValueMemory } from './kept-value.ts';
import { QUESTION_KEYS_FIRST, Questions } from './questions.ts';

/** Answers that were used already and are kept, as a command may look its key up twice, or two keys. */
const USED_KEPT = 8;

/** No shard has this number. */
const NONE = -1;

/** A longer key is in no file. */
const KEY_BYTES_MAX = 65_535;

/** A lookup that comes in another order than expected is searched for among so many answers. */
const SEARCHED_MAX = 64;

/**
 * The keys of all shards, for one connection: see `ForeignKeys`. A record that is here belongs here, so
 * a hit costs what it costs without other shards; what is not here is hashed.
 */
export class Anywhere implements ForeignKeys {
  readonly #local: ViewSource;
  readonly #shards: Shards;
  readonly #owners: Owners;
  readonly #memory: ValueMemory = { bytes: 0 };
  #view: AnywhereView | undefined;
  /** The shard whose records are here. */
  #own: number;
  /** What was answered last. */
  #known: Questions;
  /** The answer that is expected to be used next. */
  #cursor = 0;
  /** Behind the answers that are known to the command that is about to begin. */
  #ahead = 0;
  /** What is to be asked next. */
  #next: Questions;
  /** Those of them that `expect` is going to name once more, as the command with them runs again. */
  #repeatedFrom = 0;
  #repeatedEnd = 0;
  /** How many keys to ask for at a time. */
  #window = QUESTION_KEYS_FIRST;
  isLookedAt = false;
  #isWanted = false;
  #isAsking = false;
  #onReady: () => void = () => {};

  constructor(local: ViewSource, shards: Shards, owners: Owners) {
    this.#local = local;
    this.#shards = shards;
    this.#own = shards.own;
    this.#owners = owners;
    this.#known = new Questions(this.#memory);
    this.#next = new Questions(this.#memory);
  }

  get isWanted(): boolean {
    return this.#isWanted;
  }

  get heldBytes(): number {
    return this.#known.heldBytes + this.#next.heldBytes;
  }

  get valueBytes(): number {
    return this.#memory.bytes;
  }

  view(): View {
    const local = this.#local.view();
    if (this.#view?.local !== local) {
      this.#view = new AnywhereView(local, this);
      const isEmpty = local.info.generation === 0 && this.#shards.isShared;
      this.#own = isEmpty ? NONE : this.#shards.own;
    }
    return this.#view;
  }

  expect(key: Buffer, start: number, end: number): boolean {
    const next = this.#next;
    if (
      this.#repeatedFrom < this.#repeatedEnd &&
      next.isAbout(this.#repeatedFrom, key, start, end)
    ) {
      this.#repeatedFrom++;
      return true;
    }
    const shard = this.#shardOf(key, start, end);
    if (shard === this.#own) return true;
    if (next.count === 0 && !this.#isWanted) {
      const presence = this.#lookAhead(key, start, end);
      if (presence !== 'unknown') return presence === 'known';
    }
    if (next.isFull || next.asked >= this.#window) return false;
    next.add(key, start, end, shard);
    return true;
  }

  /** 'full': it was asked for, or would have been, had there been room. */
  #lookAhead(key: Buffer, start: number, end: number): 'known' | 'full' | 'unknown' {
    const known = this.#known;
    if (this.#ahead === known.count) {
      if (known.isFull || known.isLarge) return 'full';
    } else if (known.isAbout(this.#ahead, key, start, end)) {
      if (!known.isAnswered(this.#ahead)) return 'full';
      this.#ahead++;
      return 'known';
    }
    this.#next.carry(known, this.#cursor, this.#ahead);
    return 'unknown';
  }

  beginToExpect(): void {
    this.#ahead = this.#cursor;
    this.#next.reset();
  }

  endToExpect(): void {
    if (this.#next.count > 0) {
      this.#repeatedFrom = 0;
      this.#repeatedEnd = this.#next.count;
      this.#isWanted = true;
      FOREIGN_KEY.fault = undefined;
      throw FOREIGN_KEY;
    }
    for (let i = this.#cursor; i < this.#ahead; i++) {
      FOREIGN_KEY.fault = this.#known.faultOf(i);
      if (FOREIGN_KEY.fault !== undefined) throw FOREIGN_KEY;
    }
  }

  ask(onReady: () => void): void {
    this.#isWanted = false;
    this.#isAsking = true;
    this.#repeatedEnd = 0;
    this.#cursor = 0;
    this.#known.reset();
    [this.#known, this.#next] = [this.#next, this.#known];
    this.#onReady = onReady;
    this.#known.await(this.#onAnswered);
    this.#owners.ask(this.#known);
  }

  readonly #onAnswered = (): void => {
    this.#isAsking = false;
    this.#window = this.#known.nextCount(this.#window);
    this.#onReady();
  };

  forget(): void {
    if (this.#isAsking) return;
    this.#known.reset();
    this.#cursor = 0;
  }

  noteSwap(): void {
    this.#view = undefined;
  }

  close(): void {
    this.#known.abandon();
  }

  /** Whether the answer to key[start, end) is the one that is expected next. */
  isNext(key: Buffer, start: number, end: number): boolean {
    const at = this.#cursor;
    return at < this.#known.count && this.#known.isAbout(at, key, start, end);
  }

  /** @throws FOREIGN_KEY: the answer is a fault, or there is none. */
  takeNext(key: Buffer, start: number, end: number): Entry | undefined {
    const at = this.#cursor;
    if (!this.#known.isAnswered(at)) return this.#ask(key, start, end);
    this.#cursor++;
    const fault = this.#known.faultOf(at);
    if (fault === undefined) return this.#known.entry(at);
    FOREIGN_KEY.fault = fault;
    throw FOREIGN_KEY;
  }

  /** Of a key without a record here. @throws FOREIGN_KEY */
  missing(key: Buffer, start: number, end: number): Entry | undefined {
    if (this.#shardOf(key, start, end) === this.#own) return undefined;
    const searchEnd = Math.min(this.#known.count, this.#cursor + SEARCHED_MAX);
    for (let i = Math.max(0, this.#cursor - USED_KEPT); i < searchEnd; i++) {
      if (!this.#known.isAbout(i, key, start, end)) continue;
      this.#cursor = i;
      return this.takeNext(key, start, end);
    }
    return this.#ask(key, start, end);
  }

  #shardOf(key: Buffer, start: number, end: number): number {
    return end - start > KEY_BYTES_MAX ? this.#own : this.#shards.shardOf(key, start, end);
  }

  #ask(key: Buffer, start: number, end: number): undefined {
    const next = this.#next;
    next.reset();
    next.carry(this.#known, Math.max(0, this.#cursor - USED_KEPT), this.#cursor);
    this.#repeatedFrom = next.count;
    next.add(key, start, end, this.#shards.shardOf(key, start, end));
    this.#repeatedEnd = next.count;
    this.#isWanted = true;
    if (this.isLookedAt) return undefined;
    FOREIGN_KEY.fault = undefined;
    throw FOREIGN_KEY;
  }
}

/** The data of one moment, and what others have answered. */
class AnywhereView implements View {
  readonly local: View;
  readonly info: DataSetInfo;
  readonly scan: View['scan'];
  readonly batch: Batch | undefined;
  readonly #anywhere: Anywhere;

  constructor(local: View, anywhere: Anywhere) {
    this.local = local;
    this.info = local.info;
    this.scan = local.scan?.bind(local);
    this.#anywhere = anywhere;
    this.batch = local.batch && new AnywhereBatch(local, local.batch, anywhere);
  }

  get(key: Buffer, start: number, end: number): Entry | undefined {
    return getAnywhere(this.local, this.#anywhere, key, start, end);
  }

  release(): void {
    this.local.release();
  }
}

function getAnywhere(
  local: View,
  anywhere: Anywhere,
  key: Buffer,
  start: number,
  end: number,
): Entry | undefined {
  if (anywhere.isNext(key, start, end)) return anywhere.takeNext(key, start, end);
  return local.get(key, start, end) ?? anywhere.missing(key, start, end);
}

const NO_KEYS = Buffer.alloc(0);
const NO_BOUNDS = new Int32Array(0);

class AnywhereBatch implements Batch {
  readonly #local: View;
  readonly #batch: Batch;
  readonly #anywhere: Anywhere;
  #keys: Buffer = NO_KEYS;
  #bounds: Int32Array = NO_BOUNDS;
  /** Whether the keys were looked for here: not when others have answered already. */
  #isLocated = false;

  constructor(local: View, batch: Batch, anywhere: Anywhere) {
    this.#local = local;
    this.#batch = batch;
    this.#anywhere = anywhere;
  }

  locate(keys: Buffer, bounds: Int32Array, count: number): void {
    this.#keys = keys;
    this.#bounds = bounds;
    this.#isLocated = !this.#anywhere.isNext(keys, bounds[0], bounds[1]);
    if (this.#isLocated) this.#batch.locate(keys, bounds, count);
  }

  entry(i: number): Entry | undefined {
    const start = this.#bounds[2 * i];
    const end = this.#bounds[2 * i + 1];
    const anywhere = this.#anywhere;
    if (!this.#isLocated) return getAnywhere(this.#local, anywhere, this.#keys, start, end);
    if (anywhere.isNext(this.#keys, start, end)) return anywhere.takeNext(this.#keys, start, end);
    return this.#batch.entry(i) ?? anywhere.missing(this.#keys, start, end);
  }
}
