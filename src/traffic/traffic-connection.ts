import net from 'node:net';
import type { Address } from '../common/address.ts';
import { messageOf } from '../common/errors.ts';
import { DirectWriter } from '../server/direct-write.ts';
import { type Latencies, recordLatency } from './latencies.ts';
import { MemcachedLines } from './memcached-lines.ts';
import { RedisLines } from './redis-lines.ts';
import { checkRedisReplies } from './redis-reply-check.ts';
import { checkReplies, type Expectation } from './reply-check.ts';
import { ReplyCounter } from './reply-counter.ts';
import type { RequestShape, Requests } from './requests.ts';
import type { StatsAdder } from './traffic-stats.ts';

/** One of so many batches is compared byte by byte, and the first one of each connection. */
const CHECK_EVERY = 1_000;

/** Batches that may wait for their replies on one connection; a power of two. */
const IN_FLIGHT_MAX = 1_024;

/** How long connecting may take. */
const CONNECT_TIMEOUT_MS = 10_000;

/** What the connections of one thread share. */
export interface TrafficShare {
  readonly requests: Requests;
  readonly shape: RequestShape;
  readonly expectation: Expectation;
  /** Where all connections read to. */
  readonly readBuffer: Buffer;
  readonly count: StatsAdder;
  readonly latencies: Latencies;
  /** Called when all replies of a connection are there. */
  readonly onIdle: (connection: TrafficConnection) => void;
  /** Called with each fault. */
  readonly onFault: (text: string) => void;
}

/** A client that sends batches of ready-made requests and counts what comes back. */
export class TrafficConnection {
  readonly #share: TrafficShare;
  readonly #counter: ReplyCounter;
  readonly #socket: net.Socket;
  readonly #direct: DirectWriter | undefined;
  /** When each batch in flight should have been sent, in milliseconds: a ring. */
  readonly #sentAt = new Float64Array(IN_FLIGHT_MAX);
  #oldest = 0;
  #inFlight = 0;
  /** Replies of the oldest batch that are not there yet. */
  #repliesLeft = 0;
  #untilCheck = 0;
  #isClosing = false;
  /** The batch under comparison, and what has come for it. */
  #checked: Buffer | undefined;
  #received: Buffer[] = [];

  private constructor(socket: net.Socket, share: TrafficShare) {
    this.#socket = socket;
    this.#direct = DirectWriter.on(socket, () => {});
    this.#share = share;
    const isRedis = share.shape.command === 'redis';
    this.#counter = new ReplyCounter(isRedis ? new RedisLines() : new MemcachedLines());
  }

  /** @throws Error of the system when it cannot connect. */
  static open(address: Address, share: TrafficShare): Promise<TrafficConnection> {
    return new Promise((resolve, reject) => {
      let connection: TrafficConnection;
      const options = {
        ...(address.kind === 'unix'
          ? { path: address.path }
          : { host: address.host ?? 'localhost', port: address.port }),
        noDelay: true,
        onread: {
          buffer: share.readBuffer,
          callback: (bytes: number, buffer: Uint8Array): boolean => {
            connection.#receive(buffer as Buffer, bytes);
            return true;
          },
        },
      };
      const socket = net.connect(options);
      connection = new TrafficConnection(socket, share);
      socket.setTimeout(CONNECT_TIMEOUT_MS, () => {
        socket.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`));
      });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.setTimeout(0);
        share.count('connected', 1);
        resolve(connection);
      });
      socket.on('error', (error) => connection.#lose(messageOf(error)));
      socket.on('close', () => connection.#lose('the server closed it'));
    });
  }

  /** Whether another batch may be sent although replies are outstanding. */
  get hasRoom(): boolean {
    return this.#inFlight < IN_FLIGHT_MAX;
  }

  get isIdle(): boolean {
    return this.#inFlight === 0;
  }

  get isOpen(): boolean {
    return !this.#isClosing;
  }

  /** Sends the next batch, whose latency counts from `intendedAt`. */
  send(intendedAt: number): void {
    const batch = this.#share.requests.next();
    const newest = (this.#oldest + this.#inFlight) & (IN_FLIGHT_MAX - 1);
    this.#sentAt[newest] = intendedAt;
    if (this.#inFlight === 0) {
      this.#repliesLeft = this.#share.shape.pipeline;
      if (this.#untilCheck === 0) this.#checked = batch;
      else this.#untilCheck--;
    } else if (this.#checked !== undefined) {
      // Only a batch that is in flight alone can be compared: the next one then.
      this.#checked = undefined;
      this.#received = [];
    }
    this.#inFlight++;
    const direct = this.#direct;
    if (direct === undefined || direct.isPending || this.#socket.writableLength > 0) {
      this.#socket.write(batch);
    } else {
      direct.write(batch);
    }
  }

  /** Counts what has not been answered by now with the time that it has waited so far. */
  countUnanswered(now: number): void {
    const { latencies } = this.#share;
    for (let i = 0; i < this.#inFlight; i++) {
      recordLatency(latencies, now - this.#sentAt[(this.#oldest + i) & (IN_FLIGHT_MAX - 1)]);
    }
  }

  close(): void {
    this.#isClosing = true;
    this.#socket.destroy();
  }

  #receive(input: Buffer, length: number): void {
    const { count } = this.#share;
    const counter = this.#counter;
    const { hits, errors } = counter;
    if (this.#checked !== undefined) this.#received.push(Buffer.from(input.subarray(0, length)));
    try {
      const before = counter.replies;
      counter.feed(input, length);
      count('bytesRead', length);
      count('hits', counter.hits - hits);
      if (counter.errors > errors) {
        count('errors', counter.errors - errors);
        this.#share.onFault(`the server answered ${firstLine(input, length)}`);
      }
      if (counter.replies > before) this.#finishReplies(counter.replies - before);
    } catch (error) {
      this.#lose(messageOf(error));
    }
  }

  #finishReplies(replies: number): void {
    const { count, latencies, shape, onIdle } = this.#share;
    count('requests', replies);
    count('keys', replies * shape.keysPerRequest);
    const now = performance.now();
    let left = replies;
    while (left > 0 && this.#inFlight > 0) {
      const step = Math.min(left, this.#repliesLeft);
      left -= step;
      this.#repliesLeft -= step;
      if (this.#repliesLeft > 0) return;
      recordLatency(latencies, now - this.#sentAt[this.#oldest]);
      this.#oldest = (this.#oldest + 1) & (IN_FLIGHT_MAX - 1);
      this.#inFlight--;
      this.#repliesLeft = shape.pipeline;
    }
    if (this.#inFlight > 0) return;
    if (this.#checked !== undefined) this.#check(this.#checked);
    onIdle(this);
  }

  #check(request: Buffer): void {
    const { count, expectation, shape, onFault } = this.#share;
    const check = shape.command === 'redis' ? checkRedisReplies : checkReplies;
    const fault = check(request, Buffer.concat(this.#received), expectation);
    count('checked', 1);
    if (fault !== undefined) {
      count('wrong', 1);
      onFault(`a reply is wrong: ${fault}`);
    }
    this.#checked = undefined;
    this.#received = [];
    this.#untilCheck = CHECK_EVERY;
  }

  #lose(reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#share.count('lost', 1);
    this.#share.onFault(`a connection was lost: ${reason}`);
    this.#socket.destroy();
  }
}

function firstLine(input: Buffer, length: number): string {
  return JSON.stringify(input.toString('latin1', 0, Math.min(length, 200)).split('\r\n')[0]);
}
