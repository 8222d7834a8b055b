import type { Socket } from 'node:net';
import { messageOf } from '../common/errors.ts';
import {
  ANY_SHARD,
  FORWARD_VERSION,
  HELLO,
  HELLO_MAGIC,
  WELCOME,
  WELCOME_MAGIC,
  WELCOME_STATUS,
} from '../protocol/forward/frames.ts';
import { Answers, WrongAnswer } from './answers.ts';
import { Pending } from './pending.ts';
import type { Questions } from './questions.ts';

/** Room for requests of one turn that is taken first. */
const ROOM_BYTES_MIN = 16 * 1024;

/** Requests that one server has not taken yet; more are answered with a fault. */
const UNSENT_BYTES_MAX = 16 * 1024 * 1024;

/** What a link says of itself when it is opened. */
export interface LinkHello {
  /** The one that the server has, or `ANY_SHARD`. */
  readonly shard: number;
  /** 16 hexadecimal digits. */
  readonly epoch: string;
  /** `user password`; empty: nobody has to log in. */
  readonly login: string;
}

export interface LinkEvents {
  /** The server has let us in. */
  readonly onReady: (link: Link) => void;
  /** It has other shards than we, and looks at each key. */
  readonly onOtherEpoch: (epoch: string) => void;
  /** Other servers are to be asked for what is the oldest that is pending. */
  readonly onElsewhere: (pending: Pending, addresses: string) => void;
  /** It is over; what is pending is to be asked elsewhere. */
  readonly onEnd: (link: Link, why: string) => void;
}

/** One connection to one server of another shard. Requests are kept until `flush`, and answered in order. */
export class Link {
  readonly pending = new Pending();
  readonly openedMs: number;
  readonly #socket: Socket;
  readonly #hello: LinkHello;
  readonly #events: LinkEvents;
  readonly #answers: Answers;
  #out: Buffer = Buffer.allocUnsafeSlow(ROOM_BYTES_MIN);
  #outBytes = 0;
  #welcome: Buffer = Buffer.alloc(0);
  #isReady = false;
  #isEnded = false;
  #wasClosed = false;
  #heardMs: number;

