import type { Counters } from '../protocol/counters.ts';
import { ANY_SHARD } from '../protocol/forward/frames.ts';
import type { Owners } from './forward.ts';
import type { Link } from './link.ts';
import { Owner, type OwnerNode, type OwnerShare, type Question } from './owner.ts';
import type { Questions } from './questions.ts';

/** How often servers are looked at that owe answers or have failed. */
const CHECK_INTERVAL_MS = 50;

/** A key that so many servers have sent elsewhere has a fault: theirs are three different shards.toml. */
const HOPS_MAX = 3;

/** Shards of other files than ours that servers have named. */
const ELSEWHERE_MAX = 256;

/** Of addresses in a message. */
const NAMED_CHARS_MAX = 200;

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
  readonly onOtherEpoch: OwnerShare['onOtherEpoch'];
  /** Servers whose addresses are given with spaces between; undefined: these are no addresses. */
  readonly nodesFrom: (addresses: string) => readonly OwnerNode[] | undefined;
}

/** What asks the servers of all other shards, for one thread: one connection to each that is asked. */
export class Forwarder implements Owners {
  readonly #owners: readonly (Owner | undefined)[];
  /** Those that servers with other shards have named, by their addresses. */
  readonly #elsewhere = new Map<string, Owner>();
  readonly #share: OwnerShare;
  readonly #epoch: string;
  readonly #nodesFrom: ForwarderOptions['nodesFrom'];
  readonly #counters: Counters;
  readonly #checks: NodeJS.Timeout;
  #dirty: Link[] = [];
  #faults: (readonly [questions: Questions, index: number, text: string])[] = [];
  #isFlushing = false;
  #nowMs = performance.now();
  #checkedMs = this.#nowMs;

  constructor({ shards, epoch, counters, nodesFrom, ...options }: ForwarderOptions) {
    this.#counters = counters;
    this.#epoch = epoch;
    this.#nodesFrom = nodesFrom;
    const { login, onChange, onOtherEpoch } = options;
    this.#share = {
      nowMs: () => this.#nowMs,
      flush: (link) => {
        if (!this.#dirty.includes(link)) this.#dirty.push(link);
        this.#flushSoon();
      },
      fault: (...fault) => {
        this.#faults.push(fault);
        this.#flushSoon();
      },
      askElsewhere: (question, addresses) => this.#askElsewhere(question, addresses),
      ...{ onChange, onOtherEpoch, login },
    };
    const owners: Owner[] = [];
    for (const { idx, name, nodes } of shards) {
      owners[idx] = new Owner(name, { shard: idx, epoch }, nodes, this.#share);
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
      this.#owners[questions.shard(i)]!.ask(questions, i, this.#nowMs);
    }
    this.#counters.forwarded_out += asked;
  }

  close(): void {
    clearInterval(this.#checks);
    for (const owner of this.#all()) owner.close();
  }

  *#all(): Iterable<Owner> {
    for (const owner of this.#owners) if (owner !== undefined) yield owner;
    yield* this.#elsewhere.values();
  }

  /** A server has other shards, and names whom to ask by them. */
  #askElsewhere({ questions, index, sinceMs, hops }: Question, addresses: string): void {
    this.#counters.forward_redirects++;
    const owner = hops > HOPS_MAX ? undefined : this.#ownerAt(addresses);
    if (owner !== undefined) owner.ask(questions, index, sinceMs, hops);
    else {
      const why = hops > HOPS_MAX ? `${hops} servers send the key on` : 'a server sends the key on';
      const where = addresses.replaceAll(/[^ -~]/g, '?').slice(0, NAMED_CHARS_MAX);
      const text = `${why}, to ${where}: give all nodes the same shards.toml`;
      this.#share.fault(questions, index, text);
    }
  }

  #ownerAt(addresses: string): Owner | undefined {
    const known = this.#elsewhere.get(addresses);
    if (known !== undefined || this.#elsewhere.size >= ELSEWHERE_MAX) return known;
    const nodes = this.#nodesFrom(addresses);
    if (nodes === undefined) return undefined;
    const owner = new Owner(
      addresses,
      { shard: ANY_SHARD, epoch: this.#epoch },
      nodes,
      this.#share,
    );
    this.#elsewhere.set(addresses, owner);
    return owner;
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
    for (const owner of this.#all()) owner.check(nowMs);
  }
}
