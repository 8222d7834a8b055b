import { describe, expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import {
  ARGS_MAX,
  BULK_BYTES_MAX,
  KEYS_REQUEST_BYTES_MAX,
  NAME_BYTES_MAX,
  REQUEST_BYTES_MAX,
} from '../../../src/protocol/resp/frame.ts';
import { INLINE_BYTES_MAX } from '../../../src/protocol/resp/inline.ts';
import { isRespStart } from '../../../src/protocol/resp/resp.ts';
import { tableOf } from '../../support/storages.ts';
import { bulk, conversationOn, playAllWays, playPieces, req } from './harness.ts';

const RECORDS = [['k', 'value']] as const;
const empty = tableOf([]);

/** What a request that breaks the protocol is answered, and how the connection fares. */
function playBroken(input: string): string {
  const played = playAllWays([req('PING'), input, req('PING')]);
  expect(played.state).toBe('close');
  expect(played.counters.protocol_errors).toBeGreaterThan(0);
  expect(played.output).toMatch(/^\+PONG\r\n-ERR Protocol error: .*\r\n$/);
  return played.output.slice('+PONG\r\n-ERR Protocol error: '.length, -2);
}

describe('requests', () => {
  it('are answered in order, however they arrive', () => {
    const requests = [req('GET', 'k'), req('get', 'no'), req('gEt', 'k'), req('PING')];
    expect(playAllWays(requests, RECORDS).output).toBe(
      `${bulk('value')}$-1\r\n${bulk('value')}+PONG\r\n`,
    );
  });

  it('may hold any bytes', () => {
    const key = '\r\n*1\r\n$4\r\nPING\r\n\0\xff';
    const records = [[key, '\r\n$-1\r\n']] as const;
    expect(playAllWays([req('GET', key), req('ECHO', key)], records).output).toBe(
      bulk('\r\n$-1\r\n') + bulk(key),
    );
    expect(playAllWays([req('GET', '')], records).output).toBe('$-1\r\n');
  });

  it('without arguments are none', () => {
    expect(playAllWays(['*0\r\n', '*-1\r\n', '*-5\r\n', req('PING')]).output).toBe('+PONG\r\n');
  });

  it.each([
    ['*x\r\n', 'invalid multibulk length'],
    ['*\r\n', 'invalid multibulk length'],
    ['*01\r\n', 'invalid multibulk length'],
    ['*+1\r\n', 'invalid multibulk length'],
    ['*-0\r\n', 'invalid multibulk length'],
    ['*1\n$4\nPING\n', 'invalid multibulk length'],
    ['*1\rx', 'invalid multibulk length'],
    [`*${ARGS_MAX + 1}\r\n`, 'invalid multibulk length'],
    [`*1${'1'.repeat(100_000)}`, 'invalid multibulk length'],
    ['*1\r\n:4\r\n', "expected '$', got ':'"],
    ['*1\r\n\r\n', "expected '$', got ' '"],
    ['*1\r\n$-1\r\n', 'invalid bulk length'],
    ['*1\r\n$\r\n', 'invalid bulk length'],
    ['*1\r\n$04\r\n', 'invalid bulk length'],
    ['*1\r\n$4x\r\n', 'invalid bulk length'],
    [`*1\r\n$${BULK_BYTES_MAX + 1}\r\n`, 'invalid bulk length'],
    ['*2\r\n$3\r\nGET\r\n:1\r\n', "expected '$', got ':'"],
    ['*2\r\n$3\r\nGET\r\n$-1\r\n', 'invalid bulk length'],
    ['*3\r\n$4\r\nMGET\r\n$1\r\na\r\nb', "expected '$', got 'b'"],
    ['*3\r\n$3\r\nSET\r\n$1\r\na\r\nb', "expected '$', got 'b'"],
    ['*3\r\n$3\r\nfoo\r\n$1\r\na\r\n$x', 'invalid bulk length'],
    ['PING "abc\r\n', 'unbalanced quotes in request'],
    ['PING "a"b\r\n', 'unbalanced quotes in request'],
    ["PING 'a\r\n", 'unbalanced quotes in request'],
    [`PING ${'x'.repeat(INLINE_BYTES_MAX)}\r\n`, 'too big inline request'],
    ['x'.repeat(INLINE_BYTES_MAX + 1), 'too big inline request'],
  ])('end the connection when they break the protocol: %.30s', (input, fault) => {
    expect(playBroken(input)).toBe(fault);
  });

  it('with more bytes than may be kept go by, and the connection goes on', () => {
    const half = 'k'.repeat(KEYS_REQUEST_BYTES_MAX / 2);
    const long = 'k'.repeat(REQUEST_BYTES_MAX);
    const requests = [req('MGET', half, half, 'k'), req('PING'), req('GET', long)];
    const played = playPieces([Buffer.concat(requests)], empty);
    const error = (bytesMax: number): string =>
      `-ERR the command is too large: at most ${bytesMax} bytes of arguments\r\n`;
    expect(played.output).toBe(
      `${error(KEYS_REQUEST_BYTES_MAX)}+PONG\r\n${error(REQUEST_BYTES_MAX)}`,
    );
    expect(played.counters.protocol_errors).toBe(2);
  });

  it('that are too large are not kept', () => {
    const conversation = conversationOn(createSimpleHandler(empty));
    conversation.give(Buffer.from(`*2\r\n$3\r\nGET\r\n$${BULK_BYTES_MAX}\r\n`));
    for (let i = 0; i < 100; i++) {
      conversation.give(Buffer.alloc(100_000));
      expect(conversation.restBytes).toBe(0);
    }
  });

  it('of up to the limit are kept until they are whole', () => {
    const keys = Array.from({ length: 100_000 }, (_, at) => `a key of the usual length: ${at}`);
    const conversation = conversationOn(createSimpleHandler(tableOf([[keys[99_999], 'v']])));
    const bytes = req('MGET', ...keys);
    for (let at = 0; at < bytes.length - 1; at += 65_536) {
      conversation.give(bytes.subarray(at, Math.min(at + 65_536, bytes.length - 1)));
    }
    expect(conversation.restBytes).toBe(bytes.length - 1);
    expect(conversation.played().output).toHaveLength(0);
    conversation.give(bytes.subarray(-1));
    const { output, counters } = conversation.played();
    expect(output.toString() === `*100000\r\n${'$-1\r\n'.repeat(99_999)}${bulk('v')}`).toBe(true);
    expect(conversation.restBytes).toBe(0);
    expect(counters).toMatchObject({ cmd_get: 100_000, get_hits: 1, get_misses: 99_999 });
  });
});

describe('inline commands', () => {
  it('are lines of words', () => {
    const lines = ['PING\r\n', 'get k\n', ' \t GET  \t k \r\n', '\r\n', '  \n', 'ECHO hello\r\n'];
    expect(playAllWays(lines, RECORDS).output).toBe(
      `+PONG\r\n${bulk('value')}${bulk('value')}${bulk('hello')}`,
    );
  });

  it.each([
    ['"a b"', 'a b'],
    ['""', ''],
    ["'a\\'b\\n'", "a'b\\n"],
    ['"\\x41\\xff\\n\\r\\t\\b\\a\\"\\\\\\q\\xg1"', 'A\xff\n\r\t\b\x07"\\qxg1'],
    ['a"b c"', 'ab c'],
    ['$5', '$5'],
  ])('have words in quotes: %j', (written, meant) => {
    expect(playAllWays([`ECHO ${written}\r\n`]).output).toBe(bulk(meant));
  });

  it('take turns with arrays', () => {
    const requests = ['PING\r\n', req('PING'), 'PING\n', req('GET', 'k'), 'mget k k\r\n'];
    expect(playAllWays(requests, RECORDS).output).toBe(
      `${'+PONG\r\n'.repeat(3)}${bulk('value')}*2\r\n${bulk('value').repeat(2)}`,
    );
  });

  it('that wait for a full reply leave input behind, so that they are gone on with', () => {
    const large = 'x'.repeat(100_000);
    const conversation = conversationOn(createSimpleHandler(tableOf([['k', large]])));
    let input = Buffer.from('MGET k k k\r\n');
    for (let reply = 1; reply <= 2; reply++) {
      expect(conversation.giveOnce(input)).toBe(true);
      expect(conversation.restBytes).toBeGreaterThan(0);
      input = Buffer.alloc(0);
    }
    conversation.giveOnce(input);
    expect(conversation.restBytes).toBe(0);
    const { output } = conversation.played();
    expect(output.toString('latin1') === `*3\r\n${bulk(large).repeat(3)}`).toBe(true);
  });

  it.each(['POST / HTTP/1.1\r\nHost: a\r\n', 'Host: a\r\n', 'host:\r\n'])(
    'that a browser was made to send cut the connection: %j',
    (input) => {
      const played = playAllWays(['PING\r\n', input, 'GET k\r\n'], RECORDS);
      expect(played.output).toBe('+PONG\r\n');
      expect(played.state).toBe('reset');
    },
  );
});

describe('a command that is not served', () => {
  it('is reported with its arguments, up to a length', () => {
    const long = 'b'.repeat(200);
    const text = (name: string, args: string): string =>
      `-ERR unknown command '${name}', with args beginning with: ${args}\r\n`;
    expect(playAllWays([req('foo')]).output).toBe(text('foo', ''));
    expect(playAllWays([req('Foo', 'bar', '', 'baz')]).output).toBe(text('Foo', "'bar' '' 'baz' "));
    expect(playAllWays([req('f\r\no', 'b\r\nar', long, 'c')]).output).toBe(
      text('f  o', `'b  ar' '${'b'.repeat(120)}' `),
    );
    expect(playAllWays([req(long, 'x\0y')]).output).toBe(text('b'.repeat(NAME_BYTES_MAX), "'x' "));
    expect(playAllWays([req('')]).output).toBe(text('', ''));
  });

  it('is counted as an error, and its arguments are never kept', () => {
    const conversation = conversationOn(createSimpleHandler(empty));
    conversation.give(Buffer.from('*3\r\n$4\r\nevil\r\n$400000000\r\n'));
    for (let i = 0; i < 100; i++) conversation.give(Buffer.alloc(100_000, 'x'));
    expect(conversation.restBytes).toBe(0);
    expect(conversation.played().output).toHaveLength(0);
    expect(conversation.counters.protocol_errors).toBe(1);
  });

  it.each(['PSUBSCRIBE a', 'EVAL x 0', 'EVALSHA x 0', 'MONITOR', 'KEYSX'])(
    'is refused: %s',
    (command) => {
      expect(playAllWays([req(...command.split(' '))]).output).toMatch(/^-ERR unknown command '/);
    },
  );
});

describe('isRespStart', () => {
  it('knows arrays, and nothing else', () => {
    const starts = Array.from({ length: 256 }, (_, byte) => byte);
    const isStart = (byte: number) => isRespStart(Buffer.from([byte, 0x20]), 0, 2);
    expect(starts.filter(isStart)).toEqual([0x2a]);
  });

  it.each(['PING\r\n', 'ping\n', 'Ping\r\nINFO\r\n'])('knows a line PING alone: %j', (text) => {
    const input = Buffer.from(`x${text}`);
    expect(isRespStart(input, 1, input.length)).toBe(true);
    for (let end = 2; end < input.indexOf('\n') + 1; end++) {
      expect(isRespStart(input, 1, end)).toBeUndefined();
    }
  });

  it.each(['PING \r\n', 'PING a\r\n', 'PINGS\r\n', 'p\r\n', 'prepend k 0 0 1\r\n', 'PING\r\r\n'])(
    'takes any other line for memcached: %j',
    (text) => {
      expect(isRespStart(Buffer.from(text), 0, text.length)).toBe(false);
    },
  );
});
