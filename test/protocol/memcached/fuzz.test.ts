import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REPLY_FULL_BYTES } from '../../../src/protocol/reply.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { Random } from '../../support/random-bytes.ts';
import { type Played, play, playPieces, split } from '../../support/session.ts';
import { stopClocks } from '../../support/still-clock.ts';
import { type TestRecord, tableOf } from '../../support/storages.ts';

const VERSION = 'VERSION 1.6.99\r\n';

const RECORDS: readonly TestRecord[] = [
  ['a', 'of a'],
  ['b', 'x'.repeat(2_000), 1],
  ['c', 'y'.repeat(20_000)],
  ['d', 'z'.repeat(REPLY_FULL_BYTES)],
];
const table = tableOf(RECORDS);
const storage: Storage = {
  info: table.info,
  get: table.get.bind(table),
  scan: table.scan!.bind(table),
  close: () => {},
};

const key = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a', 'b', 'c', 'd', 'nope') },
  fc.constantFrom('k'.repeat(250), 'k'.repeat(251), 'noreply', '\x80', 'tab\tin', 'cr\r', '0'),
);
const spaces = fc.constantFrom(' ', ' ', ' ', '  ');
const lineEnd = fc.constantFrom('\r\n', '\r\n', '\n', ' \r\n');
const number = fc.constantFrom('0', '1', '-1', '+1', 'x', '4294967295', '18446744073709551616');
const noreply = fc.constantFrom('', '', ' noreply', ' noreply x');

const retrieval = fc
  .tuple(
    fc.constantFrom('get', 'gets'),
    fc.array(fc.tuple(spaces, key), { maxLength: 12 }),
    lineEnd,
  )
  .map(([verb, keys, end]) => verb + keys.flat().join('') + end);

const touch = fc
  .tuple(
    fc.constantFrom('gat', 'gats'),
    number,
    fc.array(fc.tuple(spaces, key), { maxLength: 12 }),
    lineEnd,
  )
  .map(([verb, time, keys, end]) => `${verb} ${time}${keys.flat().join('')}${end}`);

const flag = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...'vtsfckqhu') },
  fc.constantFrom('b', 'O1', 'Oopaque', 'T0', 'Tx', 'N30', 'R0', 'C5', 'MS', 'MI', 'ME', 'I', 'z'),
  fc.constantFrom(`O${'1'.repeat(32)}`, '\xff', '\x7f', 'M', 'D1', 'Jx', 'Fx', 'v v v'),
);
const flags = fc.array(flag, { maxLength: 20 }).map((words) => words.join(' '));
const metaKey = fc.oneof(key, fc.constantFrom('YQ==', 'Yg==', 'YQ', '====', '!!YQ==', 'bm9wZQ=='));

const meta = fc
  .tuple(fc.constantFrom('mg', 'mg', 'mg', 'md', 'ma', 'mn'), metaKey, flags, lineEnd)
  .map(([verb, name, words, end]) => `${verb} ${name} ${words}${end}`);

const metaSet = fc
  .tuple(metaKey, fc.string({ unit: 'binary-ascii', maxLength: 40 }), flags)
  .map(([name, data, words]) => `ms ${name} ${data.length} ${words}\r\n${data}\r\n`);

const administration = fc.constantFrom(
  'lru_crawler metadump all\r\n',
  'lru_crawler mgdump all\n',
  'lru_crawler metadump 2\r\n',
  'lru_crawler enable\r\n',
  'slabs automove 1 noreply\r\n',
  'stats sizes\r\n',
  'stats detail\r\n',
  'stats dataset\r\n',
  'shutdown\r\n',
  'watch\r\n',
  'me nope\r\n',
  'me YQ b\r\n',
);

const storing = fc
  .tuple(
    fc.constantFrom('set', 'add', 'replace', 'append', 'prepend'),
    key,
    fc.string({ unit: 'binary-ascii', maxLength: 40 }),
    fc.constantFrom('', '', ' noreply'),
  )
  .map(([verb, name, data, quiet]) => `${verb} ${name} 0 0 ${data.length}${quiet}\r\n${data}\r\n`);

