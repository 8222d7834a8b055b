import type { ViewSource } from '../../handler/handler.ts';
import { ASKER, Asker } from '../../storage/lookup-counts.ts';
import { BATCH_KEYS_MAX, type Entry } from '../../storage/storage.ts';
import { LOGIN_WORK } from '../login.ts';
import type { Session, SessionContext, SessionState } from '../protocol.ts';
import { headOf, type Reply } from '../reply.ts';
import {
  ANSWER,
  ANY_SHARD,
  ELSEWHERE,
  FORWARD_VERSION,
  HELLO,
  HELLO_MAGIC,
  HIT,
  LOGIN_BYTES_MAX,
  MISS,
  WELCOME,
  WELCOME_MAGIC,
  WELCOME_STATUS,
} from './frames.ts';

/** A server as one of several that have a part of the keys each. */
export interface OwnPart {
  /** The records that are here. */
  readonly local: ViewSource;
  /** Number of its shard. */
  readonly shard: number;
  /** Says which key belongs where. 16 hexadecimal digits. */
  readonly epoch: string;
  /** Number of the shard that key[start, end) belongs to. */
  readonly shardOf: (key: Buffer, start: number, end: number) => number;
  /** Addresses of the servers of a shard, as they are told: see `ELSEWHERE`. */
  readonly addressesOf: (shard: number) => Buffer;
  /** Called when a server was refused, with its address as `ConnectionPlace` has it. */
  readonly onRefused: (why: string, client: string) => void;
  /** Called when a server has another epoch; its address likewise. */
  readonly onOtherEpoch: (epoch: string, client: string) => void;
}

/** Bytes of a key that cost a unit of work (see reply.ts). */
const KEY_BYTES_A_UNIT = 1024;

const NO_HEAD = headOf('');

/** Where the keys of one lookup begin and end. All sessions share it: valid within one call. */
const bounds = new Int32Array(2 * BATCH_KEYS_MAX);

/** Where an answer's head is put together; likewise. */
const head = Buffer.alloc(ANSWER.bytes);

/**
 * What one other server asks. It is answered from what is here, so requests cannot go round in circles.
 * What this server says of its own keys is true by its own shards, so it is true for all.
 */
export class ForwardSession implements Session {
  readonly #context: SessionContext;
  readonly #asker: Asker;
  readonly #place: OwnPart;
  #state: SessionState = 'open';
  #isWelcome = false;
  /** Whether keys of other shards may be asked for. */
  #isMixed = false;
  /** Requests so far. */
  #sequence = 0;

  constructor(context: SessionContext, place: OwnPart) {
    this.#context = context;
    this.#asker = context.asker ?? new Asker();
    this.#place = place;
  }

  get state(): SessionState {
    return this.#state;
  }

  receive(input: Buffer, start: number, end: number, reply: Reply): number {
    this.#asker.at = ASKER.forward;
    let at = start;
    if (!this.#isWelcome) {
      at = this.#greet(input, at, end, reply);
      if (!this.#isWelcome) return at - start;
    }
    while (at < end && !reply.isFull) {
      const next = this.#answer(input, at, end, reply);
      if (next === at) break;
      at = next;
    }
    return at - start;
  }

  close(): void {
    this.#state = 'close';
  }

  #greet(input: Buffer, start: number, end: number, reply: Reply): number {
    for (let i = 0; i < HELLO_MAGIC.length && start + i < end; i++) {
      if (input[start + i] === HELLO_MAGIC[i]) continue;
      this.#context.counters.protocol_errors++;
      this.#state = 'close';
      return start;
    }
    const login = start + HELLO.bytes;
    if (login > end) return start;
    const loginBytes = input.readUInt16BE(start + HELLO.loginBytes);
    const next = login + loginBytes;
    if (next > end && loginBytes <= LOGIN_BYTES_MAX) return start;
    const status = this.#statusFor(input, start, next);
    this.#welcome(status, reply);
    if (status === WELCOME_STATUS.ok) this.#isWelcome = true;
    else this.#state = 'close';
    return Math.min(next, end);
  }

