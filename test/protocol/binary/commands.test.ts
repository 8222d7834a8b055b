import { describe, expect, it } from 'vitest';
import { OPCODE, STATUS } from '../../../src/protocol/binary/packet.ts';
import {
  parseResponses,
  playBinaryAllWays,
  playBinaryPieces,
  type RequestParts,
  request,
} from '../../support/binary.ts';
import { type TestRecord, tableOf } from '../../support/storages.ts';

const RECORDS: readonly TestRecord[] = [['a', 'of a']];
const NOOP = request(OPCODE.noop, { opaque: 99 });
const NOOP_RESPONSE = {
  opcode: OPCODE.noop,
  status: 0,
  extras: '',
  key: '',
  value: '',
  opaque: 99,
  cas: 0n,
};

function errorOf(opcode: number, status: number, value: string, opaque = 0): object {
  return { opcode, status, extras: '', key: '', value, opaque, cas: 0n };
}

describe('noop', () => {
  it('is answered', () => {
    expect(parseResponses(playBinaryAllWays([NOOP, NOOP]).output)).toEqual([
      NOOP_RESPONSE,
      NOOP_RESPONSE,
    ]);
  });
});

describe('version', () => {
  it('answers with three dotted numbers', () => {
    const { output } = playBinaryAllWays([request(OPCODE.version, { opaque: 3 }), NOOP]);
    expect(parseResponses(output)).toEqual([
      { ...NOOP_RESPONSE, opcode: OPCODE.version, value: '1.6.99', opaque: 3 },
      NOOP_RESPONSE,
    ]);
  });
});

describe('quit', () => {
  it('is answered, and drops later commands', () => {
    const { output, state } = playBinaryAllWays([NOOP, request(OPCODE.quit, { opaque: 2 }), NOOP]);
    expect(state).toBe('close');
    expect(parseResponses(output)).toEqual([
      NOOP_RESPONSE,
      { ...NOOP_RESPONSE, opcode: OPCODE.quit, opaque: 2 },
    ]);
  });

  it('is not answered when quiet', () => {
    const { output, state } = playBinaryAllWays([NOOP, request(OPCODE.quitq), NOOP]);
    expect(state).toBe('close');
    expect(parseResponses(output)).toEqual([NOOP_RESPONSE]);
  });
});

describe('stat', () => {
  it('sends a packet for each number, and an empty one at the end', () => {
    const bytes = Buffer.concat([
      request(OPCODE.get, { key: 'a' }),
      request(OPCODE.stat, { opaque: 4 }),
      NOOP,
    ]);
    // Not compared with each other: the time goes on from one to the next.
    for (const pieces of [[bytes], [...bytes].map((byte) => Buffer.of(byte))]) {
      const [, ...responses] = parseResponses(playBinaryPieces(pieces, tableOf(RECORDS)).output);
      expect(responses.pop()).toEqual(NOOP_RESPONSE);
      expect(responses.pop()).toEqual({ ...NOOP_RESPONSE, opcode: OPCODE.stat, opaque: 4 });
      expect(responses.length).toBeGreaterThan(20);
      const stats: Record<string, string> = {};
      for (const { key, value, ...rest } of responses) {
        stats[key] = value;
        expect(rest).toEqual({ opcode: OPCODE.stat, status: 0, extras: '', opaque: 4, cas: 0n });
      }
      expect(stats).toMatchObject({ version: '1.6.99', curr_items: '1', cmd_get: '1' });
    }
  });

  it('does not know groups that memcached does not have, and accepts reset', () => {
    const groups = ['nope', 'connections', 'rese', 'reset', 'reset all'];
    const requests = groups.map((key) => request(OPCODE.stat, { key }));
    const { output, state } = playBinaryAllWays([...requests, NOOP]);
    const unknown = errorOf(OPCODE.stat, STATUS.keyNotFound, 'Not found');
    const end = { ...NOOP_RESPONSE, opcode: OPCODE.stat, opaque: 0 };
    expect(state).toBe('open');
    expect(parseResponses(output)).toEqual([
      unknown,
      unknown,
      unknown,
      end,
      unknown,
      NOOP_RESPONSE,
    ]);
  });
});

describe('a command that is not known', () => {
  const bodies: readonly RequestParts[] = [
    {},
    { key: 'key' },
    { extras: Buffer.alloc(255), key: 'k'.repeat(250) },
    { extras: 'extr', key: 'key', value: NOOP },
    { value: NOOP },
  ];

  it.each([0x1b, 0x1f, 0x25, 0x30, 0x77, 0xff])('0x%s is answered, its body skipped', (opcode) => {
    const requests = bodies.map((parts) => request(opcode, { ...parts, opaque: 7 }));
    const { output, state, counters } = playBinaryAllWays([...requests, NOOP]);
    const unknown = errorOf(opcode, STATUS.unknownCommand, 'Unknown command', 7);
    expect(state).toBe('open');
    expect(parseResponses(output)).toEqual([...bodies.map(() => unknown), NOOP_RESPONSE]);
    expect(counters.protocol_errors).toBe(bodies.length);
  });

  it('includes those of SASL', () => {
    const { output, state } = playBinaryAllWays([
      request(OPCODE.saslListMechs),
      request(OPCODE.saslAuth, { key: 'PLAIN', value: '\0user\0password' }),
      request(OPCODE.saslStep, { key: 'PLAIN', value: '\0user\0password' }),
      NOOP,
    ]);
    expect(state).toBe('open');
    expect(parseResponses(output)).toEqual([
      errorOf(OPCODE.saslListMechs, STATUS.unknownCommand, 'Unknown command'),
      errorOf(OPCODE.saslAuth, STATUS.unknownCommand, 'Unknown command'),
      errorOf(OPCODE.saslStep, STATUS.unknownCommand, 'Unknown command'),
      NOOP_RESPONSE,
    ]);
  });
});