const otherWrite = fc
  .tuple(
    fc.constantFrom('incr', 'decr', 'touch', 'delete', 'flush_all', 'md', 'ma'),
    key,
    number,
    noreply,
    lineEnd,
  )
  .map(([verb, name, argument, quiet, end]) => `${verb} ${name} ${argument}${quiet}${end}`);

/** Lines with no data behind them: the length that is announced is missing or none. */
const broken = fc.oneof(
  fc.constantFrom(
    'set k 0 0 -1\r\n',
    'set k 0 0\r\n',
    'cas k 0 0 1 x\r\n',
    'ms k S1\r\n',
    'set\r\n',
  ),
  fc.constantFrom('\r\n', '\n', ' \r\n', 'verbosity 1\r\n', 'verbosity\r\n', 'mn\r\n', 'GET a\r\n'),
  fc
    .string({ unit: fc.constantFrom(...'agsetmx 01\t\r\0\xff'), maxLength: 30 })
    .map((text) => `x${text.replace(/HTTP\//g, '')}\r\n`),
);

const commands = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: retrieval },
    { weight: 3, arbitrary: meta },
    touch,
    metaSet,
    administration,
    storing,
    otherWrite,
    broken,
  ),
  {
    maxLength: 25,
  },
);

const anyBytes = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));

function playSplit(bytes: Buffer, seed: number): Played {
  const random = new Random(seed);
  return playPieces(split(bytes, random, [1, 4, 50, 5_000][random.below(4)]), storage);
}

function expectSameInPieces(bytes: Buffer, seed: number): void {
  const whole = playPieces([bytes], storage);
  const pieces = playSplit(bytes, seed);
  expect(pieces.state).toBe(whole.state);
  expect(pieces.output === whole.output).toBe(true);
}

stopClocks();

describe('a session', () => {
  it('that reports time answers alike however it is split', () => {
    for (let i = 0; i < 50; i++) expectSameInPieces(Buffer.from('stats \r\nversion\r\n'), i);
  });

  it('answers valid and broken commands alike however they are split', () => {
    fc.assert(
      fc.property(commands, fc.integer(), (lines, seed) => {
        expectSameInPieces(Buffer.from(lines.join(''), 'latin1'), seed);
      }),
      { numRuns: 300 },
    );
  });

  it('is never out of step after whole commands: the next one is answered once, at the end', () => {
    fc.assert(
      fc.property(commands, fc.integer(), (lines, seed) => {
        const input = lines.join('');
        const before = play(input, storage);
        expect(before.state).toBe('open');
        const after = playSplit(Buffer.from(`${input}version\r\n`, 'latin1'), seed);
        expect(after.output === before.output + VERSION).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('answers each command as it would alone', () => {
    fc.assert(
      fc.property(commands, (lines) => {
        const alone = lines.map((line) => play(line, storage).output).join('');
        expect(play(lines.join(''), storage).output === alone).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('survives any bytes, and answers them alike however they are split', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            anyBytes,
            commands.map((lines) => Buffer.from(lines.join(''), 'latin1')),
          ),
        ),
        fc.integer(),
        (pieces, seed) => {
          expectSameInPieces(Buffer.concat(pieces), seed);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('survives commands with a few bytes changed, lost or added', () => {
    fc.assert(
      fc.property(commands, fc.integer(), (lines, seed) => {
        const random = new Random(seed);
        const bytes = [...Buffer.from(lines.join(''), 'latin1')];
        for (let i = 0; i < 5; i++) {
          const at = random.below(bytes.length + 1);
          bytes.splice(at, random.below(3), ...random.bytes(random.below(3)));
        }
        expectSameInPieces(Buffer.from(bytes), seed);
      }),
      { numRuns: 300 },
    );
  });
});
