import { OPCODE } from '../../src/protocol/binary/packet.ts';
import { COMMANDS } from '../../src/protocol/resp/commands.ts';
import { request } from '../support/binary.ts';

/** What a client may send to keep a thread busy. */
export interface WorstRequest {
  readonly name: string;
  readonly protocol: 'text' | 'binary' | 'redis';
  readonly input: Buffer;
  /**
   * What it is sent to: 1,000 short keys, 100 keys of 65,535 bytes, one key that came 100,000 times, or
   * two values of 512 bytes.
   */
  readonly data?: 'short' | 'long' | 'again' | 'pair';
  /** The work that it must be charged at least. */
  readonly work: number;
}

/** The read buffer of a thread: as many short requests as one read can bring. */
const READ_BYTES = 64 * 1024;

const LONG_PATTERN = `*${'a'.repeat(61)}b*`;

/** As clients send it; there may be more arguments than a call of a function takes. */
function reqOf(args: readonly string[]): Buffer {
  const bulks = args.map((arg) => `$${arg.length}\r\n${arg}\r\n`);
  return Buffer.from(`*${args.length}\r\n${bulks.join('')}`, 'latin1');
}

function req(...args: readonly string[]): Buffer {
  return reqOf(args);
}

function text(name: string, line: string, work: number): WorstRequest {
  return { name, protocol: 'text', input: Buffer.from(line, 'latin1'), work };
}

/** @param workEach The least that one of them must be charged. */
function pipelined(
  protocol: WorstRequest['protocol'],
  name: string,
  one: Buffer,
  workEach: number,
): WorstRequest {
  const count = Math.max(1, Math.floor(READ_BYTES / one.length));
  const input = Buffer.concat(Array<Buffer>(count).fill(one));
  return { name: `${count} × ${name}`, protocol, input, work: count * workEach };
}

function lines(line: string, workEach: number): WorstRequest {
  return pipelined('text', line.trim().slice(0, 40), Buffer.from(`${line}\r\n`), workEach);
}

function redis(
  name: string,
  args: readonly string[],
  work: number,
  data?: 'long' | 'again' | 'pair',
): WorstRequest {
  return { name, protocol: 'redis', input: reqOf(args), work, ...(data && { data }) };
}

/** @param prefix The ith of so many. */
function trackingOf(
  what: string,
  count: number,
  prefix: (i: number) => string,
  work: number,
): WorstRequest {
  const prefixes = many(count, prefix).flatMap((one) => ['PREFIX', one]);
  const request = reqOf(['CLIENT', 'TRACKING', 'ON', 'BCAST', ...prefixes]);
  return {
    name: `CLIENT TRACKING of ${count} prefixes ${what}`,
    protocol: 'redis',
    input: Buffer.concat([req('HELLO', '3'), request]),
    work,
  };
}

const many = (count: number, arg: (i: number) => string): readonly string[] =>
  Array.from({ length: count }, (_, i) => arg(i));

const TEXT: readonly WorstRequest[] = [
  text('get of 500,000 keys', `get${' k'.repeat(500_000)}\r\n`, 500_000),
  text('gats of 500,000 keys', `gats 0${' k'.repeat(500_000)}\r\n`, 500_000),
  text(
    'get whose last key is too long',
    `get${' k'.repeat(500_000)} ${'k'.repeat(251)}\r\n`,
    7_500,
  ),
  text('a line of 1,000 words', `x${' x'.repeat(1_000)}\r\n`, 30),
  lines('get k', 1),
  lines('mg k v k s f c t l h q O123', 1),
  lines('mg none v q', 1),
  lines('me k', 1),
  lines('mn', 1),
  lines('get', 1),
  lines('x', 1),
  lines('set k 0 0 0 noreply\r\n', 1),
  lines('add k 0 -1 0\r\n', 1),
  lines('ms k 0 q\r\n', 1),
  lines('md k q', 1),
  lines('ma k', 1),
  lines('incr k 1 noreply', 1),
  lines('delete k noreply', 1),
  lines('touch k 0 noreply', 1),
  lines('flush_all noreply', 1),
  lines('verbosity 1 noreply', 1),
  lines('version', 1),
  lines('stats', 20),
  lines('stats settings', 5),
  lines('stats slabs', 5),
  lines('stats items', 5),
  lines('stats conns', 1),
  lines('stats dataset', 2),
  lines('stats reset', 1),
  lines('shutdown', 1),
  { ...text('metadump of long keys', 'lru_crawler metadump all\r\n', 100 * 500), data: 'long' },
  { ...text('mgdump of long keys', 'lru_crawler mgdump all\r\n', 100 * 500), data: 'long' },
  {
    ...text('metadump of a key that came again', 'lru_crawler metadump all\r\n', 1_000),
    data: 'again',
  },
];

