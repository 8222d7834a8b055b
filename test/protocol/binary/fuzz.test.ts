import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OPCODE } from '../../../src/protocol/binary/packet.ts';
import { detectingProtocol } from '../../../src/protocol/detect/detect.ts';
import { REPLY_FULL_BYTES } from '../../../src/protocol/reply.ts';
import {
  type BinaryPlayed,
  lasting,
  parseResponses,
  playBinaryPieces,
  request,
} from '../../support/binary.ts';
import { Random } from '../../support/random-bytes.ts';
import { split } from '../../support/session.ts';
import { stopClocks } from '../../support/still-clock.ts';
import { tableOf } from '../../support/storages.ts';

const storage = lasting(
  tableOf([
    ['a', 'of a'],
    ['b', 'x'.repeat(2_000), 1],
    ['c', 'y'.repeat(20_000)],
    ['d', 'z'.repeat(REPLY_FULL_BYTES)],
  ]),
);

const END = request(OPCODE.noop, { opaque: 0x0ddba11 });

const QUIET_READS: readonly number[] = [OPCODE.getq, OPCODE.getkq, OPCODE.gatq, OPCODE.gatkq];
const SILENT_WRITES: readonly number[] = [
  OPCODE.deleteq,
  OPCODE.incrementq,
  OPCODE.decrementq,
  OPCODE.flushq,
];

/** A request, and whether it is answered exactly once whatever it is about. */
interface Sent {
  readonly bytes: Buffer;
  readonly opcode: number;
  readonly isAnswered: boolean;
}

const key = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a', 'b', 'c', 'd', 'nope') },
  fc.constantFrom('k'.repeat(250), '\0', '\x80\x0a', '\r\n'),
);
const opaque = fc.integer({ min: 0, max: 0xffffffff });
const cas = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const value = fc
  .oneof(fc.uint8Array({ maxLength: 60 }), fc.constant(END), fc.constant(Buffer.alloc(5_000)))
  .map((bytes) => Buffer.from(bytes));

function requestsOf(
  opcodes: readonly number[],
  extrasBytes: number,
  hasValue = false,
): fc.Arbitrary<Sent> {
  return fc
    .record({ opcode: fc.constantFrom(...opcodes), key, opaque, cas, value })
    .map(({ opcode, value: data, ...parts }) => ({
      bytes: request(opcode, {
        ...parts,
        extras: Buffer.alloc(extrasBytes, 1),
        value: hasValue ? data : '',
      }),
      opcode,
      isAnswered: !QUIET_READS.includes(opcode) && !SILENT_WRITES.includes(opcode),
    }));
}

const bare = fc
  .record({
    opcode: fc.constantFrom(OPCODE.noop, OPCODE.version, OPCODE.saslListMechs, OPCODE.flush),
    opaque,
  })
  .map(({ opcode, opaque: number }) => ({
    bytes: request(opcode, { opaque: number }),
    opcode,
    isAnswered: true,
  }));

const O = OPCODE;
const valid = fc.oneof(
  { weight: 4, arbitrary: requestsOf([O.get, O.getq, O.getk, O.getkq], 0) },
  { weight: 2, arbitrary: requestsOf([O.gat, O.gatq, O.gatk, O.gatkq, O.touch], 4) },
  requestsOf([O.set, O.setq, O.add, O.addq, O.replace, O.replaceq], 8, true),
  requestsOf([O.append, O.appendq, O.prepend, O.prependq, O.saslAuth, O.saslStep], 0, true),
  requestsOf([O.increment, O.incrementq, O.decrement, O.decrementq], 20),
  requestsOf([O.delete, O.deleteq], 0),
  requestsOf([0x1b, 0x25, 0x77, 0xff], 7, true),
  bare,
);
const conversations = fc.array(valid, { maxLength: 25 });

/** Requests that may be anything, with a header that promises anything. */
const broken = fc
  .record({
    opcode: fc.integer({ min: 0, max: 0xff }),
    magic: fc.constantFrom(0x80, 0x80, 0x80, 0x80, 0x81, 0x00),
    keyBytes: fc.constantFrom(0, 0, 1, 2, 250, 251, 65_535),
    extrasBytes: fc.constantFrom(0, 0, 4, 8, 20, 255),
    bodyBytes: fc.constantFrom(0, 0, 1, 4, 9, 300, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1),
    value,
  })
  .map(({ opcode, ...parts }) => request(opcode, parts));

const anyBytes = fc.oneof(
  { weight: 4, arbitrary: broken },
  fc.constant(request(OPCODE.stat)),
  { weight: 4, arbitrary: fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 4, arbitrary: valid.map(({ bytes }) => bytes) },
);

function bytesOf(sent: readonly Sent[]): Buffer {
  return Buffer.concat(sent.map(({ bytes }) => bytes));
}

function playSplit(bytes: Buffer, seed: number): BinaryPlayed {
  const random = new Random(seed);
  const pieces = split(bytes, random, [1, 4, 50, 5_000][random.below(4)]);
  return playBinaryPieces(pieces, storage, detectingProtocol);
}

function expectSameInPieces(bytes: Buffer, seed: number): BinaryPlayed {
  const whole = playBinaryPieces([bytes], storage, detectingProtocol);
  const pieces = playSplit(bytes, seed);
  expect(pieces.state).toBe(whole.state);
  expect(pieces.output.equals(whole.output)).toBe(true);
  expect({ ...pieces.counters }).toEqual({ ...whole.counters });
  return whole;
}

stopClocks();

describe('a binary session', () => {
  it('answers each request once, in order, however they are split, and is never out of step', () => {
    fc.assert(
      fc.property(conversations, fc.integer(), (sent, seed) => {
        const { output, state } = playSplit(Buffer.concat([bytesOf(sent), END]), seed);
        const responses = parseResponses(output);
        expect(state).toBe('open');
        expect(responses.at(-1)).toMatchObject({ opcode: OPCODE.noop, opaque: 0x0ddba11 });
        const isLoud = ({ opcode }: { opcode: number }): boolean => !QUIET_READS.includes(opcode);
        expect(
          responses
            .slice(0, -1)
            .filter(isLoud)
            .map(({ opcode }) => opcode),
        ).toEqual(sent.filter(({ isAnswered }) => isAnswered).map(({ opcode }) => opcode));
      }),
      { numRuns: 300 },
    );
  });

  it('answers each request as it would alone', () => {
    fc.assert(
      fc.property(conversations, (sent) => {
        const alone = sent.map(({ bytes }) => playBinaryPieces([bytes], storage).output);
        const together = playBinaryPieces([bytesOf(sent)], storage).output;
        expect(together.equals(Buffer.concat(alone))).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('survives broken requests, and answers them alike however they are split', () => {
    fc.assert(
      fc.property(fc.array(anyBytes, { maxLength: 12 }), fc.integer(), (pieces, seed) => {
        const bytes = Buffer.concat([END, ...pieces]);
        parseResponses(expectSameInPieces(bytes, seed).output);
      }),
      { numRuns: 500 },
    );
  });

  it('survives requests with a few bytes changed, lost or added', () => {
    fc.assert(
      fc.property(conversations, fc.integer(), (sent, seed) => {
        const random = new Random(seed);
        const bytes = [...bytesOf(sent)];
        for (let i = 0; i < 5; i++) {
          const at = random.below(bytes.length + 1);
          bytes.splice(at, random.below(3), ...random.bytes(random.below(3)));
        }
        const { output } = expectSameInPieces(Buffer.concat([END, Buffer.from(bytes)]), seed);
        parseResponses(output);
      }),
      { numRuns: 300 },
    );
  });
});
