import { describe, expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { binaryProtocol } from '../../../src/protocol/binary/binary.ts';
import { OPCODE } from '../../../src/protocol/binary/packet.ts';
import { autoProtocol, detectingProtocol } from '../../../src/protocol/detect/detect.ts';
import { memcachedProtocol } from '../../../src/protocol/memcached/memcached.ts';
import type { Protocol, Session } from '../../../src/protocol/protocol.ts';
import { Reply } from '../../../src/protocol/reply.ts';
import {
  BinaryConversation,
  parseResponses,
  playBinaryAllWays,
  playBinaryPieces,
  request,
} from '../../support/binary.ts';
import { MapStorage, type TestRecord } from '../../support/storages.ts';

const RECORDS: readonly TestRecord[] = [['a', 'of a']];
const NOOP = request(OPCODE.noop);
const TEXT = Buffer.from('get a\r\nversion\r\nset a 0 0 1\r\n\x80\r\nmn\r\n', 'latin1');

function conversation(protocol: Protocol = detectingProtocol): BinaryConversation {
  return new BinaryConversation(createSimpleHandler(new MapStorage(RECORDS)), protocol);
}

describe('a connection of either protocol', () => {
  it('is served as text when its first byte is not 0x80', () => {
    const played = playBinaryAllWays([TEXT], RECORDS, detectingProtocol);
    const text = playBinaryAllWays([TEXT], RECORDS, memcachedProtocol);
    expect(played.output.toString('latin1')).toContain('VALUE a 0 4\r\nof a\r\nEND\r\n');
    expect(played.output.equals(text.output)).toBe(true);
    expect(played.counters.cmd_get).toBe(1);
  });

  it('is served as binary when its first byte is 0x80', () => {
    const requests = [request(OPCODE.get, { key: 'a' }), NOOP];
    const played = playBinaryAllWays(requests, RECORDS, detectingProtocol);
    const binary = playBinaryAllWays(requests, RECORDS, binaryProtocol);
    expect(parseResponses(played.output)).toHaveLength(2);
    expect(played.output.equals(binary.output)).toBe(true);
  });

  it('stays what it is: text in a binary one closes it', () => {
    const played = playBinaryAllWays([NOOP, TEXT], RECORDS, detectingProtocol);
    expect(parseResponses(played.output)).toHaveLength(1);
    expect(played.state).toBe('close');
  });

  it('decides by the first byte alone', () => {
    const binary = conversation();
    binary.give(NOOP.subarray(0, 1));
    expect([binary.session.state, binary.restBytes]).toEqual(['open', 1]);
    binary.give(NOOP.subarray(1));
    expect(parseResponses(binary.played().output)).toHaveLength(1);

    const text = conversation();
    text.give(TEXT.subarray(0, 1));
    expect(text.session.state).toBe('open');
    text.give(TEXT.subarray(1));
    expect(text.played().output.toString('latin1')).toMatch(/^VALUE a .*MN\r\n$/s);
  });

  it('is served as Redis when its first line is PING, in any pieces', () => {
    const input = Buffer.from('PING\r\nECHO hello\r\n');
    const played = playBinaryAllWays([input], RECORDS, detectingProtocol);
    expect(played.output.toString()).toBe('+PONG\r\n$5\r\nhello\r\n');
    const other = playBinaryAllWays([Buffer.from('PINE\r\nmn\r\n')], RECORDS, detectingProtocol);
    expect(other.output.toString()).toBe('ERROR\r\nMN\r\n');
  });

  it('waits when there is no byte yet', () => {
    for (const input of [NOOP, TEXT]) {
      const waiting = conversation();
      waiting.give(Buffer.alloc(0));
      expect(waiting.session.state).toBe('open');
      waiting.give(input);
      const { output } = playBinaryPieces([input], new MapStorage(RECORDS), detectingProtocol);
      expect(waiting.played().output.equals(output)).toBe(true);
    }
  });

  it('can close before it has said anything', () => {
    const { session } = conversation();
    session.close();
    session.close();
    expect(session.state).toBe('close');
  });

  it('closes the session that it called for', () => {
    const { session } = conversation();
    expect(session.receive(NOOP, 0, 1, new Reply())).toBe(0);
    session.close();
    expect(session.state).toBe('close');
  });
});

describe('autoProtocol', () => {
  const third: Protocol = {
    name: 'third',
    createSession: (): Session => ({
      state: 'open',
      receive: (_, start, end, reply) => {
        reply.text('third');
        return end - start;
      },
      close: () => {},
    }),
  };
  const protocol = autoProtocol(
    'three',
    [
      { protocol: third, matches: (input, start) => input[start] === 0x2a },
      { protocol: binaryProtocol, matches: (input, start) => input[start] === 0x80 },
    ],
    memcachedProtocol,
  );

  it('takes any number of protocols', () => {
    const outputs = [Buffer.from('*1\r\n'), NOOP, Buffer.from('mn\r\n')].map((input) => {
      const session = conversation(protocol);
      session.give(input);
      return session.played().output;
    });
    expect(outputs[0].toString()).toBe('third');
    expect(parseResponses(outputs[1])).toHaveLength(1);
    expect(outputs[2].toString()).toBe('MN\r\n');
    expect(protocol.name).toBe('three');
  });
});
