import type { View } from '../../handler/handler.ts';
import type { Session, SessionContext, SessionState } from '../protocol.ts';
import type { Reply } from '../reply.ts';
import {
  GET_LINE_BYTES_MAX,
  isGet,
  LINE_BYTES_MAX,
  LineFinder,
  mayBeLong,
  skipSpaces,
  wordEnd,
  wordsOf,
} from './line.ts';
import { generalStats } from './stats.ts';
import { appendValue } from './values.ts';
import { ASKED_KEY_BYTES_MAX, type Refusal, refuseWrite } from './writes.ts';

const CR = 0x0d;
const LF = 0x0a;

/** The first byte of a request in memcached's binary protocol. */
const BINARY_MAGIC = 0x80;

const END = Buffer.from('END\r\n');
const BAD_FORMAT = 'CLIENT_ERROR bad command line format\r\n';

/** A data block that is being swallowed, and what to say when it is over. */
interface DataBlock {
  /** Bytes to come, with the two that must be `\r\n`. */
  remaining: number;
  endsWell: boolean;
  readonly refusal: Refusal;
}

/** One client's conversation in memcached's text protocol. */
export class TextSession implements Session {
  readonly #context: SessionContext;
  readonly #line = new LineFinder();
  #hasBegun = false;
  #state: SessionState = 'open';
  #data: DataBlock | undefined;
  /** The view of a `get` under way. Between two calls: the input goes on with its other keys. */
  #view: View | undefined;
  #withCas = false;
  /** Where the keys begin that a full reply left unanswered. */
  #stoppedAt = 0;

  constructor(context: SessionContext) {
    this.#context = context;
  }

  get state(): SessionState {
    return this.#state;
  }

  receive(input: Buffer, start: number, end: number, reply: Reply): number {
    if (!this.#hasBegun && start < end) this.#begin(input[start]);
    let at = start;
    while (at < end && this.#state === 'open' && !reply.isFull) {
      if (this.#data !== undefined) {
        at = this.#swallow(this.#data, input, at, end, reply);
        continue;
      }
      const line = this.#line;
      const isWhole = line.find(input, at, end);
      if (this.#endsTooLong(input, at, isWhole ? line.next - 1 : end, reply) || !isWhole) break;
      if (this.#view === undefined) this.#run(input, at, line.textEnd, reply);
      else this.#goOn(this.#view, input, at, line.textEnd, reply);
      at = this.#view === undefined ? line.next : this.#stoppedAt;
    }
    return at - start;
  }

  close(): void {
    this.#view?.release();
    this.#view = undefined;
    this.#state = 'close';
  }

  /** Clients of the binary protocol hang on a connection that is merely closed. */
  #begin(firstByte: number): void {
    this.#hasBegun = true;
    if (firstByte === BINARY_MAGIC) this.#state = 'reset';
  }

  /** Runs the command in the line input[start, end). */
  #run(input: Buffer, start: number, end: number, reply: Reply): void {
    const verb = skipSpaces(input, start, end);
    const verbEnd = wordEnd(input, verb, end);
    if (isGet(input, verb, verbEnd)) {
      if (skipSpaces(input, verbEnd, end) === end) {
        this.#protocolError(reply, 'ERROR\r\n');
        return;
      }
      this.#withCas = verbEnd - verb === 4;
      this.#retrieve(input, verbEnd, end, reply);
      return;
    }
    const words = wordsOf(input, verb, end);
    const refusal = refuseWrite(words);
    if (refusal === undefined) this.#runOther(words, reply);
    else this.#refuse(refusal, reply);
  }

  /**
   * Begins to answer the keys in input[from, end). A key that is too long makes the error the only
   * reply, as memcached does it.
   */
  #retrieve(input: Buffer, from: number, end: number, reply: Reply): void {
    const replyLength = reply.length;
    const view = this.#context.handler.view();
    // Kept from the start: if the storage throws, `close` still lets go of it.
    this.#view = view;
    const stop = this.#answerKeys(view, input, skipSpaces(input, from, end), end, reply);
    // What is sent cannot be taken back, so the keys that have to wait are checked now.
    if (hasLongKey(input, stop, end)) {
      reply.truncate(replyLength);
      this.#release(view);
      this.#protocolError(reply, BAD_FORMAT);
    } else {
      this.#finish(view, stop, end, reply);
    }
  }

