import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ForeignKeys } from '../handler/foreign-keys.ts';
import type { Counters } from '../protocol/counters.ts';
import type { ConnectionFacts, Session } from '../protocol/protocol.ts';
import { type Reply, TURN_WORK_MAX } from '../protocol/reply.ts';
import { clientAddress } from './client-address.ts';
import { InputRest } from './input-rest.ts';
import type { BufferBudget, Limits } from './limits.ts';
import type { RequestMeter, Sample } from './metering/request-meter.ts';
import { Outbox } from './outbox.ts';
import { readSocket } from './read-socket.ts';
import { StaleHold } from './stale-hold.ts';
import { INPUT_BYTES_A_UNIT, OUTPUT_BYTES_A_UNIT } from './turn-work.ts';

const NOTHING = Buffer.alloc(0);

/** How long a closing connection may take to read what is still to be sent. */
const CLOSE_TIMEOUT_MS = 2_000;

/** What the connections of one thread share: they are served one after the other. */
export interface ConnectionShare {
  readonly reply: Reply;
  readonly counters: Counters;
  /** Where all connections read to: what is not used at once is copied out of it. */
  readonly readBuffer: Buffer;
  readonly limits: Limits;
  readonly meter: RequestMeter;
  readonly budget: BufferBudget;
  /** Ends connections until what all hold is within the budget again. */
  readonly makeRoom: () => void;
  /** Milliseconds on a clock that is set once a sweep; reading it costs nothing. */
  nowMs: number;
  readonly onClose: (connection: Connection) => void;
  /** Called with a fault of a storage, handler or protocol. Only its connection ends. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Moves bytes between a socket and a session. Input that the session cannot use yet is kept here;
 * while a client does not read its replies, nothing more is read from it.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #outbox: Outbox;
  readonly #session: Session;
  readonly #share: ConnectionShare;
  readonly #foreign: ForeignKeys | undefined;
  /** Input that is not done with. */
  readonly #rest: InputRest;
  /** Nothing is answered: a reply has yet to go out, or the others have their turn. */
  #isWaiting = false;
  /** It waits because the client has not read all, or because others are asked for keys. */
  #isUnread = false;
  #isAsking = false;
  /** Nothing is read either. */
  #isPaused = false;
  #isEnding = false;
  #hasAsked = false;
  #endsAfterReply = false;
  #isFinished = false;
  #activeAtMs: number;
  /** The read under way, if it is measured. */
  #sample: Sample | undefined;
  /** Since the others had their turn. */
  #turnWork = 0;
  #taken = 0;
  readonly #hold = new StaleHold();

