import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { REPLY_FULL_BYTES } from '../../../src/protocol/reply.ts';
import { COMMANDS } from '../../../src/protocol/resp/commands.ts';
import { WRITES } from '../../../src/protocol/resp/writes.ts';
import { Random } from '../../support/random-bytes.ts';
import { split } from '../../support/session.ts';
import { stopClocks } from '../../support/still-clock.ts';
import { bytesOf, tableOf } from '../../support/storages.ts';
import { parseReplies, playPieces, type RespPlayed, req } from './harness.ts';

const storage = tableOf([
  ['a', 'of a'],
  ['b', 'x'.repeat(2_000)],
  ['c', 'y'.repeat(20_000)],
  ['d', 'z'.repeat(REPLY_FULL_BYTES)],
]);

const END = req('ECHO', 'the end');

/** Commands that end the connection, or whose answers depend on what was before. */
const UNSTEADY: readonly string[] = [
  ...['quit', 'time', 'info', 'client', 'hello', 'multi', 'randomkey'],
];

const name = fc.constantFrom(
  ...[...COMMANDS.keys()].filter((command) => !UNSTEADY.includes(command)),
  ...WRITES.map((write) => write.name),
  ...['foo', '', 'x'.repeat(300), 'GET', 'MGet', 'sEt'],
);
const word = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'c', 'd', 'nope', '', '0', '-1', '3', '*') },
  fc.constantFrom(
    '\r\n',
    '\0',
    '"',
    "'",
    '\xff',
    'x'.repeat(500),
    'COUNT',
    'MATCH',
    'count',
    'list',
  ),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);
const reads = fc
  .array(fc.constantFrom('a', 'b', 'c', 'd', 'nope'), { minLength: 1, maxLength: 12 })
  .map((keys) => req(keys.length === 1 ? 'GET' : 'MGET', ...keys));
const commands = fc
  .tuple(name, fc.array(word, { maxLength: 6 }))
  .map(([command, args]) => req(command, ...args));
const inline = fc
  .tuple(fc.constantFrom('get a', 'mget a b c d nope', 'PING', ' ping  ', 'foo "bar"', 'set a b'))
  .map(([line]) => Buffer.from(`${line}\r\n`));
const valid = fc.oneof({ weight: 2, arbitrary: reads }, commands, inline);
const conversations = fc.array(valid, { maxLength: 25 });

/** Beginnings of requests that promise anything. */
const broken = fc.constantFrom(
  ...[
    '*',
    '*2\r\n',
    '*3\r\n$3\r\nGET\r\n',
    '*-1\r\n',
    '*0\r\n',
    '$3\r\n',
    '*1\r\n$-1\r\n',
    '*x\r\n',
  ],
  ...[
    '*1048577\r\n',
    '*2\r\n$3\r\nSET\r\n$100\r\n',
    '*2\r\n$4\r\nMGET\r\n',
    '\r\n',
    '\n',
    '"',
    ':1\r\n',
  ],
  ...[
    '*2\r\n$300\r\n',
    '*2\r\n$3\r\nGET\r\n$536870912\r\n',
    '*1000000\r\n$3\r\nfoo\r\n',
    'Host: x\r\n',
  ],
);
const anyBytes = fc.oneof(
  fc.constantFrom(req('MULTI'), req('EXEC'), Buffer.from('multi\r\n'), Buffer.from('exec\r\n')),
  broken.map(bytesOf),
  fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  valid,
);

function playSplit(bytes: Buffer, seed: number): RespPlayed {
  const random = new Random(seed);
  return playPieces(split(bytes, random, [1, 4, 50, 5_000][random.below(4)]), storage);
}

function expectSameInPieces(bytes: Buffer, seed: number): RespPlayed {
  const whole = playPieces([bytes], storage);
  const pieces = playSplit(bytes, seed);
  expect(pieces.state).toBe(whole.state);
  expect(pieces.output === whole.output).toBe(true);
  expect({ ...pieces.counters }).toEqual({ ...whole.counters });
  return whole;
}

stopClocks();

describe('a session in Redis’ protocol', () => {
  it('answers each request once, in order, however they are split, and is never out of step', () => {
    fc.assert(
      fc.property(conversations, fc.integer(), (sent, seed) => {
        const { output, state } = playSplit(Buffer.concat([...sent, END]), seed);
        const replies = parseReplies(output);
        expect(state).toBe('open');
        expect(replies).toHaveLength(sent.length + 1);
        expect(replies.at(-1)).toBe('the end');
      }),
      { numRuns: 300 },
    );
  });

  it('answers each request as it would alone', () => {
    fc.assert(
      fc.property(conversations, (sent) => {
        const alone = sent.map((bytes) => playPieces([bytes], storage).output).join('');
        expect(playPieces([Buffer.concat(sent)], storage).output === alone).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('answers requests in a transaction as it does outside', () => {
    fc.assert(
      fc.property(fc.array(reads, { maxLength: 25 }), fc.integer(), (sent, seed) => {
        const alone = parseReplies(playPieces(sent, storage).output);
        const all = Buffer.concat([req('MULTI'), ...sent, req('EXEC'), END]);
        const replies = parseReplies(playSplit(all, seed).output);
        const queued = sent.map(() => 'QUEUED');
        expect(replies).toEqual(['OK', ...queued, alone, 'the end']);
      }),
      { numRuns: 200 },
    );
  });

  it('survives broken requests, and answers them alike however they are split', () => {
    fc.assert(
      fc.property(fc.array(anyBytes, { maxLength: 12 }), fc.integer(), (pieces, seed) => {
        parseReplies(expectSameInPieces(Buffer.concat([END, ...pieces]), seed).output);
      }),
      { numRuns: 500 },
    );
  });

  it('survives requests with a few bytes changed, lost or added', () => {
    fc.assert(
      fc.property(conversations, fc.integer(), (sent, seed) => {
        const random = new Random(seed);
        const bytes = [...Buffer.concat(sent)];
        for (let i = 0; i < 5; i++) {
          const at = random.below(bytes.length + 1);
          bytes.splice(at, random.below(3), ...random.bytes(random.below(3)));
        }
        parseReplies(expectSameInPieces(Buffer.concat([END, Buffer.from(bytes)]), seed).output);
      }),
      { numRuns: 300 },
    );
  });
});
