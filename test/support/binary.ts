import { expect } from 'vitest';
import type { ForeignKeys } from '../../src/handler/foreign-keys.ts';
import type { ViewSource } from '../../src/handler/handler.ts';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { binaryProtocol } from '../../src/protocol/binary/binary.ts';
import type { Counters } from '../../src/protocol/counters.ts';
import type {
  Protocol,
  Session,
  SessionContext,
  SessionState,
} from '../../src/protocol/protocol.ts';
import { Reply } from '../../src/protocol/reply.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { foreignOver } from './foreign.ts';
import { Random } from './random-bytes.ts';
import { asksOthers, contextOf, split } from './session.ts';
import { bytesOf, MapStorage, type TestRecord, tableOf } from './storages.ts';

/** A request to build. What is left out is empty or 0; the lengths are right unless given. */
export interface RequestParts {
  readonly extras?: Buffer | string;
  readonly key?: Buffer | string;
  readonly value?: Buffer | string;
  readonly opaque?: number;
  readonly cas?: bigint;
  readonly magic?: number;
  readonly keyBytes?: number;
  readonly extrasBytes?: number;
  readonly bodyBytes?: number;
}

/** A parsed response; its fields are Latin-1 text. */
export interface Response {
  readonly opcode: number;
  readonly status: number;
  readonly extras: string;
  readonly key: string;
  readonly value: string;
  readonly opaque: number;
  readonly cas: bigint;
}

/** What came of a conversation. */
export interface BinaryPlayed {
  readonly output: Buffer;
  readonly state: SessionState;
  readonly counters: Counters;
}

/** Bytes of other clients around the input, with the beginning of a request among them. */
const FOREIGN = Buffer.from('\x80\x00\x00\x01foreign\x80\x0a', 'latin1');

/** Above this length, input is not cut into small pieces, as that would take too long. */
const SMALL_INPUT_BYTES_MAX = 8 * 1024;

/** Builds a request. */
export function request(opcode: number, parts: RequestParts = {}): Buffer {
  const body = [parts.extras ?? '', parts.key ?? '', parts.value ?? ''].map(bytesOf);
  const [extras, key, value] = body;
  const header = Buffer.alloc(24);
  header[0] = parts.magic ?? 0x80;
  header[1] = opcode;
  header.writeUInt16BE(parts.keyBytes ?? key.length, 2);
  header[4] = parts.extrasBytes ?? extras.length;
  header.writeUInt32BE(parts.bodyBytes ?? extras.length + key.length + value.length, 8);
  header.writeUInt32BE(parts.opaque ?? 0, 12);
  header.writeBigUInt64BE(parts.cas ?? 0n, 16);
  return Buffer.concat([header, ...body]);
}

/** Parses output that must consist of whole responses and nothing else. */
export function parseResponses(output: Buffer): readonly Response[] {
  const responses: Response[] = [];
  for (let at = 0; at < output.length; ) {
    expect(output[at]).toBe(0x81);
    expect(output[at + 5]).toBe(0);
    const keyStart = at + 24 + output[at + 4];
    const valueStart = keyStart + output.readUInt16BE(at + 2);
    const end = at + 24 + output.readUInt32BE(at + 8);
    expect(valueStart).toBeLessThanOrEqual(end);
    expect(end).toBeLessThanOrEqual(output.length);
    responses.push({
      opcode: output[at + 1],
      status: output.readUInt16BE(at + 6),
      extras: output.toString('latin1', at + 24, keyStart),
      key: output.toString('latin1', keyStart, valueStart),
      value: output.toString('latin1', valueStart, end),
      opaque: output.readUInt32BE(at + 12),
      cas: output.readBigUInt64BE(at + 16),
    });
    at = end;
  }
  return responses;
}

/** A session of any protocol and the part of a server around it. */
export class BinaryConversation {
  readonly counters: Counters;
  readonly session: Session;
  readonly #foreign: ForeignKeys | undefined;
  readonly #reply = new Reply();
  readonly #sent: Buffer[] = [];
  #rest: Buffer = Buffer.alloc(0);

  constructor(
    handler: ViewSource,
    protocol: Protocol = binaryProtocol,
    more: Partial<SessionContext> = {},
  ) {
    const context = contextOf(handler, more);
    this.counters = context.counters;
    this.#foreign = more.foreign;
    this.session = protocol.createSession(context);
  }

