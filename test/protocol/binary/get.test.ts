import { describe, expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { OPCODE, STATUS } from '../../../src/protocol/binary/packet.ts';
import { LEND_BYTES_MIN, REPLY_FULL_BYTES } from '../../../src/protocol/reply.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import {
  BinaryConversation,
  lasting,
  parseResponses,
  playBinaryAllWays,
  playBinaryPieces,
  request,
} from '../../support/binary.ts';
import { MapStorage, type TestRecord } from '../../support/storages.ts';

const TIME = Buffer.alloc(4);
const BINARY_KEY = '\0 \r\n\xff\x80';
const RECORDS: readonly TestRecord[] = [
  ['a', 'of a', 0xfffffffe],
  ['empty', ''],
  [BINARY_KEY, '\r\nEND\r\n'],
  ['k'.repeat(250), 'long key'],
  ['lent', 'l'.repeat(LEND_BYTES_MIN)],
  ['large', 'x'.repeat(300_000), 5],
];

const RETRIEVALS = [
  { name: 'get', opcode: OPCODE.get, withKey: false, isQuiet: false, extras: '' },
  { name: 'getq', opcode: OPCODE.getq, withKey: false, isQuiet: true, extras: '' },
  { name: 'getk', opcode: OPCODE.getk, withKey: true, isQuiet: false, extras: '' },
  { name: 'getkq', opcode: OPCODE.getkq, withKey: true, isQuiet: true, extras: '' },
  { name: 'gat', opcode: OPCODE.gat, withKey: false, isQuiet: false, extras: TIME },
  { name: 'gatq', opcode: OPCODE.gatq, withKey: false, isQuiet: true, extras: TIME },
  { name: 'gatk', opcode: OPCODE.gatk, withKey: true, isQuiet: false, extras: TIME },
  { name: 'gatkq', opcode: OPCODE.gatkq, withKey: true, isQuiet: true, extras: TIME },
];

describe.each(RETRIEVALS)('$name', ({ opcode, withKey, isQuiet, extras }) => {
  it('answers a hit with flags, cas and the opaque that was sent', () => {
    const { output, state } = playBinaryAllWays(
      [request(opcode, { key: 'a', extras, opaque: 0xdeadbeef })],
      RECORDS,
    );
    expect(state).toBe('open');
    expect(parseResponses(output)).toEqual([
      {
        opcode,
        status: STATUS.success,
        extras: '\xff\xff\xff\xfe',
        key: withKey ? 'a' : '',
        value: 'of a',
        opaque: 0xdeadbeef,
        cas: 7n,
      },
    ]);
  });

  it('answers a miss as memcached does, or not at all when it is quiet', () => {
    const { output } = playBinaryAllWays(
      [request(opcode, { key: 'nope', extras, opaque: 1, cas: 5n })],
      RECORDS,
    );
    const key = withKey ? 'nope' : '';
    const value = withKey ? '' : 'Not found';
    const miss = { opcode, status: STATUS.keyNotFound, extras: '', key, value, opaque: 1, cas: 0n };
    expect(parseResponses(output)).toEqual(isQuiet ? [] : [miss]);
  });

  it('finds keys of any bytes, keys of 250 bytes, empty values and large ones', () => {
    const requests = RECORDS.map(([key], at) => request(opcode, { key, extras, opaque: at }));
    const responses = parseResponses(playBinaryAllWays(requests, RECORDS).output);
    expect(responses.map(({ opaque }) => opaque)).toEqual(RECORDS.map((_, at) => at));
    expect(responses.map(({ value }) => value)).toEqual(RECORDS.map(([, value]) => value));
    expect(responses.map(({ key }) => key)).toEqual(RECORDS.map(([key]) => (withKey ? key : '')));
  });

  it('counts', () => {
    const keys = ['a', 'a', 'nope'];
    const requests = keys.map((key) => request(opcode, { key, extras }));
    const counts = { cmd: 3, hits: 2, misses: 1 };
    const none = { cmd: 0, hits: 0, misses: 0 };
    const { counters } = playBinaryAllWays(requests, RECORDS);
    expect({
      cmd: counters.cmd_get,
      hits: counters.get_hits,
      misses: counters.get_misses,
    }).toEqual(extras === '' ? counts : none);
    expect({
      cmd: counters.cmd_touch,
      hits: counters.touch_hits,
      misses: counters.touch_misses,
    }).toEqual(extras === '' ? none : counts);
    expect(counters.protocol_errors).toBe(0);
  });
});

