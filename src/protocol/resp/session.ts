import type { View } from '../../handler/handler.ts';
import { countGets } from '../counters.ts';
import { LineFinder } from '../memcached/line.ts';
import {
  DEFAULT_REQUEST_LIMITS,
  type Session,
  type SessionContext,
  type SessionState,
} from '../protocol.ts';
import type { Reply } from '../reply.ts';
import {
  type Call,
  type Client,
  type Command,
  fail,
  fitsArity,
  newClient,
  wrongArity,
} from './command.ts';
import { COMMANDS, EXEC, GET, HTTP_WORDS, MGET, writeNamed } from './commands.ts';
import { Discard, upToNul } from './discard.ts';
import { type Args, NAME_BYTES_MAX, RequestFrame, TOO_LARGE } from './frame.ts';
import { isGetHead } from './get-head.ts';
import { INLINE_BYTES_MAX, requestOfLine } from './inline.ts';
import { appendArray, appendError, appendNull, appendSimple, appendValue } from './output.ts';
import type { RespShare } from './share.ts';
import { faultOfStranger } from './stranger.ts';
import { appendNews } from './tracking.ts';
import { pinnedTo, TRANSACTION_TOO_LARGE, type Transaction } from './transaction.ts';
import { beginExec, NEVER_QUEUED } from './transaction-commands.ts';
import { READ_ONLY } from './writes.ts';

const STAR = 0x2a;

const NO_LOGIN = 'NOAUTH Authentication required.';

/** An inline command, turned into a request. */
interface Inline {
  readonly request: Buffer;
  /** How much of it is done with. */
  at: number;
}

/** One client's conversation in Redis' protocol. */
export class RespSession implements Session {
  readonly #context: SessionContext;
  readonly #args: Args;
  readonly #client: Client;
  /** How commands see the server; in a transaction it is another one. */
  #call: Call;
  readonly #frame = new RequestFrame();
  #line: LineFinder | undefined;
  #state: SessionState = 'open';
  #discard: Discard | undefined;
  #inline: Inline | undefined;
  /** The view of an MGET under way. Between two calls: the input goes on with its other keys. */
  #view: View | undefined;
  /** The commands of an EXEC under way. Between two calls: the input begins with its last byte. */
  #exec: Inline | undefined;
  /** The data that they are answered from. */
  #pinned: View | undefined;
  /** How many keys it has yet to answer. */
  #keysLeft = 0;

  constructor(context: SessionContext, share: RespShare, id: number) {
    this.#context = context;
    this.#args = share.args;
    const isKnown = context.authenticate === undefined;
    this.#client = newClient(id, isKnown);
    this.#call = { context, client: this.#client, positions: share.positions, args: share.args };
  }

  get state(): SessionState {
    return this.#state;
  }

  get isSuspended(): boolean {
    return this.#view !== undefined || this.#pinned !== undefined;
  }

  get hasNews(): boolean {
    return this.#client.hasNews;
  }

  noteSwap(): void {
    if (this.#client.tracking !== undefined) this.#client.hasNews = true;
  }

  get heldBytes(): number {
    return (this.#client.transaction?.heldBytes ?? 0) + (this.#exec?.request.length ?? 0);
  }

  receive(input: Buffer, start: number, end: number, reply: Reply): number {
    let at = start;
    this.#tellNews(reply);
    while (at < end && this.#state === 'open' && !reply.isFull) {
      const isRequest = this.#isInRequest() || input[at] === STAR;
      const next =
        this.#inline !== undefined
          ? this.#runInline(this.#inline, at, reply)
          : isRequest
            ? this.#step(input, at, end, reply)
            : this.#readLine(input, at, end, reply);
      this.#tellNews(reply);
      if (next === at) break;
      at = next;
    }
    return at - start;
  }

  /** Between two replies, never within one. */
  #tellNews(reply: Reply): void {
    const isBetween = !this.isSuspended && this.#exec === undefined && this.#state === 'open';
    if (this.#client.hasNews && isBetween) appendNews(this.#client, reply);
  }

  close(): void {
    this.#view?.release();
    this.#view = undefined;
    this.#endExec();
    this.#client.transaction = undefined;
    this.#state = 'close';
  }

  #isInRequest(): boolean {
    return this.#discard !== undefined || this.#view !== undefined || this.#exec !== undefined;
  }

  /**
   * Takes an inline command. Its line feed stays in the input until it is answered, as nothing
   * calls `receive` for input that is used up.
   */
  #readLine(input: Buffer, start: number, end: number, reply: Reply): number {
    this.#line ??= new LineFinder();
    const line = this.#line;
    const isWhole = line.find(input, start, end);
    if ((isWhole ? line.next - 1 : end) - start > INLINE_BYTES_MAX) {
      return this.#protocolError(reply, 'too big inline request', start);
    }
    if (!isWhole) return start;
    const request = requestOfLine(input, start, line.textEnd);
    if (request === undefined) {
      return this.#protocolError(reply, 'unbalanced quotes in request', start);
    }
    this.#inline = { request, at: 0 };
    return this.#runInline(this.#inline, line.next - 1, reply);
  }

