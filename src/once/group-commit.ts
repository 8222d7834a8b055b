import { messageOf } from '../common/errors.ts';
import { compared } from './item.ts';
import {
  CREATE_MS_MAX,
  SENT_BYTES_MAX,
  SIDE_KEYS_MIN,
  TRANSACTION_BYTES_MAX,
  TRANSACTION_KEYS_MAX,
  TRANSACTION_STALLED_MS,
  TRANSACTIONS_MAX,
  WAITING_BYTES_MAX,
  WAITING_MAX,
} from './limits.ts';
import type { Creation, Wish } from './once.ts';

/** Creates keys by one transaction, each key once. @returns What came of each, in their order. */
export type Commit = (
  wishes: readonly Wish[],
) => Promise<readonly (Creation | Promise<Creation>)[]>;

/** A key that is to be created, or many that were asked for together. */
interface Entry {
  /** Of a key that others may ask for too: they wait for the same entry. Undefined: there are many. */
  readonly name: string | undefined;
  readonly wishes: readonly Wish[];
  readonly untilMs: number;
  readonly creations: Promise<readonly Creation[]>;
  /** Answers all that wait for it, for the first time that it is called. */
  readonly settle: (creations: readonly Creation[]) => void;
  isSent: boolean;
  /** Creates that wait for it, and the bytes of their values. */
  creates: number;
  bytes: number;
}

const CROWDED: Creation = {
  kind: 'unavailable',
  why: 'too many creates wait for etcd: nothing was sent to it',
};
const TOO_LATE: Creation = { kind: 'unavailable', why: 'etcd was busy with creates before it' };

/**
 * Group commit: creates that come while transactions are under way go into the next one together. A
 * create that comes alone waits for nobody.
 */
