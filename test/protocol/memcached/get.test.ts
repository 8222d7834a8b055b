import { describe, expect, it } from 'vitest';
import { DEFAULT_REQUEST_LIMITS } from '../../../src/protocol/protocol.ts';
import { REPLY_FULL_BYTES } from '../../../src/protocol/reply.ts';
import { playAllWays } from '../../support/session.ts';
import type { TestRecord } from '../../support/storages.ts';

const LINE_BYTES = DEFAULT_REQUEST_LIMITS.lineBytesMax;

const BAD_FORMAT = 'CLIENT_ERROR bad command line format\r\n';
const LONGEST_KEY = 'k'.repeat(250);
const TOO_LONG_KEY = 'k'.repeat(251);

const RECORDS: readonly TestRecord[] = [
  ['a', 'of a'],
  ['b', 'of b', 42],
  ['empty', ''],
  ['crlf', 'x\r\nEND\r\ny', 4_294_967_295],
  ['tab\tin', 'tab'],
  ['\x01\x7f\xfe\xff', 'eight bits'],
  ['cr\rin', 'cr'],
  ['cr\r', 'cr last'],
  ['nul\0in', 'nul'],
  [LONGEST_KEY, 'longest'],
];
const A = 'VALUE a 0 4\r\nof a\r\n';
const B = 'VALUE b 42 4\r\nof b\r\n';

const CASES: readonly (readonly [title: string, input: string, output: string])[] = [
  ['answers a hit', 'get a\r\n', `${A}END\r\n`],
  ['answers a miss', 'get nope\r\n', 'END\r\n'],
  ['answers with the flags that are stored', 'get b\r\n', `${B}END\r\n`],
  ['answers several keys in the order asked', 'get b nope a\r\n', `${B}${A}END\r\n`],
  ['answers a repeated key each time', 'get a b a a\r\n', `${A}${B}${A}${A}END\r\n`],
  ['answers an empty value', 'get empty\r\n', 'VALUE empty 0 0\r\n\r\nEND\r\n'],
  [
    'answers a value that looks like a reply',
    'get crlf\r\n',
    'VALUE crlf 4294967295 9\r\nx\r\nEND\r\ny\r\nEND\r\n',
  ],
  [
    'adds the generation as the unique number to gets',
    'gets b nope a\r\n',
    'VALUE b 42 4 7\r\nof b\r\nVALUE a 0 4 7\r\nof a\r\nEND\r\n',
  ],
  ['takes a bare line feed as the end of a line', 'get a\nget b\n', `${A}END\r\n${B}END\r\n`],
  ['takes leading, doubled and trailing spaces', '  get   a  b   \r\n', `${A}${B}END\r\n`],
  ['takes a trailing space before a bare line feed', 'gets nope \n', 'END\r\n'],
  ['takes a tab as part of a key', 'get tab\tin\r\n', 'VALUE tab\tin 0 3\r\ntab\r\nEND\r\n'],
  ['does not take a tab as a separator', 'get\ta\r\n', 'ERROR\r\n'],
  [
    'takes control and 8-bit bytes as part of a key',
    'get \x01\x7f\xfe\xff\r\n',
    'VALUE \x01\x7f\xfe\xff 0 10\r\neight bits\r\nEND\r\n',
  ],
  ['takes a carriage return inside a key', 'get cr\rin\r\n', 'VALUE cr\rin 0 2\r\ncr\r\nEND\r\n'],
  [
    'takes only the last carriage return as the end',
    'get cr\r\r\n',
    'VALUE cr\r 0 7\r\ncr last\r\nEND\r\n',
  ],
  ['takes a NUL inside a key', 'get nul\0in\r\n', 'VALUE nul\0in 0 3\r\nnul\r\nEND\r\n'],
  [
    'answers the longest key',
    `get ${LONGEST_KEY}\r\n`,
    `VALUE ${LONGEST_KEY} 0 7\r\nlongest\r\nEND\r\n`,
  ],
  ['refuses a key that is too long', `get ${TOO_LONG_KEY}\r\n`, BAD_FORMAT],
  ['refuses a key that is too long for gets', `gets ${TOO_LONG_KEY}\r\n`, BAD_FORMAT],
  ['makes the refusal the only reply: key first', `get ${TOO_LONG_KEY} a\r\n`, BAD_FORMAT],
  [
    'makes the refusal the only reply: key in the middle',
    `get a ${TOO_LONG_KEY} b\r\n`,
    BAD_FORMAT,
  ],
  ['makes the refusal the only reply: key last', `gets a b ${TOO_LONG_KEY}\r\n`, BAD_FORMAT],
  [
    'leaves the replies before a refusal alone',
    `get a\r\nget b ${TOO_LONG_KEY}\r\nget b\r\n`,
    `${A}END\r\n${BAD_FORMAT}${B}END\r\n`,
  ],
  ['refuses get without a key', 'get\r\nget \r\ngets\r\n  gets  \r\n', 'ERROR\r\n'.repeat(4)],
  [
    'does not know words that begin with get',
    'getx a\r\ngetsx a\r\nge a\r\n',
    'ERROR\r\n'.repeat(3),
  ],
  ['does not know upper-case commands', 'GET a\r\nGets a\r\n', 'ERROR\r\n'.repeat(2)],
  ['answers what looks like an HTTP request for a key', 'get / HTTP/1.1\r\n', 'END\r\n'],
  ['does not take the rest of a line as a command', 'get version quit\r\n', 'END\r\n'],
];

