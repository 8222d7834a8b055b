import { describe, expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { binaryProtocol } from '../../../src/protocol/binary/binary.ts';
import { BODY_BYTES_MAX, OPCODE, STATUS } from '../../../src/protocol/binary/packet.ts';
import { Reply } from '../../../src/protocol/reply.ts';
import { emptyStorage } from '../../../src/storage/empty.ts';
import {
  BinaryConversation,
  parseResponses,
  playBinaryAllWays,
  type RequestParts,
  request,
} from '../../support/binary.ts';
import { type TestRecord, tableOf } from '../../support/storages.ts';

const RECORDS: readonly TestRecord[] = [['a', '5']];
const NOOP = request(OPCODE.noop);
const STORE = { extras: Buffer.alloc(8), key: 'a', value: 'new' };
const EXTEND = { key: 'a', value: 'new' };
const ARITHMETIC = { extras: Buffer.alloc(20), key: 'a' };

type Write = readonly [name: keyof typeof OPCODE, parts: RequestParts, counter: string];

const NOT_STORED: readonly Write[] = [
  ['set', STORE, 'cmd_set'],
  ['setq', STORE, 'cmd_set'],
  ['set', { ...STORE, cas: 9n }, 'cmd_set'],
  ['set', { ...STORE, value: '' }, 'cmd_set'],
  ['add', STORE, 'cmd_set'],
  ['addq', STORE, 'cmd_set'],
  ['replace', STORE, 'cmd_set'],
  ['replaceq', STORE, 'cmd_set'],
  ['append', EXTEND, 'cmd_set'],
  ['appendq', EXTEND, 'cmd_set'],
  ['prepend', EXTEND, 'cmd_set'],
  ['prependq', { ...EXTEND, value: NOOP }, 'cmd_set'],
  ['flush', {}, 'cmd_flush'],
  ['flush', { extras: Buffer.alloc(4) }, 'cmd_flush'],
];

const NOT_FOUND: readonly Write[] = [
  ['delete', { key: 'a' }, 'delete_misses'],
  ['increment', ARITHMETIC, 'incr_misses'],
  ['decrement', ARITHMETIC, 'decr_misses'],
  ['touch', { extras: Buffer.alloc(4), key: 'a' }, 'touch_misses'],
];

const SILENT: readonly Write[] = [
  ['deleteq', { key: 'a' }, 'delete_misses'],
  ['incrementq', ARITHMETIC, 'incr_misses'],
  ['decrementq', ARITHMETIC, 'decr_misses'],
  ['flushq', {}, 'cmd_flush'],
];

/** Plays a write between a get and a noop, and checks that both are answered as always. */
function refusalOf(name: keyof typeof OPCODE, parts: RequestParts, counter: string): object {
  const { output, state, counters } = playBinaryAllWays(
    [
      request(OPCODE.get, { key: 'a' }),
      request(OPCODE[name], { ...parts, opaque: 0x80000001 }),
      NOOP,
    ],
    RECORDS,
  );
  expect(state).toBe('open');
  expect(counters).toMatchObject({ [counter]: 1, protocol_errors: 0 });
  const responses = parseResponses(output);
  expect(responses[0]).toMatchObject({ opcode: OPCODE.get, value: '5' });
  expect(responses.at(-1)).toMatchObject({ opcode: OPCODE.noop, status: 0 });
  return responses.slice(1, -1);
}

function error(name: keyof typeof OPCODE, status: number, value: string): object {
  return { opcode: OPCODE[name], status, extras: '', key: '', value, opaque: 0x80000001, cas: 0n };
}

describe('a write', () => {
  it.each(NOT_STORED)('is refused as not stored: %s', (name, parts, counter) => {
    const refusal = refusalOf(name, parts, counter);
    expect(refusal).toEqual([error(name, STATUS.notStored, 'Not stored.')]);
  });

  it.each(NOT_FOUND)('is refused as not found: %s', (name, parts, counter) => {
    const refusal = refusalOf(name, parts, counter);
    expect(refusal).toEqual([error(name, STATUS.keyNotFound, 'Not found')]);
  });

  it.each(SILENT)('is refused without a word: %s', (name, parts, counter) => {
    expect(refusalOf(name, parts, counter)).toEqual([]);
  });

  it('counts a touch as a command too', () => {
    const touch = request(OPCODE.touch, { extras: Buffer.alloc(4), key: 'a' });
    expect(playBinaryAllWays([touch], RECORDS).counters.cmd_touch).toBe(1);
  });

  it('is answered when its body is over, not before', () => {
    const conversation = new BinaryConversation(createSimpleHandler(emptyStorage));
    const set = request(OPCODE.set, STORE);
    conversation.give(set.subarray(0, -1));
    expect(conversation.played().output.length).toBe(0);
    conversation.give(set.subarray(-1));
    expect(parseResponses(conversation.played().output)).toHaveLength(1);
  });

  it.each([
    ['set', STORE],
    ['append', EXTEND],
    ['saslAuth', EXTEND],
  ] as const)('holds nothing of a body of 2 GiB: %s', (name, parts) => {
    const conversation = new BinaryConversation(createSimpleHandler(emptyStorage));
    const bodyBytes = BODY_BYTES_MAX;
    conversation.give(request(OPCODE[name], { ...parts, value: '', bodyBytes }).subarray(0, 24));
    // One piece again and again: it is the session's count that is tried, not the memory's speed.
    const piece = Buffer.alloc(64 * 1024 * 1024, NOOP);
    const reply = new Reply();
    let left: number = bodyBytes;
    for (; left > piece.length; left -= piece.length) {
      expect(conversation.session.receive(piece, 0, piece.length, reply)).toBe(piece.length);
    }
    conversation.give(Buffer.concat([piece.subarray(0, left), NOOP]));
    expect(conversation.restBytes).toBe(0);
    const opcodes = parseResponses(conversation.played().output).map(({ opcode }) => opcode);
    expect(opcodes).toEqual([OPCODE[name], OPCODE.noop]);
  });

  it.each([
    [OPCODE.set, STORE],
    [OPCODE.appendq, EXTEND],
    [0x77, {}],
  ])('ends the connection when it announces a longer body: %s', (opcode, parts) => {
    const bad = request(opcode, { ...parts, value: '', bodyBytes: BODY_BYTES_MAX + 1 });
    const { output, state } = playBinaryAllWays([NOOP, bad, NOOP]);
    expect(state).toBe('close');
    const last = parseResponses(output)[1];
    expect(last).toMatchObject({ opcode, status: STATUS.tooLarge, value: 'Too large.' });
  });
});

describe('with loud refusals', () => {
  it.each([...NOT_STORED, ...NOT_FOUND])('%s is answered as not supported', (name, parts) => {
    const handler = createSimpleHandler(tableOf(RECORDS));
    const conversation = new BinaryConversation(handler, binaryProtocol, { loudRefusals: true });
    conversation.give(Buffer.concat([request(OPCODE[name], parts), NOOP]));
    const [refusal, noop] = parseResponses(conversation.played().output);
    expect(refusal).toMatchObject({ status: STATUS.notSupported });
    expect(refusal.value.toString()).toBe('Read-only');
    expect(noop).toMatchObject({ opcode: OPCODE.noop, status: STATUS.success });
  });

  it.each(SILENT)('%s stays silent, as libmemcached needs it', (name, parts) => {
    const handler = createSimpleHandler(tableOf(RECORDS));
    const conversation = new BinaryConversation(handler, binaryProtocol, { loudRefusals: true });
    conversation.give(Buffer.concat([request(OPCODE[name], parts), NOOP]));
    const responses = parseResponses(conversation.played().output);
    expect(responses.map(({ opcode }) => opcode)).toEqual([OPCODE.noop]);
  });

  it('what is no write is refused as ever', () => {
    const handler = createSimpleHandler(tableOf(RECORDS));
    const conversation = new BinaryConversation(handler, binaryProtocol, { loudRefusals: true });
    conversation.give(request(OPCODE.saslListMechs));
    const [refusal] = parseResponses(conversation.played().output);
    expect(refusal).toMatchObject({ status: STATUS.unknownCommand });
  });
});