  /** Goes on, on the same view, where a full reply made a `get` stop. */
  #goOn(view: View, input: Buffer, from: number, end: number, reply: Reply): void {
    this.#finish(view, this.#answerKeys(view, input, from, end, reply), end, reply);
  }

  /** Ends a `get`, or has the keys from `stop` on wait until the reply is sent. */
  #finish(view: View, stop: number, end: number, reply: Reply): void {
    if (stop < end) {
      this.#stoppedAt = stop;
      this.#line.resumeAt(stop);
      return;
    }
    this.#release(view);
    reply.copy(END, 0, END.length);
  }

  /**
   * @returns Where the first key begins that is not answered, because the reply is full or the key
   *   too long; `end` when all are.
   */
  #answerKeys(view: View, input: Buffer, from: number, end: number, reply: Reply): number {
    let hits = 0;
    let misses = 0;
    let key = from;
    while (key < end && !reply.isFull) {
      const keyEnd = wordEnd(input, key, end);
      if (keyEnd - key > ASKED_KEY_BYTES_MAX) break;
      const entry = view.get(input, key, keyEnd);
      if (entry === undefined) misses++;
      else {
        hits++;
        appendValue(reply, entry, input, key, keyEnd, this.#withCas);
      }
      key = skipSpaces(input, keyEnd, end);
    }
    this.#countKeys(hits, misses);
    return key;
  }

  #release(view: View): void {
    this.#view = undefined;
    view.release();
  }

  #countKeys(hits: number, misses: number): void {
    const { counters } = this.#context;
    counters.cmd_get += hits + misses;
    counters.get_hits += hits;
    counters.get_misses += misses;
  }

  #runOther(words: readonly string[], reply: Reply): void {
    switch (words[0]) {
      case 'version':
        reply.text(`VERSION ${this.#context.facts.version}\r\n`);
        return;
      case 'quit':
        this.#state = 'close';
        return;
      case 'verbosity':
        this.#verbosity(words, reply);
        return;
      case 'stats':
        this.#stats(words, reply);
        return;
      case 'mn':
        reply.text('MN\r\n');
        return;
      default:
        if (words.at(-1)?.startsWith('HTTP/')) this.#state = 'close';
        else this.#protocolError(reply, 'ERROR\r\n');
    }
  }

  /** Accepted, for clients that send it; the log does not depend on it. */
  #verbosity(words: readonly string[], reply: Reply): void {
    if (words.length < 2 || words.length > 3) this.#protocolError(reply, 'ERROR\r\n');
    else if (words.at(-1) === 'noreply') return;
    else if (!/^\+?\d+$/.test(words[1])) this.#protocolError(reply, BAD_FORMAT);
    else reply.text('OK\r\n');
  }

  /** Some clients lose lines of a reply that comes in several packets: it is one write. */
  #stats(words: readonly string[], reply: Reply): void {
    if (words.length > 1) {
      this.#protocolError(reply, 'ERROR\r\n');
      return;
    }
    for (const [name, value] of generalStats(this.#context, Date.now())) {
      reply.text(`STAT ${name} ${value}\r\n`);
    }
    reply.text('END\r\n');
  }

  #refuse(refusal: Refusal, reply: Reply): void {
    if (refusal.counter !== undefined) this.#context.counters[refusal.counter]++;
    if (refusal.counter === 'cmd_touch') this.#context.counters.touch_misses++;
    if (refusal.dataBytes !== undefined) {
      this.#data = { remaining: refusal.dataBytes + 2, endsWell: true, refusal };
    } else if (refusal.reply !== undefined) {
      reply.text(`${refusal.reply}\r\n`);
    }
  }

  /** @returns The offset behind what was swallowed. */
  #swallow(data: DataBlock, input: Buffer, start: number, end: number, reply: Reply): number {
    const next = Math.min(end, start + data.remaining);
    const crAt = start + data.remaining - 2;
    if (crAt >= start && crAt < next && input[crAt] !== CR) data.endsWell = false;
    if (crAt + 1 >= start && crAt + 1 < next && input[crAt + 1] !== LF) data.endsWell = false;
    data.remaining -= next - start;
    if (data.remaining === 0) {
      this.#data = undefined;
      if (!data.endsWell) this.#context.counters.protocol_errors++;
      const text = data.endsWell ? data.refusal.reply : data.refusal.badChunk;
      if (text !== undefined) reply.text(`${text}\r\n`);
    }
    return next;
  }

  /** Ends the connection, as memcached does it, when the line input[start, end) is too long. */
  #endsTooLong(input: Buffer, start: number, end: number, reply: Reply): boolean {
    const length = end - start;
    if (length <= LINE_BYTES_MAX || this.#view !== undefined) return false;
    const isGetLine = mayBeLong(input, start, end);
    if (isGetLine && length <= GET_LINE_BYTES_MAX) return false;
    if (isGetLine) {
      this.#protocolError(
        reply,
        `CLIENT_ERROR line too long: at most ${GET_LINE_BYTES_MAX} bytes of keys in one get\r\n`,
      );
    }
    this.#state = 'close';
    return true;
  }

  #protocolError(reply: Reply, text: string): void {
    this.#context.counters.protocol_errors++;
    reply.text(text);
  }
}

function hasLongKey(input: Buffer, from: number, end: number): boolean {
  for (let key = from; key < end; ) {
    const keyEnd = wordEnd(input, key, end);
    if (keyEnd - key > ASKED_KEY_BYTES_MAX) return true;
    key = skipSpaces(input, keyEnd, end);
  }
  return false;
}
