import { describe, expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { LEND_BYTES_MIN, REPLY_FULL_BYTES } from '../../../src/protocol/reply.ts';
import { MapStorage, tableOf } from '../../support/storages.ts';
import { bulk, conversationOn, playAllWays, playPieces, req } from './harness.ts';

const NOTHING = Buffer.alloc(0);

function generation(number: number): MapStorage {
  const value = String(number).repeat(REPLY_FULL_BYTES);
  return new MapStorage(
    ['a', 'b', 'c'].map((key) => [key, value]),
    number,
  );
}

function valuesOf(count: number, number: number): string {
  return `*${count}\r\n${bulk(String(number).repeat(REPLY_FULL_BYTES)).repeat(count)}`;
}

describe('values', () => {
  it.each([0, 1, 9, 10, 99, 100, LEND_BYTES_MIN - 1, LEND_BYTES_MIN, LEND_BYTES_MIN + 1, 100_000])(
    'of %i bytes come whole',
    (length) => {
      const value = '\0\r\n$x'.repeat(length / 5 + 1).slice(0, length);
      const records = [['k', value, 4_294_967_295]] as const;
      const requests = [
        req('GET', 'k'),
        req('MGET', 'k', 'no', 'k'),
        req('GETRANGE', 'k', '0', '-1'),
      ];
      const { output } = playAllWays(requests, records);
      const expected = `${bulk(value)}*3\r\n${bulk(value)}$-1\r\n${bulk(value)}${bulk(value)}`;
      expect(output === expected).toBe(true);
    },
  );

  it('of 100 MiB come whole', () => {
    const value = Buffer.alloc(100 * 1024 * 1024, 'x');
    const conversation = conversationOn(createSimpleHandler(new MapStorage([['k', value]])));
    conversation.give(req('GET', 'k'));
    const { output } = conversation.played();
    expect(output.length).toBe(value.length + '$104857600\r\n\r\n'.length);
    expect(output.subarray(12, -2).equals(value)).toBe(true);
  });

  it('in pipelines longer than a reply come in order', () => {
    const storage = tableOf([['k', 'v'.repeat(1_000)]]);
    const requests = Array.from({ length: 500 }, (_, at) => req('GET', at % 2 ? 'k' : `no${at}`));
    const { output } = playPieces([Buffer.concat(requests)], storage);
    expect(output === `$-1\r\n${bulk('v'.repeat(1_000))}`.repeat(250)).toBe(true);
  });
});

describe('a swap of the data', () => {
  it('is seen by the next command, and closes the old data when none is under way', () => {
    const old = generation(1);
    const handler = createSimpleHandler(old);
    const conversation = conversationOn(handler);
    conversation.give(Buffer.concat([req('GET', 'a'), Buffer.from('*2\r\n$4\r\nMGET\r\n$1\r\n')]));
    handler.swap(generation(2));
    expect(old.isClosed).toBe(true);
    conversation.give(Buffer.from('b\r\n'));
    expect(
      conversation
        .played()
        .output.equals(Buffer.from(valuesOf(1, 1).slice('*1\r\n'.length) + valuesOf(1, 2))),
    ).toBe(true);
  });

  it.each(['array', 'inline'])(
    'does not mix generations in an MGET under way, and closes the old one behind it: %s',
    (way) => {
      const [first, second, third] = [1, 2, 3].map(generation);
      const handler = createSimpleHandler(first);
      const conversation = conversationOn(handler);
      const request = way === 'array' ? req('MGET', 'a', 'b', 'c') : Buffer.from('mget a b c\r\n');
      conversation.giveOnce(Buffer.concat([request, req('MGET', 'a')]));
      handler.swap(second);
      handler.swap(third);
      expect([first.isClosed, second.isClosed]).toEqual([false, true]);
      conversation.giveOnce(NOTHING);
      expect(first.isClosed).toBe(false);
      conversation.give(NOTHING);
      expect(first.isClosed).toBe(true);
      expect(third.isClosed).toBe(false);
      const { output } = conversation.played();
      expect(output.toString() === valuesOf(3, 1) + valuesOf(1, 3)).toBe(true);
    },
  );

  it('does not wait for a client that is gone', () => {
    const old = generation(1);
    const handler = createSimpleHandler(old);
    const conversation = conversationOn(handler);
    conversation.giveOnce(req('MGET', 'a', 'b', 'c'));
    handler.swap(generation(2));
    conversation.session.close();
    expect(old.isClosed).toBe(true);
    expect(conversation.session.state).toBe('close');
    conversation.session.close();
  });

  it.each(['GET a', 'MGET a', 'EXISTS a', 'GETRANGE a 0 1', 'SCAN 0', 'KEYS *'])(
    'does not wait for a command that met a fault: %s',
    (command) => {
      const old = generation(1);
      const fault = (): never => {
        throw new Error('a fault of the storage');
      };
      const storage = { info: old.info, get: fault, scan: fault, close: () => old.close() };
      const handler = createSimpleHandler(storage);
      const conversation = conversationOn(handler);
      expect(() => conversation.give(req(...command.split(' ')))).toThrow('a fault of the storage');
      handler.swap(generation(2));
      conversation.session.close();
      expect(old.isClosed).toBe(true);
    },
  );
});
