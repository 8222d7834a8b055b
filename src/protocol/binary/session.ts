import { FOREIGN_KEY, type ForeignKeys } from '../../handler/foreign-keys.ts';
import { ASKER, Asker } from '../../storage/lookup-counts.ts';
import { countGets, countTouches } from '../counters.ts';
import type { Session, SessionContext, SessionState } from '../protocol.ts';
import type { Reply } from '../reply.ts';
import { statsOf } from '../stats.ts';
import { type Command, commandOf, faultOf, type Refused } from './commands.ts';
import { expectKeys } from './expect-keys.ts';
import { FIELD, HEADER_BYTES, REQUEST_MAGIC, STATUS } from './packet.ts';
import {
  appendError,
  appendHit,
  appendMissWithKey,
  appendStats,
  appendSuccess,
  appendText,
} from './response.ts';

/**
 * One client's conversation in memcached's binary protocol. It holds at most a header, extras and
 * a key: the body of what is refused goes by without being kept.
 */
export class BinarySession implements Session {
  readonly #context: SessionContext;
  readonly #asker: Asker;
  readonly #foreign: ForeignKeys | undefined;
  #state: SessionState = 'open';
  /** The opcode of the request under way. */
  #opcode = 0;
  /** Its opaque field, as a signed number: small integers need no memory of their own. */
  #opaque = 0;
  /** The command whose body is being swallowed. */
  #refused: Refused | undefined;
  /** Bytes of that body to come. */
  #bodyBytes = 0;

  constructor(context: SessionContext) {
    this.#context = context;
    this.#foreign = context.foreign;
    this.#asker = context.asker ?? new Asker();
  }

  get state(): SessionState {
    return this.#state;
  }

