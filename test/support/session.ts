import { expect } from 'vitest';
import type { ForeignKeys } from '../../src/handler/foreign-keys.ts';
import type { ViewSource } from '../../src/handler/handler.ts';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import {
  type Counters,
  countersOf,
  createCounterMemory,
  resetCounters,
  sumCounters,
} from '../../src/protocol/counters.ts';
import { memcachedProtocol } from '../../src/protocol/memcached/memcached.ts';
import type { Session, SessionContext, SessionState } from '../../src/protocol/protocol.ts';
import { Reply } from '../../src/protocol/reply.ts';
import { SharedParts } from '../../src/protocol/shared-parts.ts';
import { DEFAULT_LIMITS } from '../../src/server/limits.ts';
import { settingsOf } from '../../src/server/settings.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { foreignOver } from './foreign.ts';
import { Random } from './random-bytes.ts';
import { bytesOf, MapStorage, type TestRecord, tableOf } from './storages.ts';

/** What came of a conversation. */
export interface Played {
  /** All that was answered, as Latin-1 text. */
  readonly output: string;
  readonly state: SessionState;
  readonly counters: Counters;
  /** How many replies were sent. */
  readonly sends: number;
}

/** Bytes of other clients that share the memory input is read into, line ends among them. */
const FOREIGN = Buffer.from('get foreign\r\n');

/** Above this length, input is not cut into small pieces, as that would take too long. */
const SMALL_INPUT_BYTES_MAX = 16 * 1024;

const LIMITS = { ...DEFAULT_LIMITS, connectionsMax: 100 };
const FACTS = {
  version: '1.6.99',
  threads: 2,
  connectionsMax: 100,
  settings: settingsOf({
    ...{ threads: 2, limits: LIMITS, access: { allow: [] } },
    ...{ sessions: {}, allowShutdown: false },
  }),
};

/** @param more What a server may add to the context, such as hooks. */
export function contextOf(handler: ViewSource, more: Partial<SessionContext> = {}): SessionContext {
  const memory = createCounterMemory(1);
  return {
    handler,
    counters: countersOf(memory, 0),
    sumCounters: () => sumCounters(memory),
    facts: { ...FACTS, startedAt: Date.now() - 5_000 },
    shared: new SharedParts(),
    resetCounters: () => resetCounters(memory),
    ...more,
  };
}

/** Asks what the session wants to know, as a connection does. @returns Whether there was anything. */
export function asksOthers(foreign: ForeignKeys | undefined): boolean {
  if (foreign?.isWanted !== true) return false;
  let isReady = false;
  foreign.ask(() => {
    isReady = true;
  });
  if (!isReady) throw new Error('a question was not answered');
  return true;
}

/** A session and the part of a server around it: input that is not done with is given again. */
export class Conversation {
  readonly counters: Counters;
  readonly session: Session;
  readonly #foreign: ForeignKeys | undefined;
  readonly #reply = new Reply();
  #rest: Buffer = Buffer.alloc(0);
  #output = '';
  #sends = 0;

  constructor(handler: ViewSource, more: Partial<SessionContext> = {}) {
    const context = contextOf(handler, more);
    this.counters = context.counters;
    this.#foreign = more.foreign;
    this.session = memcachedProtocol.createSession(context);
  }

  /** Gives bytes that arrived, and sends each full reply until no more comes. */
  give(bytes: Buffer): void {
    while (this.giveOnce(bytes)) bytes = Buffer.alloc(0);
  }

