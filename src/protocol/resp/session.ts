import { ASKER, Asker } from '../../storage/lookup-counts.ts';
import { LineFinder } from '../line.ts';
import type { Session, SessionContext, SessionState } from '../protocol.ts';
import { type Reply, TURN_WORK_MAX } from '../reply.ts';
import { type Client, heldBytesOf, newClient } from './client.ts';
import { type Call, type Command, fitsArity, takesKeys } from './command.ts';
import { COMMANDS, EXEC, GET, HTTP_WORDS } from './commands.ts';
import { Discard } from './discard.ts';
import { Elsewhere } from './elsewhere.ts';
import {
  type Args,
  KEYS_REQUEST_BYTES_MAX,
  NAME_BYTES_MAX,
  REQUEST_BYTES_MAX,
  RequestFrame,
} from './frame.ts';
import { answerGet } from './get.ts';
import { isGetHead } from './get-head.ts';
import { INLINE_BYTES_MAX, requestOfLine } from './inline.ts';
import { KeyRoute } from './key-route.ts';
import { type KeyAnswer, Lookups } from './lookups.ts';
import { appendError } from './output.ts';
import { refusalOf, refuseCommand } from './refusals.ts';
import type { RespShare } from './share.ts';
import { faultOfStranger } from './stranger.ts';
import { appendNews, isToBeNotified } from './tracking.ts';
import { pinnedTo } from './transaction.ts';
import { beginExec, type Execution, NEVER_QUEUED, queueRequest } from './transaction-commands.ts';

const STAR = 0x2a;

/** Bytes of a request that cost a unit of work: each may be hashed, or made lower case. */
const REQUEST_BYTES_A_UNIT = 1024;

/** The same of an inline command. */
const INLINE_BYTES_A_UNIT = 32;

/** An inline command, turned into a request. */
interface Inline {
  readonly request: Buffer;
  /** How much of it is done with. */
  at: number;
}

/** One client's conversation in Redis' protocol. */
export class RespSession implements Session {
  readonly #context: SessionContext;
  readonly #asker: Asker;
  readonly #share: RespShare;
  readonly #args: Args;
  readonly #client: Client;
  /** How commands see the server; in a transaction it is another one. */
  #call: Call;
  readonly #frame = new RequestFrame();
  readonly #route: KeyRoute | undefined;
  readonly #elsewhere: Elsewhere | undefined;
  #line: LineFinder | undefined;
  #state: SessionState = 'open';
  #discard: Discard | undefined;
  #inline: Inline | undefined;
  /** A list of keys under way. Between two calls: the input goes on with those to come. */
  #lookups: Lookups | undefined;
  /** The commands of an EXEC under way. Between two calls: the input begins with its last byte. */
  #exec: Execution | undefined;

