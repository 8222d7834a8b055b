import { describe, expect, it } from 'vitest';
import { REPLY_FULL_BYTES } from '../../../src/protocol/reply.ts';
import { playAllWays } from '../../support/session.ts';
import type { TestRecord } from '../../support/storages.ts';

const RECORDS: readonly TestRecord[] = [
  ['a', 'of a'],
  ['b', 'of b', 42],
  ['full', 'f'.repeat(REPLY_FULL_BYTES)],
];
const A = 'VALUE a 0 4\r\nof a\r\n';
const B = 'VALUE b 42 4\r\nof b\r\n';
const FULL = `VALUE full 0 ${REPLY_FULL_BYTES}\r\n${'f'.repeat(REPLY_FULL_BYTES)}\r\n`;
const BAD_TIME = 'CLIENT_ERROR invalid exptime argument\r\n';
const BAD_FORMAT = 'CLIENT_ERROR bad command line format\r\n';

const CASES: readonly (readonly [title: string, input: string, output: string])[] = [
  ['answers hits and misses in the order asked', 'gat 0 b nope a b\r\n', `${B}${A}${B}END\r\n`],
  ['adds the unique number to gats', 'gats 0 b\r\n', 'VALUE b 42 4 7\r\nof b\r\nEND\r\n'],
  ['answers no keys with the end alone', 'gat 0\r\ngats -1 \r\n', 'END\r\n'.repeat(2)],
  ['takes spaces and a bare line feed', '  gat  0   a  \n', `${A}END\r\n`],
  ['needs a time', 'gat\r\ngats  \r\n', 'ERROR\r\n'.repeat(2)],
  ['keeps what a time would have expired', 'gat -1 a\r\nget a\r\n', `${A}END\r\n`.repeat(2)],
  ['makes a key that is too long the only reply', `gat 0 a ${'k'.repeat(251)}\r\n`, BAD_FORMAT],
  ['complains of the time before the key', `gat x ${'k'.repeat(251)}\r\n`, BAD_TIME],
];

describe('gat and gats', () => {
  it.each(CASES)('%s', (_, input, output) => {
    expect(playAllWays(input, RECORDS)).toMatchObject({ output, state: 'open' });
  });

  it('take a time that is a number of 64 bits, with a sign and white space', () => {
    const times = ['+5', '-5', '007', '\t1', '1\t', '1\tx', '-9223372036854775808'];
    for (const time of [...times, '9223372036854775807', `${'0'.repeat(30)}1`]) {
      expect(playAllWays(`gat ${time} a\r\n`, RECORDS).output).toBe(`${A}END\r\n`);
    }
  });

  it('refuse any other time', () => {
    const times = ['x', '1x', '0x10', '1.5', '-', '+', '\t', '--1', '\xa01'];
    for (const time of [...times, '9223372036854775808', '-9223372036854775809', '1'.repeat(40)]) {
      expect(playAllWays(`gat ${time} a\r\n`, RECORDS).output).toBe(BAD_TIME);
    }
  });

  it('go on where a full reply made them stop', () => {
    const { output, counters } = playAllWays('gat 0 full a full nope b\r\nget a\r\n', RECORDS);
    expect(output === `${FULL}${A}${FULL}${B}END\r\n${A}END\r\n`).toBe(true);
    expect([counters.cmd_touch, counters.touch_hits, counters.touch_misses]).toEqual([5, 4, 1]);
  });

  it('count as touches alone', () => {
    const { counters } = playAllWays('gat 0 a nope a\r\ngats 0 nope\r\nget a\r\n', RECORDS);
    expect([counters.cmd_touch, counters.touch_hits, counters.touch_misses]).toEqual([4, 2, 2]);
    expect([counters.cmd_get, counters.get_hits, counters.get_misses]).toEqual([1, 1, 0]);
  });
});

describe('bget', () => {
  it('is an old name for get', () => {
    const { output } = playAllWays('bget b full a\r\nbget\r\n', RECORDS);
    expect(output === `${B}${FULL}${A}END\r\nERROR\r\n`).toBe(true);
  });
});