  /** @param open Connects, and has what is read passed on. */
  constructor(
    open: (onRead: (chunk: Buffer, length: number) => void) => Socket,
    hello: LinkHello,
    events: LinkEvents,
    nowMs: number,
  ) {
    this.openedMs = nowMs;
    this.#heardMs = nowMs;
    this.#hello = hello;
    this.#events = events;
    this.#answers = new Answers(this.pending, (addresses) => {
      events.onElsewhere(this.pending, addresses);
    });
    this.#socket = open((chunk, length) => this.#receive(chunk, length));
    this.#socket.setNoDelay(true);
    this.#socket.on('error', (error) => this.end(messageOf(error)));
    this.#socket.on('close', () => this.end('it closed the connection', true));
    this.#appendHello();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /**
   * @param hops How many servers have sent the question elsewhere.
   * @returns Whether there is room.
   */
  ask(questions: Questions, index: number, sinceMs: number, hops: number): boolean {
    if (this.#outBytes + this.#socket.writableLength > UNSENT_BYTES_MAX) return false;
    const { keys } = questions;
    const start = questions.keyStart(index);
    const end = questions.keyEnd(index);
    this.#reserve(2 + end - start);
    let at = this.#outBytes;
    this.#out[at++] = (end - start) >> 8;
    this.#out[at++] = (end - start) & 0xff;
    for (let i = start; i < end; i++) this.#out[at++] = keys[i];
    this.#outBytes = at;
    this.pending.add(questions, index, sinceMs, hops);
    return true;
  }

  /** Sends all requests of a turn in one write. */
  flush(): void {
    if (this.#outBytes === 0 || this.#isEnded) return;
    this.#socket.write(this.#out.subarray(0, this.#outBytes));
    this.#outBytes = 0;
    // The system has not taken all of it: it is read later.
    if (this.#socket.writableLength > 0) this.#out = Buffer.allocUnsafeSlow(ROOM_BYTES_MIN);
  }

  /** For how long it owes an answer, or its welcome, and has sent nothing; 0: it owes none. */
  silentMs(nowMs: number): number {
    if (!this.#isReady) return nowMs - this.openedMs;
    if (this.pending.length === 0) return 0;
    return nowMs - Math.max(this.#heardMs, this.pending.oldestMs);
  }

  /** For how long the oldest question has waited; 0: there is none. */
  waitedMs(nowMs: number): number {
    return this.pending.length === 0 ? 0 : nowMs - this.pending.oldestMs;
  }

  /** Whether it is to be opened anew at once: it was ready, and the server has closed it. */
  get wasClosed(): boolean {
    return this.#wasClosed;
  }

  end(why: string, wasClosed = false): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#wasClosed = wasClosed && this.#isReady;
    this.#socket.destroy();
    this.#events.onEnd(this, why);
  }

  #appendHello(): void {
    const { shard, epoch, login } = this.#hello;
    const text = Buffer.from(login);
    const hello = Buffer.alloc(HELLO.bytes);
    HELLO_MAGIC.copy(hello);
    hello[HELLO.version] = FORWARD_VERSION;
    hello.writeUInt16BE(shard, HELLO.shard);
    hello.write(epoch, HELLO.epoch, 'hex');
    hello.writeUInt16BE(text.length, HELLO.loginBytes);
    this.#reserve(hello.length + text.length);
    hello.copy(this.#out, 0);
    text.copy(this.#out, hello.length);
    this.#outBytes = hello.length + text.length;
  }

  #reserve(bytes: number): void {
    if (this.#outBytes + bytes <= this.#out.length) return;
    const out = Buffer.allocUnsafeSlow(Math.max(this.#out.length * 2, this.#outBytes + bytes));
    this.#out.copy(out, 0, 0, this.#outBytes);
    this.#out = out;
  }

  #receive(chunk: Buffer, length: number): void {
    if (this.#isEnded) return;
    this.#heardMs = performance.now();
    try {
      const start = this.#isReady ? 0 : this.#readWelcome(chunk, length);
      if (this.#isReady) this.#answers.read(chunk, start, length);
    } catch (error) {
      if (!(error instanceof WrongAnswer)) throw error;
      this.end(error.message);
    }
  }

  /** @returns How far the chunk was read. */
  #readWelcome(chunk: Buffer, length: number): number {
    const bytes = Math.min(length, WELCOME.bytes - this.#welcome.length);
    this.#welcome = Buffer.concat([this.#welcome, chunk.subarray(0, bytes)]);
    const welcome = this.#welcome;
    const begun = Math.min(welcome.length, WELCOME_MAGIC.length);
    if (!welcome.subarray(0, begun).equals(WELCOME_MAGIC.subarray(0, begun))) {
      throw new WrongAnswer('it does not answer as a server of a cluster: is its -shards missing?');
    }
    if (welcome.length < WELCOME.bytes) return bytes;
    const epoch = epochOf(welcome);
    if (epoch !== this.#hello.epoch) this.#events.onOtherEpoch(epoch);
    const fault = faultOf(welcome, this.#hello);
    if (fault !== undefined) throw new WrongAnswer(fault);
    this.#isReady = true;
    this.#events.onReady(this);
    return bytes;
  }
}

function epochOf(welcome: Buffer): string {
  return welcome.toString('hex', WELCOME.epoch, WELCOME.bytes);
}

/** Why we were not let in, or do not want in; undefined: we are. */
function faultOf(welcome: Buffer, { shard, epoch }: LinkHello): string | undefined {
  const itsShard = welcome.readUInt16BE(WELCOME.shard);
  const itsEpoch = epochOf(welcome);
  switch (welcome[WELCOME.status]) {
    case WELCOME_STATUS.otherEpoch:
      return `its shards.toml has epoch ${itsEpoch}, ours ${epoch}: upgrade it, or give both the same file`;
    case WELCOME_STATUS.badLogin:
      return 'it does not accept the login: give all nodes the same user file';
    case WELCOME_STATUS.otherVersion:
      return 'it speaks another version: upgrade all nodes';
  }
  const isShardKnown = itsEpoch === epoch && shard !== ANY_SHARD;
  if (isShardKnown && itsShard !== shard)
    return `it has the shard with idx ${itsShard}, expected ${shard}`;
  return welcome[WELCOME.status] === WELCOME_STATUS.ok ? undefined : 'it has no data yet';
}
