import type { Counters } from '../protocol/counters.ts';
import type { Owners } from './forward.ts';
import type { Link } from './link.ts';
import { Owner, type OwnerNode, type OwnerShare } from './owner.ts';
import type { Questions } from './questions.ts';

/** How often servers are looked at that owe answers or have failed. */
const CHECK_INTERVAL_MS = 50;

/** A shard of others. */
interface ForeignShard {
  readonly name: string;
  readonly idx: number;
  readonly nodes: readonly OwnerNode[];
}

export interface ForwarderOptions {
  readonly shards: readonly ForeignShard[];
  /** 16 hexadecimal digits. */
  readonly epoch: string;
  readonly login: OwnerShare['login'];
  readonly counters: Counters;
  readonly onChange: OwnerShare['onChange'];
}

/** What asks the servers of all other shards, for one thread: one connection to each that is asked. */
export class Forwarder implements Owners {
  readonly #owners: readonly (Owner | undefined)[];
  readonly #counters: Counters;
  readonly #checks: NodeJS.Timeout;
  #dirty: Link[] = [];
  #faults: (readonly [questions: Questions, index: number, text: string])[] = [];
  #isFlushing = false;
  #nowMs = performance.now();
  #checkedMs = this.#nowMs;

  constructor({ shards, epoch, login, counters, onChange }: ForwarderOptions) {
    this.#counters = counters;
    const share: OwnerShare = {
      nowMs: () => this.#nowMs,
      flush: (link) => {
        if (!this.#dirty.includes(link)) this.#dirty.push(link);
        this.#flushSoon();
      },
      fault: (...fault) => {
        this.#faults.push(fault);
        this.#flushSoon();
      },
      ...{ onChange, login },
    };
    const owners: Owner[] = [];
    for (const { idx, name, nodes } of shards) {
      owners[idx] = new Owner(name, { shard: idx, epoch }, nodes, share);
    }
    this.#owners = owners;
    this.#checks = setInterval(() => this.#check(), CHECK_INTERVAL_MS);
    this.#checks.unref();
  }

  ask(questions: Questions): void {
    if (!this.#isFlushing) this.#nowMs = performance.now();
    const { count } = questions;
    let asked = 0;
    for (let i = 0; i < count; i++) {
      if (questions.isAnswered(i)) continue;
      asked++;
      this.#owners[questions.shard(i)]!.ask(questions, i);
    }
    this.#counters.forwarded_out += asked;
  }

  close(): void {
    clearInterval(this.#checks);
    for (const owner of this.#owners) owner?.close();
  }

  /** At the end of the turn, when all connections have asked. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushing = false;
    const dirty = this.#dirty;
    const faults = this.#faults;
    this.#dirty = [];
    this.#faults = [];
    for (const link of dirty) link.flush();
    this.#counters.forward_faults += faults.length;
    for (const [questions, index, text] of faults) questions.noteFault(index, text);
  }

  #check(): void {
    const nowMs = performance.now();
    const isLate = nowMs - this.#checkedMs > 2 * CHECK_INTERVAL_MS;
    this.#checkedMs = nowMs;
    this.#nowMs = nowMs;
    // This thread was held up: what has come meanwhile is read first.
    if (isLate) return;
    for (const owner of this.#owners) owner?.check(nowMs);
  }
}