  receive(input: Buffer, start: number, end: number, reply: Reply): number {
    this.#asker.at = ASKER.binary;
    let at = start;
    while (at < end && this.#state === 'open' && !reply.isFull) {
      const next =
        this.#refused === undefined
          ? this.#begin(input, at, end, reply)
          : this.#swallow(this.#refused, at, end, reply);
      if (next === at) break;
      at = next;
    }
    if (this.#foreign?.isWanted === true) expectKeys(this.#foreign, input, at, end);
    return at - start;
  }

  close(): void {
    this.#state = 'close';
  }

  /** @returns The offset behind what is done with; `start` when the request is not yet whole. */
  #begin(input: Buffer, start: number, end: number, reply: Reply): number {
    if (input[start] !== REQUEST_MAGIC) {
      // Nobody knows where the next request begins, nor what a client would understand.
      this.#context.counters.protocol_errors++;
      this.#state = 'close';
      return start + 1;
    }
    const head = start + HEADER_BYTES;
    if (head > end) return start;
    reply.charge(1);
    this.#opcode = input[start + FIELD.opcode];
    this.#opaque = input.readInt32BE(start + FIELD.opaque);
    const keyBytes = input.readUInt16BE(start + FIELD.keyBytes);
    const extrasBytes = input[start + FIELD.extrasBytes];
    const bodyBytes = input.readUInt32BE(start + FIELD.bodyBytes);
    const command = commandOf(this.#opcode);
    const fault = faultOf(command, keyBytes, extrasBytes, bodyBytes);
    if (fault !== undefined) {
      this.#context.counters.protocol_errors++;
      appendError(reply, this.#opcode, this.#opaque, fault);
      this.#state = 'close';
      return head;
    }
    if (command.kind === 'refused') {
      this.#refuse(command, bodyBytes, reply);
      return head;
    }
    // What is not refused has no value, so this is at most a key and a few bytes of extras.
    const next = head + bodyBytes;
    if (next > end) return start;
    if (this.#foreign === undefined) this.#run(command, input, head + extrasBytes, next, reply);
    else if (!this.#runAnywhere(command, input, head + extrasBytes, next, reply)) return start;
    return next;
  }

  /**
   * As `#run`, where other servers have a part of the keys. What nobody can say is an error also to a
   * quiet command: its silence would be a miss.
   *
   * @returns Whether it is answered; if not, its key is to be asked for.
   */
  #runAnywhere(
    command: Exclude<Command, Refused>,
    input: Buffer,
    keyStart: number,
    keyEnd: number,
    reply: Reply,
  ): boolean {
    try {
      this.#run(command, input, keyStart, keyEnd, reply);
    } catch (error) {
      if (error !== FOREIGN_KEY) throw error;
      if (FOREIGN_KEY.fault === undefined) return false;
      appendError(reply, this.#opcode, this.#opaque, STATUS.temporaryFailure);
    }
    return true;
  }

  /** Runs a command whose key is input[keyStart, keyEnd). */
  #run(
    command: Exclude<Command, Refused>,
    input: Buffer,
    keyStart: number,
    keyEnd: number,
    reply: Reply,
  ): void {
    switch (command.kind) {
      case 'retrieval':
        this.#retrieve(command, input, keyStart, keyEnd, reply);
        return;
      case 'noop':
        appendSuccess(reply, this.#opcode, this.#opaque);
        return;
      case 'version':
        appendText(reply, this.#opcode, this.#opaque, this.#context.facts.version);
        return;
      case 'stat':
        this.#stat(input.toString('latin1', keyStart, keyEnd), reply);
        return;
      case 'quit':
        appendSuccess(reply, this.#opcode, this.#opaque);
        this.#state = 'close';
        return;
      case 'quitq':
        this.#state = 'close';
        return;
    }
  }

  #retrieve(
    command: Extract<Command, { kind: 'retrieval' }>,
    input: Buffer,
    keyStart: number,
    keyEnd: number,
    reply: Reply,
  ): void {
    const { withKey } = command;
    const view = this.#context.handler.view();
    try {
      const entry = view.get(input, keyStart, keyEnd);
      const count = command.touches ? countTouches : countGets;
      count(this.#context.counters, entry === undefined ? 0 : 1, entry === undefined ? 1 : 0);
      if (entry !== undefined) {
        const sentStart = withKey ? keyStart : keyEnd;
        appendHit(reply, this.#opcode, this.#opaque, entry, input, sentStart, keyEnd);
      } else if (command.isQuiet) {
        return;
      } else if (withKey) {
        appendMissWithKey(reply, this.#opcode, this.#opaque, input, keyStart, keyEnd);
      } else {
        appendError(reply, this.#opcode, this.#opaque, STATUS.keyNotFound);
      }
    } finally {
      view.release();
    }
  }

  /** @param group Which statistics: none for the general ones. */
  #stat(group: string, reply: Reply): void {
    if (group === 'reset') {
      this.#context.resetCounters?.();
      appendStats(reply, this.#opaque, []);
      return;
    }
    const stats = statsOf(group === '' ? undefined : group, this.#context, Date.now());
    if (stats === undefined) {
      appendError(reply, this.#opcode, this.#opaque, STATUS.keyNotFound);
    } else {
      reply.charge(stats.length);
      appendStats(reply, this.#opaque, stats);
    }
  }

  #refuse(command: Refused, bodyBytes: number, reply: Reply): void {
    for (const name of command.counters) this.#context.counters[name]++;
    if (command.write !== undefined) this.#context.onRefusedWrite?.(command.write);
    if (bodyBytes === 0) {
      this.#answerRefused(command, reply);
      return;
    }
    this.#refused = command;
    this.#bodyBytes = bodyBytes;
  }

  /** @returns The offset behind what was swallowed. */
  #swallow(command: Refused, start: number, end: number, reply: Reply): number {
    const next = Math.min(end, start + this.#bodyBytes);
    this.#bodyBytes -= next - start;
    if (this.#bodyBytes === 0) {
      this.#refused = undefined;
      this.#answerRefused(command, reply);
    }
    return next;
  }

  #answerRefused(command: Refused, reply: Reply): void {
    if (command.isSilent) return;
    const isLoud = this.#context.loudRefusals === true && command.write !== undefined;
    const status = isLoud ? STATUS.notSupported : command.status;
    appendError(reply, this.#opcode, this.#opaque, status);
  }
}
