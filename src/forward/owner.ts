import type { Socket } from 'node:net';
import { messageOf } from '../common/errors.ts';
import { Link, type LinkHello } from './link.ts';
import type { Pending } from './pending.ts';
import type { Questions } from './questions.ts';

/** A server that owes an answer this long is left for another one of its shard, if there is one. */
const SILENCE_MS_MAX = 250;

/** A key that has no answer by then has a fault. */
const FORWARD_MS_MAX = 1_000;

/** An answer that comes in little pieces has come whole by then. The longest value takes 4.3 s at a gigabit a second. */
const WHOLE_MS_MAX = 10_000;

/** A server that has failed is tried again after so long, and twice that up to the second. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 1_000;

/** One server of a shard. */
export interface OwnerNode {
  /** For messages. */
  readonly name: string;
  readonly open: (onRead: (chunk: Buffer, length: number) => void) => Socket;
}

/** What a thread's owners have in common. */
export interface OwnerShare {
  /** `user password`, or empty. May throw. */
  readonly login: () => string;
  /** Milliseconds on a clock that is set once a turn. */
  readonly nowMs: () => number;
  /** Has `flush` called of a link at the end of the turn. */
  readonly flush: (link: Link) => void;
  /** Has other servers asked, whose addresses one of these has named. */
  readonly askElsewhere: (question: Question, addresses: string) => void;
  /** A server has other shards. */
  readonly onOtherEpoch: (node: string, epoch: string) => void;
  /** Has a fault noted, in a later turn. */
  readonly fault: (questions: Questions, index: number, text: string) => void;
  /** A server has begun to fail, or answers again. */
  readonly onChange: (node: string, answers: boolean, why: string) => void;
}

/** A key that is asked for. */
export interface Question {
  readonly questions: Questions;
  readonly index: number;
  readonly sinceMs: number;
  /** How many servers have sent it elsewhere. */
  readonly hops: number;
}

interface NodeState {
  readonly node: OwnerNode;
  link: Link | undefined;
  retryMs: number;
  retryAtMs: number;
  /** Why it failed last; undefined: it has not, or answers again. */
  why: string | undefined;
}

/** The servers of one shard: all have the same data, and one of them is asked, the preferred one if it answers. */
export class Owner {
  readonly #shard: string;
  readonly #hello: Omit<LinkHello, 'login'>;
  readonly #share: OwnerShare;
  /** The preferred one first. */
  readonly #nodes: readonly NodeState[];
  /** Whom to ask, while nothing changes. */
  #current: Link | undefined;
  #isClosed = false;