describe('get and gets', () => {
  it.each(CASES)('%s', (_, input, output) => {
    const played = playAllWays(input, RECORDS);
    expect(played.output).toBe(output);
    expect(played.state).toBe('open');
  });

  it('waits for the end of the line', () => {
    for (const input of ['g', 'get', 'get ', 'get a', 'get a b\r']) {
      expect(playAllWays(input, RECORDS, false).output).toBe('');
    }
  });

  it('counts hits and misses of each key', () => {
    const { counters } = playAllWays('get a b nope\r\ngets a a\r\nget nope\r\n', RECORDS);
    expect([counters.cmd_get, counters.get_hits, counters.get_misses]).toEqual([6, 4, 2]);
    expect(counters.protocol_errors).toBe(0);
  });
});

describe('a get with a large reply', () => {
  const large: readonly TestRecord[] = [
    ['1k', 'k'.repeat(1000)],
    ['20k', 'l'.repeat(20_000)],
    ['100k', 'm'.repeat(100_000), 3],
    ['full', 'f'.repeat(REPLY_FULL_BYTES)],
    ...RECORDS,
  ];
  const value = (key: string): string => {
    const [, data, flags = 0] = large.find(([name]) => name === key)!;
    return `VALUE ${key} ${flags} ${data.length}\r\n${data}\r\n`;
  };
  const expectReply = (keys: readonly string[]): void => {
    const { output } = playAllWays(`get ${keys.join(' ')}\r\nget a\r\n`, large);
    expect(output === `${keys.map(value).join('')}END\r\n${A}END\r\n`).toBe(true);
  };

  it('is sent in parts, and nothing is lost or doubled between them', () => {
    expectReply(Array.from({ length: 300 }, (_, i) => ['1k', '20k', '100k', 'a'][i % 4]));
  });

  it('ends properly when the last key fills the reply', () => {
    expectReply(['full']);
    expectReply(['a', '100k']);
  });

  it('goes on when each key fills the reply', () => {
    expectReply(['full', 'full', '100k', 'full']);
  });

  it('goes on at a last key of one byte, before either end of line', () => {
    for (const end of ['\n', '\r\n', ' \r\n', '  \n']) {
      const { output } = playAllWays(`get full a${end}get b\n`, large);
      expect(output === `${value('full')}${A}END\r\n${B}END\r\n`).toBe(true);
    }
  });

  it('keeps the form of gets in all parts', () => {
    const { output } = playAllWays('gets full a\r\nget a\r\n', large);
    const withCas = value('full').replace('\r\n', ' 7\r\n');
    expect(output === `${withCas}VALUE a 0 4 7\r\nof a\r\nEND\r\n${A}END\r\n`).toBe(true);
  });

  it('is refused as a whole for its last key, however long the line is', () => {
    const keys = `${'a '.repeat(40_000)}${' '.repeat(70_000)}`;
    expect(playAllWays(`get ${keys}${TOO_LONG_KEY}\r\nget b\r\n`, RECORDS).output).toBe(
      `${BAD_FORMAT}${B}END\r\n`,
    );
    const { output } = playAllWays(`gat 0 ${keys}b \r\n`, RECORDS);
    expect(output).toBe(`${A.repeat(40_000)}${B}END\r\n`);
  });

  it('is replaced by the refusal of a key behind it that is too long', () => {
    for (const keys of ['full', '20k 20k 20k a', 'full full 100k 1k']) {
      const { output } = playAllWays(`get a\r\nget ${keys} ${TOO_LONG_KEY} a\r\nget b\r\n`, large);
      expect(output).toBe(`${A}END\r\n${BAD_FORMAT}${B}END\r\n`);
    }
  });

  it('counts each key once', () => {
    const { counters, sends } = playAllWays(`get ${'full nope '.repeat(5)}\r\n`, large);
    expect([counters.cmd_get, counters.get_hits, counters.get_misses]).toEqual([10, 5, 5]);
    expect(sends).toBe(6);
  });
});