describe('retrieval', () => {
  it('is byte for byte what memcached 1.6.18 sends', () => {
    const { output } = playBinaryAllWays(
      [
        request(OPCODE.get, { key: 'k', opaque: 0xdeadbeef }),
        request(OPCODE.getk, { key: 'nope', opaque: 0xdeadbeef }),
        request(OPCODE.get, { key: 'nope', opaque: 0xdeadbeef }),
        request(OPCODE.noop, { opaque: 0x01020304 }),
      ],
      [['k', 'value', 5]],
    );
    expect(output.toString('hex')).toBe(
      '810000000400000000000009deadbeef00000000000000070000000576616c7565' +
        '810c00040000000100000004deadbeef00000000000000006e6f7065' +
        '810000000000000100000009deadbeef00000000000000004e6f7420666f756e64' +
        '810a00000000000000000000010203040000000000000000',
    );
  });

  it('answers a pipeline of quiet gets in order, in one reply, ended by a noop', () => {
    const keys = ['a', 'nope', 'empty', 'a', 'none'];
    const requests = keys.map((key, at) => request(OPCODE.getkq, { key, opaque: at }));
    const { output } = playBinaryAllWays([...requests, request(OPCODE.noop)], RECORDS);
    expect(parseResponses(output).map(({ opcode, key, opaque }) => [opcode, key, opaque])).toEqual([
      [OPCODE.getkq, 'a', 0],
      [OPCODE.getkq, 'empty', 2],
      [OPCODE.getkq, 'a', 3],
      [OPCODE.noop, '', 0],
    ]);
  });

  it.each([0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 2 ** 31 + 1, 2 ** 53 - 1])('sends cas %d', (cas) => {
    const storage = new MapStorage([['a', 'of a']], cas);
    const { output } = playBinaryPieces([request(OPCODE.get, { key: 'a' })], storage);
    expect(parseResponses(output)[0].cas).toBe(BigInt(cas));
  });

  it('stops when the reply is full and goes on with the next request', () => {
    const records = ['a', 'b', 'c'].map((key): TestRecord => [key, key.repeat(REPLY_FULL_BYTES)]);
    const conversation = new BinaryConversation(createSimpleHandler(new MapStorage(records)));
    const requests = records.map(([key]) => request(OPCODE.getk, { key }));
    conversation.giveOnce(Buffer.concat(requests));
    expect(conversation.restBytes).toBe(requests[0].length * 2);
    expect(parseResponses(conversation.played().output).map(({ key }) => key)).toEqual(['a']);
    conversation.give(Buffer.alloc(0));
    expect(conversation.restBytes).toBe(0);
    expect(parseResponses(conversation.played().output).map(({ key }) => key)).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  it('lets go of a generation with each command, also when the storage meets a fault', () => {
    const old = new MapStorage([['a', 'old']]);
    const fault = (): never => {
      throw new Error('a fault of the storage');
    };
    const faulty: Storage = { info: old.info, get: fault, close: () => old.close() };
    const handler = createSimpleHandler(faulty);
    const conversation = new BinaryConversation(handler);
    expect(() => conversation.give(request(OPCODE.get, { key: 'a' }))).toThrow('a fault');
    handler.swap(lasting(new MapStorage([['a', 'new']])));
    expect(old.isClosed).toBe(true);
  });

  it('answers from the new generation after a swap', () => {
    const handler = createSimpleHandler(new MapStorage([['a', 'old']], 1));
    const conversation = new BinaryConversation(handler);
    const bytes = request(OPCODE.get, { key: 'a' });
    conversation.give(Buffer.concat([bytes, bytes.subarray(0, 24)]));
    handler.swap(new MapStorage([['a', 'new']], 2));
    conversation.give(bytes.subarray(24));
    const responses = parseResponses(conversation.played().output);
    expect(responses.map(({ value, cas }) => [value, cas])).toEqual([
      ['old', 1n],
      ['new', 2n],
    ]);
  });
});