  /** How many bytes of input the session has left to be given again. */
  get restBytes(): number {
    return this.#rest.length;
  }

  /** Gives bytes that arrived, and sends each full reply until no more comes. */
  give(bytes: Buffer): void {
    while (this.giveOnce(bytes)) bytes = Buffer.alloc(0);
  }

  /** Gives bytes that arrived and sends one reply. @returns Whether there may be more to answer. */
  giveOnce(bytes: Buffer): boolean {
    const input = Buffer.concat([FOREIGN, this.#rest, bytes, FOREIGN]);
    const start = FOREIGN.length;
    const end = input.length - FOREIGN.length;
    let used = 0;
    if (this.session.state === 'open') {
      used = this.session.receive(input, start, end, this.#reply);
      if (used < 0 || used > end - start) throw new Error(`used ${used} of ${end - start} bytes`);
    }
    this.#rest = Buffer.from(input.subarray(start + used, end));
    input.fill('!');
    return this.#send();
  }

  played(): BinaryPlayed {
    const { session, counters } = this;
    return { output: Buffer.concat(this.#sent), state: session.state, counters };
  }

  #send(): boolean {
    const reply = this.#reply;
    const wasFull = reply.isFull;
    if (reply.length > 0) {
      const sent = Buffer.concat(reply.take());
      if (sent.length !== reply.length) throw new Error('the reply lost bytes');
      this.#sent.push(sent);
      // It depends on the socket which of the two happens; both must work.
      if (this.#sent.length % 2 === 0) reply.detach();
      else reply.reset();
    } else {
      reply.reset();
    }
    const goesOn = asksOthers(this.#foreign) || wasFull;
    if (!goesOn) this.#foreign?.forget();
    return goesOn && this.session.state === 'open';
  }
}

/** Plays input that arrives in these pieces to a new session over this storage. */
export function playBinaryPieces(
  pieces: readonly Buffer[],
  storage: Storage,
  protocol?: Protocol,
  foreign?: ForeignKeys,
): BinaryPlayed {
  const more = foreign && { foreign };
  const handler = foreign ?? createSimpleHandler(storage);
  const conversation = new BinaryConversation(handler, protocol, more);
  for (const piece of pieces) conversation.give(piece);
  const played = conversation.played();
  conversation.session.close();
  return played;
}

/** A storage that can be played to many times: ending one conversation does not close it. */
export function lasting(storage: Storage): Storage {
  return { info: storage.info, get: storage.get.bind(storage), close: () => {} };
}

/**
 * Plays requests in all ways that they can arrive (whole, byte by byte, in random pieces, twice in
 * a row), over a table and over a storage without wire form, and expects the same output each time.
 */
export function playBinaryAllWays(
  requests: readonly Buffer[],
  records: readonly TestRecord[] = [],
  protocol: Protocol = binaryProtocol,
): BinaryPlayed {
  const bytes = Buffer.concat(requests);
  const isSmall = bytes.length <= SMALL_INPUT_BYTES_MAX;
  const sizes = isSmall ? [1, 3, 30, 3000] : [50_000, 200_000];
  const played = playBinaryPieces([bytes], lasting(tableOf(records)), protocol);
  for (const storage of [lasting(tableOf(records)), lasting(new MapStorage(records))]) {
    expectSame(playBinaryPieces([bytes], storage, protocol), played, 'whole');
    const { foreign } = foreignOver(storage);
    const sharded = playBinaryPieces([bytes], storage, protocol, foreign);
    expectSame(sharded, played, 'others have a part');
    for (const size of sizes) {
      const pieces = split(bytes, new Random(bytes.length + size), size);
      expectSame(playBinaryPieces(pieces, storage, protocol), played, `pieces of up to ${size}`);
      const { foreign } = foreignOver(storage);
      const inPieces = playBinaryPieces(pieces, storage, protocol, foreign);
      expectSame(inPieces, played, `others have a part, pieces of up to ${size}`);
    }
    if (played.state === 'open' && isSmall) {
      const output = Buffer.concat([played.output, played.output]);
      const twice = playBinaryPieces([Buffer.concat([bytes, bytes])], storage, protocol);
      expectSame(twice, { ...played, output }, 'twice in a row');
    }
  }
  return played;
}

function expectSame(found: BinaryPlayed, expected: BinaryPlayed, way: string): void {
  expect(found.state, way).toBe(expected.state);
  expect(found.output.equals(expected.output), way).toBe(true);
}