  /** @param lineFeed Where the line feed is that ends the command. */
  #runInline(inline: Inline, lineFeed: number, reply: Reply): number {
    const { request } = inline;
    while (inline.at < request.length && this.#state === 'open' && !reply.isFull) {
      inline.at = this.#step(request, inline.at, request.length, reply);
    }
    if (inline.at < request.length) return lineFeed;
    this.#inline = undefined;
    return lineFeed + 1;
  }

  #step(input: Buffer, start: number, end: number, reply: Reply): number {
    if (this.#exec !== undefined) return this.#runExec(this.#exec, start, reply);
    return this.#stepOne(input, start, end, reply);
  }

  /** Goes on with the request that is under way, or begins one. */
  #stepOne(input: Buffer, start: number, end: number, reply: Reply): number {
    if (this.#discard !== undefined) return this.#skip(this.#discard, input, start, end, reply);
    if (this.#view !== undefined) return this.#goOn(this.#view, input, start, end, reply);
    return this.#begin(input, start, end, reply);
  }

  #begin(input: Buffer, start: number, end: number, reply: Reply): number {
    const frame = this.#frame;
    const presence = frame.readHead(input, start, end);
    if (presence === 'broken') return this.#protocolError(reply, frame.fault, start);
    const stranger = faultOfStranger(this.#client, frame.argc, end - start);
    if (stranger !== undefined) return this.#protocolError(reply, stranger, start);
    if (presence === 'partial') return start;
    if (frame.argc <= 0) return frame.next;
    const isFree = this.#client.isKnown && this.#client.transaction === undefined;
    if (isFree && isGetHead(input, start)) {
      return this.#serve(GET, input, start, end, reply);
    }
    const nameEnd = frame.nameStart + Math.min(frame.nameBytes, NAME_BYTES_MAX);
    const asked = input.toString('latin1', frame.nameStart, nameEnd);
    const name = asked.toLowerCase();
    const command = COMMANDS.get(name);
    if (command !== undefined && fitsArity(command.arity, frame.argc)) {
      if (this.#refusesStranger(command) || this.#refusesKeys(command)) return frame.nameStart;
      return this.#serve(command, input, start, end, reply);
    }
    if (HTTP_WORDS.has(name)) {
      this.#state = 'reset';
      return frame.nameStart;
    }
    this.#refuse(name, asked, command);
    return frame.nameStart;
  }

  /** Has a request go by of who has yet to log in. */
  #refusesStranger({ flags }: Command): boolean {
    if (this.#client.isKnown || flags.includes('no_auth')) return false;
    const { argc, nameBytes } = this.#frame;
    this.#discard = new Discard(NO_LOGIN, argc - 1, nameBytes + 2, false);
    return true;
  }

  /** Has a request go by that names too many keys. */
  #refusesKeys({ name, keys }: Command): boolean {
    const { counters, requestLimits = DEFAULT_REQUEST_LIMITS } = this.#context;
    const { argc, nameBytes } = this.#frame;
    const { keysMax } = requestLimits;
    if (keys[1] !== -1 || argc - 1 <= keysMax) return false;
    this.#breakTransaction();
    counters.protocol_errors++;
    const error = `ERR too many keys: at most ${keysMax} in one ${name.toUpperCase()}, found ${argc - 1}`;
    this.#discard = new Discard(error, argc - 1, nameBytes + 2, false);
    return true;
  }

  /** Has the request go by that has this name, and finds out what to say then. */
  #refuse(name: string, asked: string, command: Command | undefined): void {
    this.#breakTransaction();
    const { argc, nameBytes } = this.#frame;
    const { counters } = this.#context;
    const write = writeNamed(name);
    const isKnown = command !== undefined || write !== undefined;
    let error = `ERR unknown command '${upToNul(asked)}', with args beginning with: `;
    if (write !== undefined && fitsArity(write.arity, argc)) {
      if (!this.#client.isKnown) {
        this.#discard = new Discard(NO_LOGIN, argc - 1, nameBytes + 2, false);
        return;
      }
      for (const counter of write.counters) counters[counter]++;
      this.#context.onRefusedWrite?.(write.name);
      error = READ_ONLY;
    } else {
      counters.protocol_errors++;
      if (isKnown) error = wrongArity(name);
    }
    this.#discard = new Discard(error, argc - 1, nameBytes + 2, !isKnown);
  }

  #skip(discard: Discard, input: Buffer, start: number, end: number, reply: Reply): number {
    const presence = discard.read(input, start, end);
    if (presence === 'broken') return this.#protocolError(reply, discard.fault, discard.next);
    if (presence === 'whole') {
      this.#discard = undefined;
      appendError(reply, discard.error);
    }
    return discard.next;
  }

  /** Runs a command once all of it has come. */
  #serve(command: Command, input: Buffer, start: number, end: number, reply: Reply): number {
    const frame = this.#frame;
    const presence = frame.readArgs(input, start, end);
    if (presence === 'partial') return start;
    if (presence === 'broken') return this.#protocolError(reply, frame.fault, start);
    frame.finish();
    if (presence === 'large') {
      this.#context.counters.protocol_errors++;
      this.#breakTransaction();
      this.#discard = new Discard(TOO_LARGE, frame.argsLeft, 0, false);
      return frame.next;
    }
    const { next } = frame;
    const { transaction } = this.#client;
    if (transaction !== undefined && !NEVER_QUEUED.has(command.name)) {
      this.#queue(transaction, input, start, next, reply);
      return next;
    }
    this.#context.counters.cmd_redis++;
    if (command === EXEC) return this.#beginExec(next, reply);
    this.#args.begin(input, frame.nameStart + frame.nameBytes + 2, end, frame.argc - 1);
    if (command === GET) {
      this.#get(reply);
    } else if (command === MGET) {
      return this.#mget(reply);
    } else {
      command.run(this.#call, reply);
      if (this.#client.isEnding) this.#state = 'close';
    }
    return next;
  }

  #queue(transaction: Transaction, input: Buffer, start: number, end: number, reply: Reply): void {
    if (transaction.add(input, start, end)) {
      appendSimple(reply, 'QUEUED');
    } else {
      this.#breakTransaction();
      fail(this.#call, reply, TRANSACTION_TOO_LARGE);
    }
  }

  #breakTransaction(): void {
    if (this.#client.transaction !== undefined) this.#client.transaction.isBroken = true;
  }

  /** @param next The offset behind the EXEC. @returns How far the input is done with. */
  #beginExec(next: number, reply: Reply): number {
    const execution = beginExec(this.#call, reply);
    if (execution === undefined) return next;
    const { request, view } = execution;
    this.#pinned = view;
    this.#call = { ...this.#call, context: { ...this.#context, handler: pinnedTo(view) } };
    this.#exec = { request, at: 0 };
    // Nothing calls `receive` for input that is used up.
    return next - 1;
  }

  /** @param last Where the last byte of the EXEC is. */
  #runExec(exec: Inline, last: number, reply: Reply): number {
    const { request } = exec;
    while (exec.at < request.length && this.#state === 'open' && !reply.isFull) {
      exec.at = this.#stepOne(request, exec.at, request.length, reply);
    }
    if (exec.at < request.length && this.#state === 'open') return last;
    this.#endExec();
    return last + 1;
  }

  #endExec(): void {
    if (this.#exec === undefined) return;
    this.#exec = undefined;
    this.#pinned?.release();
    this.#pinned = undefined;
    this.#call = { ...this.#call, context: this.#context };
  }

  #get(reply: Reply): void {
    const { counters, handler } = this.#call.context;
    const args = this.#args;
    args.advance();
    const view = handler.view();
    try {
      const entry = view.get(args.input, args.start, args.end);
      if (entry === undefined) {
        countGets(counters, 0, 1);
        appendNull(reply, this.#client.resp);
      } else {
        countGets(counters, 1, 0);
        appendValue(reply, entry);
      }
    } finally {
      view.release();
    }
  }

  #mget(reply: Reply): number {
    const args = this.#args;
    appendArray(reply, args.left);
    const view = this.#call.context.handler.view();
    // Kept from the start: if the storage throws, `close` still lets go of it.
    this.#view = view;
    return this.#answerKeys(view, reply);
  }

  /** Goes on, on the same view, where a full reply made an MGET stop. */
  #goOn(view: View, input: Buffer, start: number, end: number, reply: Reply): number {
    this.#args.begin(input, start, end, this.#keysLeft);
    return this.#answerKeys(view, reply);
  }

  /** @returns Where the first key is that is not answered; behind the last when all are. */
  #answerKeys(view: View, reply: Reply): number {
    const args = this.#args;
    let hits = 0;
    let misses = 0;
    while (!reply.isFull && args.advance()) {
      const entry = view.get(args.input, args.start, args.end);
      reply.charge(1);
      if (entry === undefined) {
        misses++;
        appendNull(reply, this.#client.resp);
      } else {
        hits++;
        appendValue(reply, entry);
      }
    }
    countGets(this.#context.counters, hits, misses);
    this.#keysLeft = args.left;
    if (args.left === 0) {
      this.#view = undefined;
      view.release();
    }
    return args.at;
  }

  /** Ends the connection: there is no telling where the next request begins. */
  #protocolError(reply: Reply, fault: string, at: number): number {
    this.#context.counters.protocol_errors++;
    appendError(reply, `ERR Protocol error: ${fault}`);
    this.#state = 'close';
    return at;
  }
}