const BINARY: readonly WorstRequest[] = [
  pipelined('binary', 'getq', request(OPCODE.getq, { key: 'none' }), 1),
  pipelined('binary', 'gatkq', request(OPCODE.gatkq, { key: 'k', extras: Buffer.alloc(4) }), 1),
  pipelined('binary', 'setq', request(OPCODE.setq, { key: 'k', extras: Buffer.alloc(8) }), 1),
  pipelined('binary', 'deleteq', request(OPCODE.deleteq, { key: 'k' }), 1),
  pipelined('binary', 'noop', request(OPCODE.noop), 1),
  pipelined('binary', 'stat', request(OPCODE.stat), 60),
  pipelined('binary', 'stat reset', request(OPCODE.stat, { key: 'reset' }), 1),
  pipelined('binary', 'an unknown command', request(0x7f), 1),
];

const REDIS: readonly WorstRequest[] = [
  redis('MGET of 500,000 keys', ['MGET', ...many(500_000, () => 'k')], 500_000),
  redis('MGET of 100 long keys', ['MGET', ...many(100, () => 'a'.repeat(65_535))], 100 * 64),
  redis('MGET of one key of 8 MB', ['MGET', 'a'.repeat(8_000_000)], 2),
  redis('EXISTS of 500,000 keys', ['EXISTS', ...many(500_000, () => 'k')], 500_000),
  redis('WATCH of 500,000 keys', ['WATCH', ...many(500_000, () => 'k')], 180),
  redis('GET of a long key', ['GET', 'a'.repeat(100_000)], 90),
  redis('ECHO of 128 KB', ['ECHO', 'a'.repeat(128_000)], 100),
  redis(
    'CONFIG GET of 112,000 patterns',
    ['CONFIG', 'GET', ...many(112_000, () => '[^]'.repeat(21))],
    0,
  ),
  redis(
    'CONFIG GET of 125 patterns',
    ['CONFIG', 'GET', ...many(125, () => '[^]'.repeat(21))],
    1_000,
  ),
  redis('COMMAND INFO of 500,000 names', ['COMMAND', 'INFO', ...many(500_000, () => 'get')], 0),
  // In as many bytes as are let through, yet of too many arguments.
  redis('COMMAND INFO of 9,000 names', ['COMMAND', 'INFO', ...many(9_000, () => 'get')], 1),
  redis('CONFIG GET of 9,000 patterns', ['CONFIG', 'GET', ...many(9_000, () => '[^]')], 1),
  redis('COMMAND INFO of 500 names', ['COMMAND', 'INFO', ...many(500, () => 'get')], 1_500),
  redis('INFO of 500,000 sections', ['INFO', ...many(500_000, (i) => i.toString(36))], 0),
  redis('INFO of 126 sections', ['INFO', ...many(126, (i) => i.toString(36))], 100),
  redis(
    'HELLO of 250,000 names',
    ['HELLO', '3', ...many(500_000, (i) => (i % 2 ? 'a' : 'SETNAME'))],
    0,
  ),
  redis(
    'HELLO of 60 logins',
    ['HELLO', '3', ...many(120, (i) => ['AUTH', 'default', 'x'][i % 3])],
    800,
  ),
  redis('SCAN of long keys', ['SCAN', '0', 'MATCH', LONG_PATTERN, 'COUNT', '1000'], 1_000, 'long'),
  redis('SCAN of short keys', ['SCAN', '0', 'MATCH', LONG_PATTERN, 'COUNT', '1000'], 1_000),
  redis('SCAN of a key that came again', ['SCAN', '0', 'COUNT', '1000'], 500, 'again'),
  redis('KEYS of long keys', ['KEYS', LONG_PATTERN], 1_000, 'long'),
  redis('KEYS of short keys', ['KEYS', LONG_PATTERN], 1_000),
  redis('KEYS of a key that came again', ['KEYS', '*'], 1_000, 'again'),
  redis('an unknown command of 500,000 arguments', ['FOO', ...many(500_000, () => 'k')], 1),
  redis('DEL of 500,000 keys', ['DEL', ...many(500_000, () => 'k')], 1),
  redis('LCS of 262,144 pairs', ['LCS', 'k', 'l'], 1_024, 'pair'),
  redis('LCS IDX of 262,144 equal pairs', ['LCS', 'k', 'k', 'IDX'], 1_024, 'pair'),
  {
    name: '100 × LCS',
    protocol: 'redis',
    input: Buffer.concat(Array<Buffer>(100).fill(req('LCS', 'k', 'l'))),
    work: 102_400,
    data: 'pair',
  },
  trackingOf('that differ in their ends', 60, (i) => `${i}`.padStart(1_000), 50),
  trackingOf('of which the last two overlap', 62, (i) => `${Math.min(i, 60)}`.padStart(1_000), 400),
  pipelined('redis', 'CLIENT LIST', req('CLIENT', 'LIST'), 4),
  pipelined('redis', 'CLIENT HELP', req('CLIENT', 'HELP'), 1),
  pipelined('redis', 'SUBSCRIBE', req('SUBSCRIBE', '__redis__:invalidate'), 1),
  pipelined('redis', 'PING', req('PING'), 1),
  pipelined('redis', 'INFO', req('INFO'), 100),
  pipelined('redis', 'COMMAND', req('COMMAND'), 200),
  pipelined('redis', 'CONFIG GET *', req('CONFIG', 'GET', '*'), 8),
  pipelined('redis', 'HELLO', req('HELLO', '3'), 1),
  pipelined('redis', 'AUTH', req('AUTH', 'default', 'x'), 20),
  pipelined('redis', 'a line of words', Buffer.from('PING a\r\n'), 1),
  {
    name: 'a line of 64 KB',
    protocol: 'redis',
    input: Buffer.from(`${'a '.repeat(32_000)}\r\n`),
    work: 1_900,
  },
  {
    name: 'MULTI with 70,000 × PING',
    protocol: 'redis',
    input: Buffer.concat([req('MULTI'), ...Array<Buffer>(70_000).fill(req('PING')), req('EXEC')]),
    work: 140_000,
  },
  {
    name: 'MULTI with MGET of 140,000 keys',
    protocol: 'redis',
    input: Buffer.concat([req('MULTI'), reqOf(['MGET', ...many(140_000, () => 'k')]), req('EXEC')]),
    work: 146_000,
  },
];

/** Every command of Redis with as many arguments, and as many bytes, as are let through. */
const REDIS_EACH = [...COMMANDS.values()].map(
  ({ name, arity, keys, argsMax = 128 }): WorstRequest => {
    const count = arity > 0 ? arity : keys[1] === -1 ? 100_000 : argsMax;
    const bytes = Math.floor(120_000 / count);
    return redis(
      `${name} with ${count} arguments`,
      [name, ...many(count - 1, () => 'a'.repeat(bytes))],
      1,
    );
  },
);

/** The most expensive requests within the limits; docs/protocols.md has them as a table. */
export const WORST_REQUESTS: readonly WorstRequest[] = [
  ...TEXT,
  ...BINARY,
  ...REDIS,
  ...REDIS_EACH,
];