describe('the length of a line', () => {
  const CLOSED = { output: '', state: 'close' };

  it('may be 2048 bytes for any command', () => {
    const line = `version${' '.repeat(2048 - 'version'.length - 1)}\r`;
    expect(playAllWays(line, [], false)).toMatchObject({ output: '', state: 'open' });
    expect(playAllWays(`${line}\n`)).toMatchObject({ output: 'VERSION 1.6.99\r\n', state: 'open' });
  });

  it('closes the connection when it is more, whether or not the line ends', () => {
    const line = `version${' '.repeat(2049 - 'version'.length)}`;
    expect(playAllWays(line, [], false)).toMatchObject(CLOSED);
    expect(playAllWays(`${line}\r\nget a\r\n`)).toMatchObject(CLOSED);
    expect(playAllWays('x'.repeat(100_000), [], false)).toMatchObject(CLOSED);
    expect(playAllWays(`get a\r\n${line}`, RECORDS)).toMatchObject({
      output: `${A}END\r\n`,
      state: 'close',
    });
  });

  it('closes the connection on what only looks like a long get', () => {
    for (const head of ['getx ', 'GET ', 'get\t', 'gatx 0 ', 'mg ', `${' '.repeat(101)}get `]) {
      expect(playAllWays(`${head}${'a '.repeat(1500)}\r\n`)).toMatchObject(CLOSED);
    }
  });

  it('may be a hundred times that for commands that get', () => {
    for (const head of ['get ', 'gets ', 'gat 0 ', 'gats 0 ', `${' '.repeat(100)}get `]) {
      const { output, state } = playAllWays(
        `${head}${'nope '.repeat(40_000)}\r\nget a\r\n`,
        RECORDS,
      );
      expect({ output, state }).toEqual({ output: `END\r\n${A}END\r\n`, state: 'open' });
    }
  });

  it('ends at a limit also for get, with a reply that says so', () => {
    const longest = `get ${'nope '.repeat(LINE_BYTES / 5)}`.slice(0, LINE_BYTES);
    expect(playAllWays(`${longest}\n`)).toMatchObject({ output: 'END\r\n', state: 'open' });
    const output = 'CLIENT_ERROR line too long: at most 1048576 bytes of keys in one get\r\n';
    expect(playAllWays(`${longest}k`, [], false)).toMatchObject({ output, state: 'close' });
    expect(playAllWays(`${longest}k\nversion\r\n`)).toMatchObject({ output, state: 'close' });
  });

  it('may be at that limit with a reply in many parts', () => {
    const keys = Array.from({ length: (LINE_BYTES - 4) / 4 }, (_, i) =>
      i % 2000 === 0 ? 'abc' : 'nop',
    );
    const { output } = playAllWays(`get ${keys.join(' ')}\n`, [['abc', 'x'.repeat(30_000)]]);
    expect(
      output === `${`VALUE abc 0 30000\r\n${'x'.repeat(30_000)}\r\n`.repeat(132)}END\r\n`,
    ).toBe(true);
  });
});