  constructor(
    shard: string,
    hello: Omit<LinkHello, 'login'>,
    nodes: readonly OwnerNode[],
    share: OwnerShare,
  ) {
    this.#shard = shard;
    this.#hello = hello;
    this.#share = share;
    this.#nodes = nodes.map((node) => ({
      ...{ node, link: undefined, why: undefined },
      ...{ retryMs: RETRY_MS_MIN, retryAtMs: 0 },
    }));
  }

  ask(questions: Questions, index: number, sinceMs: number, hops = 0): void {
    const link = this.#current ?? this.#choose();
    if (link === undefined) this.#share.fault(questions, index, this.#whyNobody());
    else if (!link.ask(questions, index, sinceMs, hops)) {
      this.#share.fault(questions, index, `${this.#shard} is asked for more than it answers`);
    } else this.#share.flush(link);
  }

  #whyNobody(): string {
    const reasons = this.#nodes.map(({ node, why }) => `${node.name}: ${why ?? 'not connected'}`);
    return `${this.#shard} does not answer: ${reasons.join('; ')}`.replaceAll(/[\r\n]/g, ' ');
  }

  /** The first that is ready; else the first that may become so. */
  #choose(): Link | undefined {
    const nowMs = this.#share.nowMs();
    const ready = this.#nodes.find(({ link }) => link?.isReady === true);
    const open = ready ?? this.#nodes.find(({ link }) => link !== undefined);
    const chosen = open ?? this.#nodes.find(({ retryAtMs }) => retryAtMs <= nowMs);
    if (chosen === undefined) return undefined;
    const link = chosen.link ?? this.#connect(chosen, nowMs);
    if (link?.isReady === true) this.#current = link;
    return link;
  }

  #connect(state: NodeState, nowMs: number): Link | undefined {
    const events = {
      onReady: () => this.#noteReady(state),
      onOtherEpoch: (epoch: string) => this.#share.onOtherEpoch(state.node.name, epoch),
      onElsewhere: (pending: Pending, addresses: string) => {
        const { questions, index, oldestMs: sinceMs, hops } = pending;
        pending.shift();
        this.#share.askElsewhere({ questions, index, sinceMs, hops: hops + 1 }, addresses);
      },
      onEnd: (ended: Link, why: string) => this.#noteEnd(state, ended, why),
    };
    try {
      const hello = { ...this.#hello, login: this.#share.login() };
      state.link = new Link(state.node.open, hello, events, nowMs);
      this.#share.flush(state.link);
    } catch (error) {
      this.#noteFailure(state, messageOf(error), nowMs);
    }
    return state.link;
  }

  #noteFailure(state: NodeState, why: string, nowMs: number): void {
    state.retryAtMs = nowMs + state.retryMs;
    state.retryMs = Math.min(state.retryMs * 2, RETRY_MS_MAX);
    if (state.why !== why) this.#share.onChange(state.node.name, false, why);
    state.why = why;
  }

  #noteReady(state: NodeState): void {
    state.retryMs = RETRY_MS_MIN;
    if (state.why !== undefined) this.#share.onChange(state.node.name, true, 'it answers');
    state.why = undefined;
    this.#current = this.#nodes.find(({ link }) => link?.isReady === true)?.link;
  }

  #noteEnd(state: NodeState, ended: Link, why: string): void {
    if (this.#isClosed) return;
    const nowMs = performance.now();
    state.link = undefined;
    // A server that is upgraded closes its connections, and its successor accepts.
    const isSuccession = ended.wasClosed && nowMs - ended.openedMs >= RETRY_MS_MIN;
    if (!isSuccession) this.#noteFailure(state, why, nowMs);
    if (this.#current === ended) this.#current = undefined;
    const { pending } = ended;
    for (let left = pending.length; left > 0; left--) {
      const { questions, index, oldestMs, hops } = pending;
      pending.shift();
      if (nowMs - oldestMs < FORWARD_MS_MAX) this.ask(questions, index, oldestMs, hops);
      else this.#share.fault(questions, index, this.#whyNobody());
    }
  }

  /** To be called now and then: leaves servers that owe an answer, and tries those that have failed. */
  check(nowMs: number): void {
    for (const state of this.#nodes) {
      const silentMs = state.link?.silentMs(nowMs) ?? 0;
      const isLeft = silentMs > SILENCE_MS_MAX && this.#hasOther(state, nowMs);
      const waitedMs = state.link?.waitedMs(nowMs) ?? 0;
      if (isLeft || silentMs > FORWARD_MS_MAX || waitedMs > WHOLE_MS_MAX) {
        state.link?.end('it has not answered in time');
      }
      const hasFailed = state.link === undefined && state.why !== undefined;
      if (hasFailed && state.retryAtMs <= nowMs) this.#connect(state, nowMs);
    }
  }

  /** Whether another server answers. If none is known to, they are connected to, and it is known next time. */
  #hasOther(silent: NodeState, nowMs: number): boolean {
    const others = this.#nodes.filter((state) => state !== silent);
    for (const state of others) {
      if (state.link === undefined && state.retryAtMs <= nowMs) this.#connect(state, nowMs);
    }
    return others.some(({ link }) => link?.isReady === true);
  }

  close(): void {
    this.#isClosed = true;
    for (const { link } of this.#nodes) link?.end('this server closes');
  }
}