/** Requests of a shape that their command does not have. */
const MISSHAPEN: readonly (readonly [name: string, opcode: number, parts: RequestParts])[] = [
  ['a get without a key', OPCODE.get, {}],
  ['a quiet get without a key', OPCODE.getq, {}],
  ['a get with extras', OPCODE.get, { key: 'a', extras: 'extr' }],
  ['a get with a value', OPCODE.getkq, { key: 'a', value: 'v' }],
  ['a get with a key of 251 bytes', OPCODE.getk, { key: 'k'.repeat(251) }],
  ['a gat without extras', OPCODE.gat, { key: 'a' }],
  ['a gat with a value', OPCODE.gatkq, { key: 'a', extras: 'time', value: 'v' }],
  ['a touch without a key', OPCODE.touch, { extras: 'time' }],
  ['a noop with a body', OPCODE.noop, { value: 'v' }],
  ['a version with a key', OPCODE.version, { key: 'k' }],
  ['a quit with a key', OPCODE.quit, { key: 'k' }],
  ['a quiet quit with extras', OPCODE.quitq, { extras: 'e' }],
  ['a stat with extras', OPCODE.stat, { extras: 'extr' }],
  ['a stat with a value', OPCODE.stat, { key: 'reset', value: 'v' }],
  ['a set without extras', OPCODE.set, { key: 'a', value: 'v' }],
  ['a set without a key', OPCODE.setq, { extras: 'flagtime', value: 'v' }],
  ['a set with a key of 251 bytes', OPCODE.set, { key: 'k'.repeat(251), extras: 'flagtime' }],
  ['an append with extras', OPCODE.append, { key: 'a', extras: 'flagtime', value: 'v' }],
  ['a delete with a value', OPCODE.delete, { key: 'a', value: 'v' }],
  ['an increment with few extras', OPCODE.increment, { key: 'a', extras: 'flagtime' }],
  ['a flush with a key', OPCODE.flushq, { key: 'a' }],
  ['a flush with odd extras', OPCODE.flush, { extras: 'ex' }],
  ['a list of mechanisms with a key', OPCODE.saslListMechs, { key: 'k' }],
  ['an authentication without a mechanism', OPCODE.saslAuth, { value: 'v' }],
  ['an unknown command with a key of 251 bytes', 0x77, { key: 'k'.repeat(251) }],
];

describe('a request with wrong lengths', () => {
  it.each(MISSHAPEN)('ends the connection with an error: %s', (_, opcode, parts) => {
    const bad = request(opcode, { ...parts, opaque: 5 });
    const { output, state, counters } = playBinaryAllWays([NOOP, bad, NOOP], RECORDS);
    expect(state).toBe('close');
    expect(parseResponses(output)).toEqual([
      NOOP_RESPONSE,
      errorOf(opcode, STATUS.invalidArguments, 'Invalid arguments', 5),
    ]);
    expect(counters.protocol_errors).toBe(1);
  });

  it.each([
    ['shorter than the key', OPCODE.get, { key: 'abc', bodyBytes: 2 }],
    ['shorter than key and extras', OPCODE.set, { key: 'abc', extras: 'flagtime', bodyBytes: 10 }],
    ['empty, with the longest key announced', OPCODE.get, { keyBytes: 65_535, bodyBytes: 0 }],
  ])('ends the connection when the body is %s', (_, opcode, parts) => {
    const { output, state } = playBinaryAllWays([NOOP, request(opcode, parts), NOOP], RECORDS);
    expect(state).toBe('close');
    expect(parseResponses(output)).toEqual([
      NOOP_RESPONSE,
      errorOf(opcode, STATUS.unknownCommand, 'Unknown command'),
    ]);
  });

  it.each([0x00, 0x81, 0x67, 0xff])('ends the connection without a word at byte %s', (magic) => {
    const bad = request(OPCODE.noop, { magic });
    const { output, state, counters } = playBinaryAllWays([NOOP, bad, NOOP]);
    expect(state).toBe('close');
    expect(parseResponses(output)).toEqual([NOOP_RESPONSE]);
    expect(counters.protocol_errors).toBe(1);
  });
});

describe('a request under way', () => {
  it('gets no answer before it is whole', () => {
    const whole = request(OPCODE.get, { key: 'a' });
    for (let bytes = 1; bytes < whole.length; bytes++) {
      const { output, state } = playBinaryPieces([whole.subarray(0, bytes)], tableOf(RECORDS));
      expect([output.length, state]).toEqual([0, 'open']);
    }
  });
});