export class GroupCommit {
  readonly #commit: Commit;
  readonly #msMax: number;
  /** What goes into the next transactions, in the order in which they came. */
  readonly #waiting = new Set<Entry>();
  /** Those of them that are one key. */
  readonly #byName = new Map<string, Entry>();
  #creates = 0;
  #bytes = 0;
  /** What is not answered yet, in the same order. */
  readonly #open = new Set<Entry>();
  #transactions = 0;
  /** Of all transactions without an answer, also of those that count no more. */
  #sentBytes = 0;
  #isScheduled = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(commit: Commit, msMax = CREATE_MS_MAX) {
    this.#commit = commit;
    this.#msMax = msMax;
  }

  /** It is answered after the time that a create may take, whatever etcd does. */
  async create(wish: Wish): Promise<Creation> {
    const bytes = wish.value.length;
    if (this.#isCrowded(1, bytes)) return CROWDED;
    const name = wish.key.toString('latin1');
    const first = this.#byName.get(name);
    const entry = first ?? this.#enter([wish], name);
    this.#count(entry, 1, bytes);
    const [creation] = await entry.creations;
    // etcd takes each key once: who comes later finds what the first one has found, or created.
    if (first === undefined || 'why' in creation) return creation;
    return compared(wish, { kind: 'found', item: creation.item });
  }

  /**
   * As many as go into a transaction, each key once: together, when they fill one, and else as single
   * ones. Kept apart each took 7 µs more, of 23 (2026-11-29).
   */
  async createAll(wishes: readonly Wish[]): Promise<readonly Creation[]> {
    const bytes = bytesOf(wishes);
    if (wishes.length < SIDE_KEYS_MIN || bytes > TRANSACTION_BYTES_MAX) {
      return Promise.all(wishes.map((wish) => this.create(wish)));
    }
    if (this.#isCrowded(wishes.length, bytes)) return wishes.map(() => CROWDED);
    const entry = this.#enter(wishes, undefined);
    this.#count(entry, wishes.length, bytes);
    return entry.creations;
  }

  #isCrowded(creates: number, bytes: number): boolean {
    return this.#creates + creates > WAITING_MAX || this.#bytes + bytes > WAITING_BYTES_MAX;
  }

  #count(entry: Entry, creates: number, bytes: number): void {
    entry.creates += creates;
    entry.bytes += bytes;
    this.#creates += creates;
    this.#bytes += bytes;
    this.#schedule();
  }

  #enter(wishes: readonly Wish[], name: string | undefined): Entry {
    let resolve: Entry['settle'] = () => {};
    const creations = new Promise<readonly Creation[]>((settle) => {
      resolve = settle;
    });
    const entry: Entry = {
      ...{ name, wishes, creations, isSent: false, creates: 0, bytes: 0 },
      untilMs: performance.now() + this.#msMax,
      settle: (came) => {
        this.#open.delete(entry);
        resolve(came);
      },
    };
    this.#waiting.add(entry);
    if (name !== undefined) this.#byName.set(name, entry);
    this.#open.add(entry);
    this.#timer ??= this.#watch(entry);
    return entry;
  }

  /** All that come in this turn of the event loop go together. */
  #schedule(): void {
    if (this.#isScheduled || !this.#isReady()) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.#isReady()) void this.#send(this.#take());
    });
  }

  /** Whether what waits is to be sent now, or with what comes while etcd is busy. */
  #isReady(): boolean {
    if (this.#sentBytes >= SENT_BYTES_MAX) return false;
    if (this.#transactions === 0) return this.#waiting.size > 0;
    const isMuch = this.#creates >= SIDE_KEYS_MIN || this.#bytes >= TRANSACTION_BYTES_MAX;
    return isMuch && this.#transactions < TRANSACTIONS_MAX;
  }

  /** Takes as many as fit into a transaction. */
  #take(): readonly Entry[] {
    const group: Entry[] = [];
    let keys = 0;
    let bytes = 0;
    for (const entry of this.#waiting) {
      // Their keys may be those of others that wait, and each may be in a transaction once.
      if (entry.name === undefined && group.length > 0) break;
      keys += entry.wishes.length;
      bytes += bytesOf(entry.wishes);
      const isFull = keys > TRANSACTION_KEYS_MAX || bytes > TRANSACTION_BYTES_MAX;
      if (isFull && group.length > 0) break;
      group.push(entry);
      if (entry.name === undefined) break;
    }
    for (const entry of group) {
      this.#leave(entry);
      entry.isSent = true;
    }
    return group;
  }

  #leave(entry: Entry): void {
    this.#waiting.delete(entry);
    if (entry.name !== undefined) this.#byName.delete(entry.name);
    this.#creates -= entry.creates;
    this.#bytes -= entry.bytes;
  }

  async #send(group: readonly Entry[]): Promise<void> {
    const sentBytes = group.reduce((sum, { wishes }) => sum + bytesOf(wishes), 0);
    this.#sentBytes += sentBytes;
    this.#transactions++;
    let isCounted = true;
    const uncount = (): void => {
      if (!isCounted) return;
      isCounted = false;
      this.#transactions--;
      this.#schedule();
    };
    // One whose answer does not come must not hold up those that wait.
    const timer = setTimeout(uncount, TRANSACTION_STALLED_MS);
    const unknown = (error: unknown): Creation => ({ kind: 'unknown', why: messageOf(error) });
    try {
      const creations = await this.#commit(group.flatMap(({ wishes }) => wishes));
      let at = 0;
      for (const { wishes, settle } of group) {
        const came = creations.slice(at, at + wishes.length);
        at += wishes.length;
        if (came.every(isKnown)) settle(came);
        else void Promise.all(came.map((one) => Promise.resolve(one).catch(unknown))).then(settle);
      }
    } catch (error) {
      for (const { wishes, settle } of group) settle(wishes.map(() => unknown(error)));
    }
    clearTimeout(timer);
    this.#sentBytes -= sentBytes;
    uncount();
    this.#schedule();
  }

  /** One timer for all: who came first has to be answered first. */
  #watch({ untilMs }: Entry): NodeJS.Timeout {
    const waitMs = Math.max(1, Math.ceil(untilMs - performance.now()));
    return setTimeout(() => this.#expire(), waitMs).unref();
  }

  #expire(): void {
    const nowMs = performance.now();
    this.#timer = undefined;
    for (const entry of this.#open) {
      if (entry.untilMs > nowMs) {
        this.#timer = this.#watch(entry);
        return;
      }
      if (!entry.isSent) this.#leave(entry);
      const creation = entry.isSent ? lateOf(this.#msMax) : TOO_LATE;
      entry.settle(entry.wishes.map(() => creation));
    }
  }
}

function bytesOf(wishes: readonly Wish[]): number {
  return wishes.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}

function isKnown(creation: Creation | Promise<Creation>): creation is Creation {
  return !(creation instanceof Promise);
}

function lateOf(msMax: number): Creation {
  return { kind: 'unknown', why: `no answer of etcd in ${msMax} ms` };
}
