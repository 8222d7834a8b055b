import { messageOf } from '../../common/errors.ts';
import { FOREIGN_KEY, type ForeignKeys } from '../../handler/foreign-keys.ts';
import type { View } from '../../handler/handler.ts';
import { emptyStorage } from '../../storage/empty.ts';
import type { Entry } from '../../storage/storage.ts';
import { keyFault } from '../item.ts';
import type { CachedStore, Creation, Item, Reading, Unavailable, Wish } from '../once.ts';

/** Keys that are read side by side for one client. */
const ASKED_AT_ONCE = 64;
/** Bytes of values that one question leaves to the next one of the same request. */
const KNOWN_BYTES_KEPT = 8 * 1024 * 1024;

const NO_KEYS = Buffer.alloc(0);
const NO_BOUNDS = new Int32Array(0);

/**
 * The keys as one connection sees them: what the cache has is answered at once; for all else the
 * session stops, etcd is asked, and the session runs again with what it has said.
 */
export class AskedKeys implements ForeignKeys {
  readonly #store: CachedStore;
  readonly #view: View;
  /** Of the last `locate`. */
  #keysAhead: Buffer = NO_KEYS;
  #boundsAhead: Int32Array = NO_BOUNDS;
  /** What etcd has said for the requests that are about to be answered. */
  readonly #known = new Map<string, Reading>();
  #knownBytes = 0;
  /** What is to be asked next. */
  readonly #wanted = new Map<string, Buffer>();
  #creation: (() => Promise<void>) | undefined;
  #isWanted = false;
  isLookedAt = false;
  /** How many were expected since the last question, and why nobody can say what one of them is. */
  #expected = 0;
  #fault: string | undefined;

  constructor(store: CachedStore) {
    this.#store = store;
    this.#view = {
      info: emptyStorage.info,
      get: (key, start, end) => store.cached(key, start, end) ?? this.#get(key, start, end),
      batch: {
        locate: (keys, bounds, count) => this.#locate(keys, bounds, count),
        entry: (i) => store.batch.entry(i) ?? this.#getAhead(i),
      },
      release() {},
    };
  }

  get isWanted(): boolean {
    return this.#isWanted;
  }

  get heldBytes(): number {
    return this.#knownBytes;
  }

  view(): View {
    return this.#view;
  }

  /** Has a key created. @param onCreated Called with what came of it, before the session runs again. */
  create(wish: Wish, onCreated: (creation: Creation) => void): void {
    this.#isWanted = true;
    this.#creation = async () => {
      const unknown = (error: unknown) => ({ kind: 'unknown', why: messageOf(error) }) as const;
      const creation = await this.#store.create(wish).catch(unknown);
      // What etcd has said of it before is not true any more.
      this.#known.delete(wish.key.toString('latin1'));
      onCreated(creation);
    };
  }

  expect(key: Buffer, start: number, end: number): boolean {
    if (++this.#expected > ASKED_AT_ONCE) return false;
    if (this.#store.isCached(key, start, end)) return true;
    const name = key.toString('latin1', start, end);
    const reading = this.#known.get(name);
    if (reading?.kind === 'unavailable') this.#fault = faultOf(reading);
    if (reading !== undefined) return true;
    if (keyFault(key.subarray(start, end)) === undefined) this.#want(name, key, start, end);
    return true;
  }

  beginToExpect(): void {
    this.#wanted.clear();
    this.#expected = 0;
    this.#fault = undefined;
  }

  endToExpect(): void {
    if (this.#wanted.size > 0) this.#stop();
    if (this.#fault !== undefined) throwFault(this.#fault);
  }

  ask(onReady: () => void): void {
    const readings = [...this.#wanted].map(([name, key]) => this.#read(name, key));
    const creation = this.#creation?.();
    this.#isWanted = false;
    this.#creation = undefined;
    // Those that were used are in the cache, or are asked for again.
    if (this.#knownBytes > KNOWN_BYTES_KEPT) this.forget();
    this.beginToExpect();
    void Promise.all([creation, ...readings]).then(onReady);
  }

  forget(): void {
    if (this.#known.size > 0) this.#known.clear();
    this.#knownBytes = 0;
  }

  noteSwap(): void {}

  close(): void {
    this.forget();
  }

  async #read(name: string, key: Buffer): Promise<void> {
    const unavailable = (error: unknown) =>
      ({ kind: 'unavailable', why: messageOf(error) }) as const;
    const reading = await this.#store.read(key).catch(unavailable);
    this.#known.set(name, reading);
    if (reading.kind === 'found') this.#knownBytes += reading.item.value.length;
  }

  #locate(keys: Buffer, bounds: Int32Array, count: number): void {
    this.#keysAhead = keys;
    this.#boundsAhead = bounds;
    this.#store.batch.locate(keys, bounds, count);
  }

  #getAhead(i: number): Entry | undefined {
    const bounds = this.#boundsAhead;
    return this.#get(this.#keysAhead, bounds[2 * i], bounds[2 * i + 1]);
  }

  /** Of a key that is not cached. @throws FOREIGN_KEY: it is to be asked for, or nobody can say. */
  #get(key: Buffer, start: number, end: number): Entry | undefined {
    const name = key.toString('latin1', start, end);
    const reading = this.#known.get(name);
    if (reading?.kind === 'found') return entryOf(reading.item);
    if (reading?.kind === 'unavailable') throwFault(faultOf(reading));
    // Nobody can set such a key.
    if (reading !== undefined || keyFault(key.subarray(start, end)) !== undefined) return undefined;
    this.#want(name, key, start, end);
    this.#isWanted = true;
    if (this.isLookedAt) return undefined;
    return this.#stop();
  }

  #want(name: string, key: Buffer, start: number, end: number): void {
    this.#wanted.set(name, Buffer.from(key.subarray(start, end)));
  }

  #stop(): never {
    this.#isWanted = true;
    FOREIGN_KEY.fault = undefined;
    throw FOREIGN_KEY;
  }
}

function entryOf({ value, flags, revision }: Item): Entry {
  const { length } = value;
  return { buffer: value, wireStart: -1, valueStart: 0, valueEnd: length, flags, cas: revision };
}

function faultOf({ why, isForeign }: Unavailable): string {
  const what = isForeign ? '' : 'etcd cannot be asked now: ';
  return what + why.replaceAll(/[\r\n]+/g, ' ');
}

function throwFault(fault: string): never {
  FOREIGN_KEY.fault = fault;
  throw FOREIGN_KEY;
}