  /** Gives bytes that arrived and sends one reply. @returns Whether there may be more to answer. */
  giveOnce(bytes: Buffer): boolean {
    // Other bytes around it each time, and never the same memory twice.
    const input = Buffer.concat([FOREIGN, this.#rest, bytes, FOREIGN]);
    const start = FOREIGN.length;
    const end = input.length - FOREIGN.length;
    const used = this.#receive(input, start, end);
    this.#rest = Buffer.from(input.subarray(start + used, end));
    input.fill('!');
    return this.#send();
  }

  /** Gives bytes one at a time, all in one memory; of large input those in the middle at once. */
  giveEachByte(bytes: Buffer): void {
    let start = 0;
    for (let end = 1; end <= bytes.length && this.session.state === 'open'; end++) {
      if (end === SMALL_INPUT_BYTES_MAX / 2) {
        end = Math.max(end, bytes.length - SMALL_INPUT_BYTES_MAX / 2);
      }
      do start += this.#receive(bytes, start, end);
      while (this.#send());
    }
  }

  played(): Played {
    return {
      output: this.#output,
      state: this.session.state,
      counters: this.counters,
      sends: this.#sends,
    };
  }

  #receive(input: Buffer, start: number, end: number): number {
    if (this.session.state !== 'open') return 0;
    const used = this.session.receive(input, start, end, this.#reply);
    if (used < 0 || used > end - start) throw new Error(`used ${used} of ${end - start} bytes`);
    return used;
  }

  /** @returns Whether the reply was full, so that the session may have stopped early. */
  #send(): boolean {
    const reply = this.#reply;
    const wasFull = reply.isFull;
    if (reply.length > 0) {
      this.#sends++;
      const { length } = reply;
      const sent = Buffer.concat(reply.take());
      if (sent.length !== length) throw new Error(`a reply of ${length} bytes sent ${sent.length}`);
      this.#output += sent.toString('latin1');
      // It depends on the socket which of the two happens; both must work.
      if (this.#sends % 2 === 0) reply.detach();
      else reply.reset();
    } else {
      reply.reset();
    }
    const goesOn = asksOthers(this.#foreign) || wasFull;
    if (!goesOn) this.#foreign?.forget();
    return goesOn && this.session.state === 'open';
  }
}

/** Plays input that arrives at once to a new session over this storage. */
export function play(input: string, storage: Storage, more: Partial<SessionContext> = {}): Played {
  return playPieces([Buffer.from(input, 'latin1')], storage, more);
}

/** Plays input that arrives in these pieces. */
export function playPieces(
  pieces: readonly Buffer[],
  storage: Storage,
  more: Partial<SessionContext> = {},
): Played {
  const conversation = new Conversation(more.foreign ?? createSimpleHandler(storage), more);
  for (const piece of pieces) conversation.give(piece);
  return ended(conversation);
}

function playEachByte(input: Buffer, storage: Storage, more: Partial<SessionContext>): Played {
  const conversation = new Conversation(more.foreign ?? createSimpleHandler(storage), more);
  conversation.giveEachByte(input);
  return ended(conversation);
}

function ended(conversation: Conversation): Played {
  const played = conversation.played();
  conversation.session.close();
  return played;
}

/**
 * Plays input in all ways that it can arrive, over a table and over a storage without wire form,
 * and expects the same output each time.
 *
 * @param input Latin-1 text; when it ends with a whole command, it is also played twice in a row.
 */
export function playAllWays(
  input: string,
  records: readonly TestRecord[] = [],
  isWhole = true,
  more: Partial<SessionContext> = {},
): Played {
  const bytes = Buffer.from(input, 'latin1');
  const sizes = bytes.length <= SMALL_INPUT_BYTES_MAX ? [3, 30, 3000] : [50_000, 200_000];
  const played = play(input, tableOf(records), more);
  const storages: readonly Storage[] = [tableOf(records), new MapStorage(records)];
  for (const storage of storages) {
    const make = (): Storage => ({
      info: storage.info,
      get: storage.get.bind(storage),
      batch: storage.batch,
      scan: storage.scan?.bind(storage) ?? scanOf(storage, records),
      close: () => {},
    });
    const sharded = (): Partial<SessionContext> => ({ ...more, ...foreignOver(make()) });
    expectSame(playPieces([bytes], make(), more), played, 'whole');
    expectSame(playPieces([bytes], make(), sharded()), played, 'others have a part');
    expectSame(playEachByte(bytes, make(), sharded()), played, 'others have a part, byte by byte');
    expectSame(playEachByte(bytes, make(), more), played, 'byte by byte');
    for (const size of sizes) {
      const pieces = split(bytes, new Random(bytes.length + size), size);
      expectSame(playPieces(pieces, make(), more), played, `in pieces of up to ${size} bytes`);
    }
    if (isWhole) {
      const output = played.state === 'open' ? played.output.repeat(2) : played.output;
      expectSame(play(input + input, make(), more), { ...played, output }, 'twice in a row');
    }
  }
  return played;
}

/** Lists the records of a storage that cannot do it itself. */
function scanOf(storage: Storage, records: readonly TestRecord[]): NonNullable<Storage['scan']> {
  const keys = records.map(([key]) => bytesOf(key));
  return (cursor, limit, visit) => {
    const end = Math.min(cursor + limit, keys.length);
    for (const key of keys.slice(cursor, end)) {
      visit(key, 0, key.length, storage.get(key, 0, key.length)!);
    }
    return end === keys.length ? 0 : end;
  };
}

function expectSame(found: Played, expected: Played, way: string): void {
  expect(found.state, way).toBe(expected.state);
  // A difference of megabytes would take minutes to print.
  if (found.output === expected.output) return;
  expect(found.output.slice(0, 2000), way).toBe(expected.output.slice(0, 2000));
  expect(found.output.length, way).toBe(expected.output.length);
  throw new Error(`${way}: the output differs after 2000 bytes`);
}

/** Cuts bytes at random places. */
export function split(bytes: Buffer, random: Random, pieceBytesMax: number): readonly Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(pieceBytesMax);
    pieces.push(bytes.subarray(at, end));
    at = end;
  }
  return pieces;
}