  constructor(accepted: Socket, session: Session, share: ConnectionShare, foreign?: ForeignKeys) {
    this.#session = session;
    this.#foreign = foreign;
    this.#share = share;
    this.#activeAtMs = share.nowMs;
    this.#rest = new InputRest(share.limits.connectionBufferedBytesMax);
    const receive = (chunk: Buffer, length: number): void => this.#receive(chunk, length);
    const socket = readSocket(accepted, share.readBuffer, receive);
    this.#socket = socket;
    this.#outbox = new Outbox(socket, () => this.#continue());
    socket.on('end', () => this.end());
    // Only a connection with unread replies, or that is closing, has a timeout set.
    socket.on('timeout', () => {
      if (!this.#isFinished) share.counters.stall_kicks++;
      socket.destroy();
    });
    // A client that goes away is no fault of the server's; 'close' follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isFinished = true;
      session.close();
      foreign?.close();
      this.#release();
      this.#outbox.free();
      share.onClose(this);
    });
  }

  /** The client's address without its port; undefined: it has none, or is gone. */
  get client(): string | undefined {
    return this.#socket.remoteAddress;
  }

  /** Memory of the server that it holds for unfinished requests and unread replies. */
  get heldBytes(): number {
    return this.#taken;
  }

  /**
   * Until when it may keep data in memory that was replaced, on the clock of `performance.now()`;
   * undefined when it keeps none.
   */
  get staleUntilMs(): number | undefined {
    return this.#hold.untilMs;
  }

  /** To be called when the data was replaced. @param untilMs How long a reply may go on from it. */
  noteSwap(untilMs: number): void {
    this.#hold.noteSwap(untilMs);
    this.#foreign?.noteSwap();
    this.#session.noteSwap?.();
    this.#sendNews();
  }

  /** To be called when no thread has the replaced data any more. */
  noteSwapEverywhere(): void {
    this.#session.noteSwapEverywhere?.();
    this.#sendNews();
  }

  /** Has the session say what nobody asked for; while a reply is under way, it waits for that. */
  #sendNews(): void {
    if (this.#session.hasNews !== true || this.#isWaiting || this.#isFinished) return;
    const { bytes = NOTHING, start, end } = this.#rest;
    this.#guard(bytes, bytes === NOTHING ? 0 : start, bytes === NOTHING ? 0 : end);
  }

  /** Has replaced data go earlier. */
  hurry(untilMs: number): void {
    this.#hold.hurry(untilMs);
  }

  /** What `stats conns` shows of it. */
  describe(): Pick<ConnectionFacts, 'address' | 'state' | 'idleSeconds'> {
    return {
      address: clientAddress(this.#socket),
      state: this.#isUnread ? 'conn_write' : 'conn_read',
      idleSeconds: Math.floor((this.#share.nowMs - this.#activeAtMs) / 1000),
    };
  }

  /** Closes the connection if it has asked for nothing for the time that it may be idle. */
  closeIfIdle(): void {
    const { nowMs, limits } = this.#share;
    if (this.#isWaiting || nowMs - this.#activeAtMs <= limits.idleTimeoutMs) return;
    this.#share.counters.idle_kicks++;
    this.#finish();
  }

  /** Answers what was asked so far, then closes. */
  end(): void {
    this.#isEnding = true;
    if (!this.#isWaiting) this.#finish();
  }

  /** Closes it if it was quiet so long that no request, nor the first one, is on its way. */
  drain(quietMs: number, isUrgent: boolean): void {
    this.#endsAfterReply = isUrgent;
    if (this.#isWaiting || this.#rest.bytes !== undefined || !this.#hasAsked) return;
    if (this.#share.nowMs - this.#activeAtMs >= quietMs) this.#finish();
  }

  /** Ends the connection as an error. Only TCP has a reset: a pipe or TLS would throw. */
  cut(): void {
    this.#isFinished = true;
    this.#release();
    const socket = this.#socket;
    if (socket instanceof TLSSocket || socket.remoteAddress === undefined) socket.destroy();
    else socket.resetAndDestroy();
  }

  #receive(chunk: Buffer, length: number): void {
    if (this.#isFinished) return;
    this.#activeAtMs = this.#share.nowMs;
    this.#hasAsked = true;
    this.#share.counters.bytes_read += length;
    const { meter } = this.#share;
    if (--meter.left > 0 || this.#isWaiting) this.#take(chunk, length);
    else this.#takeMeasured(chunk, length);
    this.#turnWork += length / INPUT_BYTES_A_UNIT;
    if (this.#turnWork >= TURN_WORK_MAX && !this.#isWaiting && !this.#isFinished) {
      this.#pause();
      this.#wait(true);
    }
  }

  #takeMeasured(chunk: Buffer, length: number): void {
    const { meter } = this.#share;
    const sample = meter.begin(length);
    this.#take(chunk, length);
    meter.identify(sample);
    this.#sample = sample;
    this.#endSample();
  }

  #take(chunk: Buffer, length: number): void {
    if (this.#isWaiting) {
      if (this.#session.state !== 'open') return;
      // Not before there is input that has to wait: who sends when it has read costs no pause.
      this.#pause();
      this.#append(chunk, length);
    } else if (this.#rest.bytes === undefined) {
      this.#guard(chunk, 0, length);
    } else {
      this.#append(chunk, length);
      this.#goOn();
    }
  }

  #append(chunk: Buffer, length: number): void {
    this.#rest.append(chunk, length);
    this.#account();
  }

  /** Goes on with the input that was kept. */
  #goOn(): void {
    const { bytes, start, end } = this.#rest;
    if (bytes !== undefined && !this.#isFinished) this.#guard(bytes, start, end);
  }

  #guard(input: Buffer, start: number, end: number): void {
    try {
      this.#process(input, start, end);
    } catch (error) {
      // What was answered before is in a state nobody knows: nothing of it is sent.
      this.#share.reply.reset();
      this.#share.counters.fault_kicks++;
      this.#share.onFault(error);
      this.cut();
    }
  }

  #process(input: Buffer, start: number, end: number): void {
    const { reply } = this.#share;
    let at = start;
    while (true) {
      at += this.#session.receive(input, at, end, reply);
      const { isFull } = reply;
      this.#turnWork += reply.work + reply.length / OUTPUT_BYTES_A_UNIT;
      const isSent = this.#send();
      const { state } = this.#session;
      if (state === 'reset' || (state === 'close' && isSent)) {
        this.#finish();
        return;
      }
      if (this.#foreign?.isWanted === true && state === 'open') {
        this.#rest.keep(input, at, end);
        this.#ask(this.#foreign, isSent);
        return;
      }
      if (!isFull && isSent) break;
      if (!isSent || this.#turnWork >= TURN_WORK_MAX) {
        if (state === 'open') this.#rest.keep(input, at, end);
        else this.#rest.drop();
        this.#wait(isSent);
        return;
      }
    }
    this.#foreign?.forget();
    // A reply that had to wait is over.
    if (this.#session.isSuspended !== true) this.#hold.letGo();
    this.#rest.keep(input, at, end);
    this.#account();
    if (this.#isEnding || (this.#endsAfterReply && this.#rest.bytes === undefined)) this.#finish();
  }

  /** @returns Whether all of the reply is out; if not, `#continue` will be called. */
  #send(): boolean {
    const { reply, counters } = this.#share;
    counters.bytes_written += reply.length;
    return this.#outbox.send(reply);
  }

  /** Takes of the budget what is held by now, or gives back. */
  #account(): void {
    if (this.#isFinished) return;
    const { limits, budget, counters, makeRoom } = this.#share;
    const known = (this.#session.heldBytes ?? 0) + (this.#foreign?.heldBytes ?? 0);
    const own = this.#rest.heldBytes + known + (this.#isUnread ? this.#outbox.heldBytes : 0);
    // Alone, a value may be longer than all is that may be held, or nobody could read it here.
    const held = own + Math.min(this.#foreign?.valueBytes ?? 0, budget.bytesMax / 2);
    const more = held - this.#taken;
    if (more === 0) return;
    this.#taken = held;
    const isToBeHad = budget.take(more);
    if (own > limits.connectionBufferedBytesMax) {
      counters.buffer_kicks++;
      this.cut();
    } else if (!isToBeHad) {
      makeRoom();
    }
  }

  #release(): void {
    this.#rest.drop();
    this.#outbox.close();
    this.#hold.letGo();
    this.#share.budget.take(-this.#taken);
    this.#taken = 0;
  }

  /** @param isSent Whether the reply is out, so that it waits only for the others' turn. */
  #wait(isSent: boolean): void {
    this.#isWaiting = true;
    this.#turnWork = 0;
    if (isSent && this.#session.isSuspended !== true) this.#hold.letGo();
    else this.#hold.isHeld = true;
    if (isSent) {
      if (this.#isAsking) return;
      this.#share.counters.conn_yields++;
      setImmediate(() => this.#continue());
    } else {
      const isOpen = this.#session.state === 'open';
      // Any progress of the reading client starts the time anew.
      this.#socket.setTimeout(isOpen ? this.#share.limits.stallTimeoutMs : CLOSE_TIMEOUT_MS);
      this.#isUnread = true;
    }
    this.#account();
  }

  /** Waits for the keys that the session lacks, and for the client to read what it has so far. */
  #ask(foreign: ForeignKeys, isSent: boolean): void {
    this.#isAsking = true;
    this.#wait(isSent);
    foreign.ask(this.#onAnswered);
    this.#account();
  }

  readonly #onAnswered = (): void => {
    this.#isAsking = false;
    if (this.#isUnread) this.#account();
    else this.#continue();
  };

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  #continue(): void {
    if (this.#isFinished) return;
    if (this.#isUnread) {
      this.#isUnread = false;
      this.#socket.setTimeout(0);
    }
    if (this.#isAsking) return;
    this.#isWaiting = false;
    if (this.#session.isSuspended !== true) this.#hold.letGo();
    this.#activeAtMs = this.#share.nowMs;
    // The last reply is out: what was known for it is no answer to what is asked later.
    if (this.#rest.bytes === undefined) this.#foreign?.forget();
    this.#account();
    if (this.#session.state !== 'open') {
      this.#finish();
      return;
    }
    if (this.#rest.bytes !== undefined) this.#goOn();
    else if (this.#session.hasNews === true) this.#sendNews();
    else if (this.#isEnding || this.#endsAfterReply) this.#finish();
    this.#endSample();
    this.#resume();
  }

  /** All that a measured read has asked may be answered by now. */
  #endSample(): void {
    if (this.#sample === undefined || this.#isWaiting) return;
    this.#share.meter.end(this.#sample, this);
    this.#sample = undefined;
  }

  /** Only when the input that was kept is answered: else each turn would read more than it answers. */
  #resume(): void {
    if (!this.#isPaused || this.#isWaiting || this.#isFinished) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  #finish(): void {
    if (this.#isFinished) return;
    if (this.#session.state === 'reset') {
      this.cut();
      return;
    }
    this.#isFinished = true;
    this.#release();
    this.#socket.setTimeout(CLOSE_TIMEOUT_MS);
    this.#socket.destroySoon();
  }
}
