import { describe, expect, it } from 'vitest';
import { MEMBERS_MAX } from '../../../src/protocol/resp/other-types.ts';
import { playAllWays, playCommand, req } from './harness.ts';

const RECORDS = [['a', 'of a']] as const;
const WRONG_TYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n';

/** What Redis 7.0.15 answers when `none` is not there. */
const CASES = [
  ['LLEN none', ':0\r\n'],
  ['LRANGE none 0 1', '*0\r\n'],
  ['LINDEX none 0', '$-1\r\n'],
  ['LPOS none x', '$-1\r\n'],
  ['HGET none f', '$-1\r\n'],
  ['HGETALL none', '*0\r\n'],
  ['HKEYS none', '*0\r\n'],
  ['HVALS none', '*0\r\n'],
  ['HLEN none', ':0\r\n'],
  ['HEXISTS none f', ':0\r\n'],
  ['HSTRLEN none f', ':0\r\n'],
  ['HMGET none f g', '*2\r\n$-1\r\n$-1\r\n'],
  ['SCARD none', ':0\r\n'],
  ['SMEMBERS none', '*0\r\n'],
  ['SISMEMBER none x', ':0\r\n'],
  ['SMISMEMBER none x y', '*2\r\n:0\r\n:0\r\n'],
  ['ZCARD none', ':0\r\n'],
  ['ZCOUNT none 0 1', ':0\r\n'],
  ['ZRANGE none 0 1', '*0\r\n'],
  ['ZRANGEBYSCORE none 0 1', '*0\r\n'],
  ['ZSCORE none x', '$-1\r\n'],
  ['ZRANK none x', '$-1\r\n'],
  ['ZMSCORE none x y', '*2\r\n$-1\r\n$-1\r\n'],
  ['XLEN none', ':0\r\n'],
  ['XRANGE none - +', '*0\r\n'],
] as const;

describe('a read of another type', () => {
  it.each(CASES)('%s is empty for a missing key, and WRONGTYPE for a record', (command, empty) => {
    expect(playCommand(command, RECORDS)).toBe(empty);
    expect(playCommand(command.replace('none', 'a'), RECORDS)).toBe(WRONG_TYPE);
  });

  it('has the form of RESP3 after HELLO 3', () => {
    const requests = ['HGETALL', 'SMEMBERS'].map((name) => req(name, 'none'));
    const { output } = playAllWays([req('HELLO', '3'), ...requests, req('HGET', 'none', 'f')]);
    expect(output.slice(output.indexOf('modules'))).toBe('modules\r\n*0\r\n%0\r\n~0\r\n_\r\n');
  });

  it('of too many members is refused', () => {
    const members = Array.from({ length: MEMBERS_MAX + 1 }, () => 'm');
    const [played] = [playAllWays([req('HMGET', 'none', ...members)])];
    expect(played.output).toBe(
      `-ERR too many arguments: at most ${MEMBERS_MAX + 1} in one HMGET, found ${MEMBERS_MAX + 2}\r\n`,
    );
  });
});
