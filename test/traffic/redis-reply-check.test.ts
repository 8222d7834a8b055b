import { describe, expect, it } from 'vitest';
import { generatedValue } from '../../src/traffic/data-set.ts';
import { checkRedisReplies } from '../../src/traffic/redis-reply-check.ts';
import { respRequest } from '../../src/traffic/resp.ts';

const [A, B] = ['key:00000001', 'key:00000002'];
const BYTES = 10;

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

const VALUE_A = bulk(generatedValue(A, BYTES)!);
const VALUE_B = bulk(generatedValue(B, BYTES)!);
const NULL = '$-1\r\n';

function check(request: readonly (readonly string[])[], reply: string): string | undefined {
  const batch = request.map(respRequest).join('');
  return checkRedisReplies(Buffer.from(batch), Buffer.from(reply), { valueBytes: BYTES });
}

describe('the check of replies of Redis', () => {
  it.each([
    [
      'a pipeline',
      [
        ['GET', A],
        ['GET', B],
      ],
      `${VALUE_A}${VALUE_B}`,
    ],
    ['a miss', [['GET', A]], NULL],
    ['several keys', [['MGET', A, B]], `*2\r\n${VALUE_A}${VALUE_B}`],
    ['misses among several keys', [['MGET', A, B]], `*2\r\n${NULL}${VALUE_B}`],
  ])('accepts %s', (_, request, reply) => {
    expect(check(request, reply)).toBeUndefined();
  });

  it.each([
    ["another key's value", VALUE_B, 'is not its own'],
    ['a value that is too short', bulk('0'), 'is not its own'],
    [
      'a value of another length than it says',
      '$3\r\nabcd\r\n',
      'expected a string of the length in its header',
    ],
    ['a status', '+00000001ab\r\n', 'in place of the value'],
    ['an error', '-ERR no\r\n', '"ERR no" in place of the value'],
    ['an array', `*1\r\n${VALUE_A}`, 'an array in place of the value'],
    ['another protocol', 'END\r\n', 'found "END"'],
    ['half a reply', VALUE_A.slice(0, -1), 'ends within a value'],
    ['nothing', '', 'ends within a value'],
    ['two replies', `${VALUE_A}${VALUE_A}`, 'more came back'],
  ])('finds %s', (_, reply, fault) => {
    expect(check([['GET', A]], reply)).toContain(fault);
  });

  it.each([
    ['the wrong order', `*2\r\n${VALUE_B}${VALUE_A}`, 'is not its own'],
    ['too few', `*1\r\n${VALUE_A}`, 'in place of an array of 2'],
    ['an error', '-ERR no\r\n', '"ERR no" in place of an array of 2'],
    ['half an array', `*2\r\n${VALUE_A}`, 'ends within a value'],
  ])('finds %s among several keys', (_, reply, fault) => {
    expect(check([['MGET', A, B]], reply)).toContain(fault);
  });
});