  /** @param end Behind the name and the password. */
  #statusFor(input: Buffer, start: number, end: number): number {
    const { shard, epoch, local } = this.#place;
    const client = this.#context.connection?.().address ?? 'an unknown client';
    const onRefused = (why: string): void => this.#place.onRefused(why, client);
    if (input[start + HELLO.version] !== FORWARD_VERSION) {
      onRefused(`it speaks version ${input[start + HELLO.version]}, expected ${FORWARD_VERSION}`);
      return WELCOME_STATUS.otherVersion;
    }
    // Behind what has come there may be what another client has sent: it is not read.
    const isTooLong = end - start > HELLO.bytes + LOGIN_BYTES_MAX;
    if (isTooLong || !this.#isLoggedIn(input.toString('utf8', start + HELLO.bytes, end))) {
      onRefused('its login is not accepted');
      return WELCOME_STATUS.badLogin;
    }
    const itsEpoch = input.toString('hex', start + HELLO.epoch, start + HELLO.epoch + 8);
    const asked = input.readUInt16BE(start + HELLO.shard);
    if (itsEpoch !== epoch) this.#place.onOtherEpoch(itsEpoch, client);
    this.#isMixed = itsEpoch !== epoch || asked === ANY_SHARD;
    if (asked !== shard && !this.#isMixed) {
      onRefused(`it asks for the shard with idx ${asked}, and this is idx ${shard}`);
      return WELCOME_STATUS.otherShard;
    }
    const view = local.view();
    view.release();
    return view.info.generation === 0 ? WELCOME_STATUS.noData : WELCOME_STATUS.ok;
  }

  #isLoggedIn(login: string): boolean {
    const { authenticate, counters, onFailedLogin } = this.#context;
    if (authenticate === undefined) return true;
    const space = login.indexOf(' ');
    counters.auth_cmds++;
    if (space > 0 && authenticate(login.slice(0, space), login.slice(space + 1))) return true;
    counters.auth_errors++;
    onFailedLogin?.();
    return false;
  }

  #welcome(status: number, reply: Reply): void {
    const welcome = Buffer.alloc(WELCOME.bytes);
    WELCOME_MAGIC.copy(welcome);
    welcome[WELCOME.version] = FORWARD_VERSION;
    welcome[WELCOME.status] = status;
    welcome.writeUInt16BE(this.#place.shard, WELCOME.shard);
    welcome.write(this.#place.epoch, WELCOME.epoch, 'hex');
    reply.charge(LOGIN_WORK);
    reply.copy(welcome, 0, welcome.length);
  }

  /** Answers the first requests in input[start, end) together. @returns Behind the last that is answered. */
  #answer(input: Buffer, start: number, end: number, reply: Reply): number {
    let at = start;
    let count = 0;
    while (count < BATCH_KEYS_MAX && at + 2 <= end) {
      const keyEnd = at + 2 + ((input[at] << 8) | input[at + 1]);
      if (keyEnd > end) break;
      bounds[2 * count] = at + 2;
      bounds[2 * count + 1] = keyEnd;
      count++;
      at = keyEnd;
    }
    if (count === 0) return start;
    const view = this.#place.local.view();
    let i = 0;
    try {
      const batch = count > 1 ? view.batch : undefined;
      batch?.locate(input, bounds, count);
      for (; i < count && !reply.isFull; i++) {
        const keyStart = bounds[2 * i];
        const keyEnd = bounds[2 * i + 1];
        const entry = batch === undefined ? view.get(input, keyStart, keyEnd) : batch.entry(i);
        reply.charge(1 + (keyEnd - keyStart) / KEY_BYTES_A_UNIT);
        this.#append(reply, entry, input, keyStart, keyEnd);
      }
    } finally {
      view.release();
    }
    this.#context.counters.forwarded_in += i;
    return i === 0 ? start : bounds[2 * i - 1];
  }

  #append(
    reply: Reply,
    entry: Entry | undefined,
    key: Buffer,
    keyStart: number,
    keyEnd: number,
  ): void {
    head.writeUInt16BE(keyEnd - keyStart, ANSWER.keyBytes);
    head.writeInt32BE(this.#sequence, ANSWER.sequence);
    this.#sequence = (this.#sequence + 1) | 0;
    if (entry === undefined) {
      this.#appendMissing(reply, key, keyStart, keyEnd);
      return;
    }
    head[ANSWER.status] = HIT;
    const { wireStart, valueStart, valueEnd, flags, cas } = entry;
    const valueBytes = valueEnd - valueStart;
    head.writeUInt32BE(flags, ANSWER.flags);
    head.writeUInt32BE(valueBytes, ANSWER.valueBytes);
    head.writeUInt32BE(Math.floor(cas / 2 ** 32), ANSWER.cas);
    head.writeInt32BE(cas | 0, ANSWER.cas + 4);
    reply.copy(head, 0, ANSWER.bytes);
    if (wireStart >= 0) {
      reply.lend(entry, wireStart, valueEnd + 2, NO_HEAD);
      return;
    }
    reply.copy(key, keyStart, keyEnd);
    reply.text(` ${flags} ${valueBytes}\r\n`);
    reply.lend(entry, valueStart, valueEnd);
    reply.text('\r\n');
  }

  /** A record that is here belongs here; of another key, the owner is to be asked. */
  #appendMissing(reply: Reply, key: Buffer, keyStart: number, keyEnd: number): void {
    const { shard, shardOf, addressesOf } = this.#place;
    const owner = this.#isMixed ? shardOf(key, keyStart, keyEnd) : shard;
    // What the last hit, perhaps another server's, has left there is nobody's.
    head.fill(0, ANSWER.flags, ANSWER.sequence).fill(0, ANSWER.cas);
    if (owner === shard) {
      head[ANSWER.status] = MISS;
      reply.copy(head, 0, ANSWER.bytes);
      return;
    }
    const addresses = addressesOf(owner);
    head[ANSWER.status] = ELSEWHERE;
    head.writeUInt32BE(addresses.length, ANSWER.valueBytes);
    reply.copy(head, 0, ANSWER.bytes);
    reply.copy(addresses, 0, addresses.length);
  }
}