  constructor(context: SessionContext, share: RespShare, id: number) {
    this.#context = context;
    this.#asker = context.asker ?? new Asker();
    this.#elsewhere = context.foreign && new Elsewhere(context.foreign, context);
    this.#share = share;
    this.#args = share.args;
    const isKnown = context.authenticate === undefined;
    this.#client = newClient(id, isKnown);
    const { positions, args, clients } = share;
    const cluster = share.mapOf(context);
    this.#call = { context, client: this.#client, positions, clients, args, cluster };
    this.#route = cluster && new KeyRoute(cluster);
    clients.set(id, { client: this.#client, connection: context.connection });
  }

  get state(): SessionState {
    return this.#state;
  }

  get isSuspended(): boolean {
    return this.#lookups !== undefined || this.#exec !== undefined;
  }

  get hasNews(): boolean {
    return isToBeNotified(this.#client);
  }

  noteSwap(): void {
    this.#client.hasSwapped = true;
  }

  noteSwapEverywhere(): void {
    this.#client.hasSwappedEverywhere = true;
  }

  get heldBytes(): number {
    return heldBytesOf(this.#client) + (this.#exec?.heldBytes ?? 0);
  }

  receive(input: Buffer, start: number, end: number, reply: Reply): number {
    this.#asker.at = ASKER.redis;
    let at = start;
    this.#appendNews(reply);
    while (at < end && this.#state === 'open' && !reply.isFull) {
      const isRequest =
        (this.#discard ?? this.#lookups ?? this.#exec) !== undefined || input[at] === STAR;
      const next =
        this.#inline !== undefined
          ? this.#runInline(this.#inline, at, reply)
          : isRequest
            ? this.#step(input, at, end, reply)
            : this.#readLine(input, at, end, reply);
      this.#appendNews(reply);
      if (next === at) break;
      at = next;
    }
    if (this.#elsewhere?.isWanted === true) this.#expectMore(this.#elsewhere, input, at, end);
    return at - start;
  }

  #expectMore(elsewhere: Elsewhere, input: Buffer, from: number, end: number): void {
    const held = this.#exec ?? this.#inline;
    if (this.#lookups === undefined) {
      elsewhere.expectRequests(input, from, end, held);
      return;
    }
    const { keysLeft } = this.#lookups;
    if (held === undefined) this.#args.begin(input, from, end, keysLeft);
    else this.#args.begin(held.request, held.at, held.request.length, keysLeft);
    elsewhere.expectArgs(this.#args);
  }

  /**
   * Between two replies, never within one. Until then an EXEC goes on with the data that it began with,
   * and may have the client track or subscribe. Behind it nothing old follows: only who tracks for
   * itself, and went to RESP2, may still have to be notified.
   */
  #appendNews(reply: Reply): void {
    const client = this.#client;
    if (!client.hasSwapped && !client.hasSwappedEverywhere) return;
    if (this.isSuspended || this.#state !== 'open') return;
    appendNews(client, reply);
  }

  close(): void {
    this.#lookups?.close();
    this.#lookups = undefined;
    this.#endExec();
    this.#client.transaction = undefined;
    this.#share.clients.delete(this.#client.id);
    this.#state = 'close';
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
    reply.charge((line.next - start) / INLINE_BYTES_A_UNIT);
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
    while (inline.at < request.length && this.#state === 'open' && !this.#isToStop(reply)) {
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
    if (this.#elsewhere === undefined) return this.#stepHere(input, start, end, reply);
    const replyLength = reply.length;
    try {
      return this.#stepHere(input, start, end, reply);
    } catch (error) {
      const isOver = this.#elsewhere.isOver(error, reply, replyLength);
      return isOver ? this.#frame.next : start;
    }
  }

  #isToStop(reply: Reply): boolean {
    return reply.isFull || this.#elsewhere?.isWanted === true;
  }

  #stepHere(input: Buffer, start: number, end: number, reply: Reply): number {
    if (this.#discard !== undefined) return this.#skip(this.#discard, input, start, end, reply);
    if (this.#lookups !== undefined) return this.#goOn(this.#lookups, input, start, end, reply);
    return this.#begin(input, start, end, reply);
  }

  #begin(input: Buffer, start: number, end: number, reply: Reply): number {
    const frame = this.#frame;
    const presence = frame.readHead(input, start, end);
    if (presence === 'broken') return this.#protocolError(reply, frame.fault, start);
    const stranger = faultOfStranger(this.#client, frame.argc, end - start);
    if (stranger !== undefined) return this.#protocolError(reply, stranger, start);
    if (presence === 'partial') return start;
    reply.charge(1);
    if (frame.argc <= 0) return frame.next;
    const { isKnown, transaction, isSubscribed } = this.#client;
    const isFree = isKnown && transaction === undefined && !isSubscribed;
    if (isFree && isGetHead(input, start)) return this.#serve(GET, input, start, end, reply);
    const nameEnd = frame.nameStart + Math.min(frame.nameBytes, NAME_BYTES_MAX);
    const asked = input.toString('latin1', frame.nameStart, nameEnd);
    const name = asked.toLowerCase();
    const command = COMMANDS.get(name);
    if (command !== undefined && fitsArity(command.arity, frame.argc)) {
      const isQueued = this.#exec !== undefined;
      this.#discard = refusalOf(command, frame, this.#client, this.#context, isQueued);
      if (this.#discard !== undefined) return frame.nameStart;
      return this.#serve(command, input, start, end, reply);
    }
    if (HTTP_WORDS.has(name)) {
      this.#state = 'reset';
      return frame.nameStart;
    }
    this.#breakTransaction();
    const isStranger = !this.#client.isKnown;
    this.#discard = refuseCommand(asked, command, frame, this.#context, isStranger);
    return frame.nameStart;
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
    const bytesMax = takesKeys(command) ? KEYS_REQUEST_BYTES_MAX : REQUEST_BYTES_MAX;
    const presence = frame.readArgs(input, start, end, bytesMax);
    if (presence === 'partial') return start;
    if (presence === 'more') {
      reply.charge(TURN_WORK_MAX);
      return start;
    }
    if (presence === 'broken') return this.#protocolError(reply, frame.fault, start);
    const route = presence === 'whole' ? this.#routeOf(command, input, end, reply) : 'here';
    if (route === 'more') return start;
    frame.finish();
    if (presence === 'large') {
      this.#context.counters.protocol_errors++;
      this.#breakTransaction();
      const error = `ERR the command is too large: at most ${bytesMax} bytes of arguments`;
      this.#discard = new Discard(error, frame.argsLeft, 0, false);
      return frame.next;
    }
    const { next } = frame;
    this.#client.lastCommand = command.name;
    if (route === 'away') {
      this.#context.counters.cmd_redis++;
      this.#sendAway(reply);
      return next;
    }
    const { transaction } = this.#client;
    if (transaction !== undefined && !NEVER_QUEUED.has(command.name)) {
      queueRequest(this.#call, transaction, input.subarray(start, next), reply);
      return next;
    }
    this.#context.counters.cmd_redis++;
    if (command === EXEC) return this.#beginExec(next, reply);
    this.#args.begin(input, frame.nameStart + frame.nameBytes + 2, end, frame.argc - 1);
    if (command.keyAnswer !== undefined) {
      this.#elsewhere?.knowAll(this.#args, reply);
      return this.#beginLookups(command.keyAnswer, reply);
    }
    // WATCH may have more, and looks at none of it.
    reply.charge(Math.min(next - start, REQUEST_BYTES_MAX) / REQUEST_BYTES_A_UNIT);
    if (command === GET) this.#get(reply);
    else this.#run(command, reply);
    return next;
  }

  /** Whether the keys of a request are here. GET looks first, and EXEC runs what was let through. */
  #routeOf(command: Command, input: Buffer, end: number, reply: Reply): 'here' | 'away' | 'more' {
    const { transaction } = this.#client;
    const isLater = command === GET && transaction === undefined;
    const isKnown = this.#exec === undefined ? isLater : command.prepare === undefined;
    if (this.#route === undefined || isKnown) return 'here';
    const { nameStart, nameBytes, argc } = this.#frame;
    const argsStart = nameStart + nameBytes + 2;
    return this.#route.check({ command, input, argsStart, end, argc }, this.#call, reply);
  }

  #sendAway(reply: Reply): void {
    this.#breakTransaction();
    this.#route!.sendAway(this.#context.counters, reply);
  }

  #run(command: Command, reply: Reply): void {
    const { work = 0, argWork = 0 } = command;
    reply.charge(work + argWork * this.#args.left);
    command.run(this.#call, reply);
    if (this.#client.isEnding) this.#state = 'close';
  }

  #breakTransaction(): void {
    if (this.#client.transaction !== undefined) this.#client.transaction.isBroken = true;
  }

  /** @param next The offset behind the EXEC. @returns How far the input is done with. */
  #beginExec(next: number, reply: Reply): number {
    const execution = beginExec(this.#call, reply);
    if (execution === undefined) return next;
    this.#exec = execution;
    const handler = pinnedTo(execution.view);
    this.#call = { ...this.#call, context: { ...this.#context, handler } };
    // Nothing calls `receive` for input that is used up.
    return next - 1;
  }

  /** @param last Where the last byte of the EXEC is. */
  #runExec(exec: Execution, last: number, reply: Reply): number {
    const { request } = exec;
    while (exec.at < request.length && this.#state === 'open' && !this.#isToStop(reply)) {
      exec.at = this.#stepOne(request, exec.at, request.length, reply);
    }
    if (exec.at < request.length && this.#state === 'open') return last;
    this.#endExec();
    return last + 1;
  }

  #endExec(): void {
    if (this.#exec === undefined) return;
    this.#exec.view.release();
    this.#exec = undefined;
    this.#call = { ...this.#call, context: this.#context };
  }

  #get(reply: Reply): void {
    this.#args.advance();
    if (!answerGet(this.#call, this.#route, reply)) this.#sendAway(reply);
  }

  #beginLookups(answer: KeyAnswer, reply: Reply): number {
    const lookups = new Lookups(this.#call.context.handler.view(), answer, this.#args.left);
    // If the storage throws, `close` still lets go of the data.
    this.#lookups = lookups;
    lookups.begin(reply);
    return this.#lookUp(lookups, reply);
  }

  /** Goes on, in the same data, where a full reply made a list of keys stop. */
  #goOn(lookups: Lookups, input: Buffer, start: number, end: number, reply: Reply): number {
    this.#args.begin(input, start, end, lookups.keysLeft);
    return this.#lookUp(lookups, reply);
  }

  /** @returns Where the first key is that is not answered. */
  #lookUp(lookups: Lookups, reply: Reply): number {
    const args = this.#args;
    if (lookups.goOn(args, this.#context, this.#client.resp, reply)) this.#lookups = undefined;
    else if (lookups.isBroken) this.#state = 'reset';
    return args.at;
  }

  /** Ends the connection: nobody knows where the next request begins. */
  #protocolError(reply: Reply, fault: string, at: number): number {
    this.#context.counters.protocol_errors++;
    appendError(reply, `ERR Protocol error: ${fault}`);
    this.#state = 'close';
    return at;
  }
}
