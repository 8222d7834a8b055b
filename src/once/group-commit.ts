import { messageOf } from '../common/errors.ts';
import { compared } from './item.ts';
import {
  CREATE_MS_MAX,
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

/** A key that is to be created. */
interface Entry {
  readonly name: string;
  readonly wish: Wish;
  readonly untilMs: number;
  readonly creation: Promise<Creation>;
  /** Answers all that wait for it, for the first time that it is called. */
  readonly settle: (creation: Creation) => void;
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
  /** What goes into the next transactions, by key, in the order in which they came. */
  readonly #waiting = new Map<string, Entry>();
  #creates = 0;
  #bytes = 0;
  /** What is not answered yet, in the same order. */
  readonly #open = new Set<Entry>();
  #transactions = 0;
  #isScheduled = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(commit: Commit, msMax = CREATE_MS_MAX) {
    this.#commit = commit;
    this.#msMax = msMax;
  }

  /** It is answered after the time that a create may take, whatever etcd does. */
  create(wish: Wish): Promise<Creation> {
    const bytes = wish.value.length;
    if (this.#creates >= WAITING_MAX || this.#bytes + bytes > WAITING_BYTES_MAX) {
      return Promise.resolve(CROWDED);
    }
    const name = wish.key.toString('latin1');
    const first = this.#waiting.get(name);
    const entry = first ?? this.#enter(name, wish);
    entry.creates++;
    entry.bytes += bytes;
    this.#creates++;
    this.#bytes += bytes;
    if (first === undefined) return entry.creation;
    // etcd takes each key once: who comes later finds what the first one has found, or created.
    return first.creation.then((creation) => {
      return 'why' in creation ? creation : compared(wish, { kind: 'found', item: creation.item });
    });
  }

  #enter(name: string, wish: Wish): Entry {
    let resolve: Entry['settle'] = () => {};
    const creation = new Promise<Creation>((settle) => {
      resolve = settle;
    });
    const entry: Entry = {
      ...{ name, wish, creation, isSent: false, creates: 0, bytes: 0 },
      untilMs: performance.now() + this.#msMax,
      settle: (came) => {
        this.#open.delete(entry);
        resolve(came);
      },
    };
    this.#waiting.set(name, entry);
    this.#open.add(entry);
    this.#timer ??= this.#watch(entry);
    this.#schedule();
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
    if (this.#transactions === 0) return this.#waiting.size > 0;
    const isMuch = this.#waiting.size >= SIDE_KEYS_MIN || this.#bytes >= TRANSACTION_BYTES_MAX;
    return isMuch && this.#transactions < TRANSACTIONS_MAX;
  }

  /** Takes as many as fit into a transaction. */
  #take(): readonly Entry[] {
    const group: Entry[] = [];
    let bytes = 0;
    for (const entry of this.#waiting.values()) {
      bytes += entry.wish.key.length + entry.wish.value.length;
      const isFull = group.length === TRANSACTION_KEYS_MAX || bytes > TRANSACTION_BYTES_MAX;
      if (isFull && group.length > 0) break;
      group.push(entry);
    }
    for (const entry of group) {
      this.#leave(entry);
      entry.isSent = true;
    }
    return group;
  }

  #leave({ name, creates, bytes }: Entry): void {
    this.#waiting.delete(name);
    this.#creates -= creates;
    this.#bytes -= bytes;
  }

  async #send(group: readonly Entry[]): Promise<void> {
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
      const creations = await this.#commit(group.map(({ wish }) => wish));
      for (const [i, { settle }] of group.entries()) {
        const creation = creations[i];
        if (creation instanceof Promise) void creation.catch(unknown).then(settle);
        else settle(creation);
      }
    } catch (error) {
      for (const { settle } of group) settle(unknown(error));
    }
    clearTimeout(timer);
    uncount();
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
      entry.settle(entry.isSent ? lateOf(this.#msMax) : TOO_LATE);
    }
  }
}

function lateOf(msMax: number): Creation {
  return { kind: 'unknown', why: `no answer of etcd in ${msMax} ms` };
}
