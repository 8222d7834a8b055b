import { describe, expect, it } from 'vitest';
import { generatedValue } from '../../src/traffic/data-set.ts';
import { checkReplies } from '../../src/traffic/reply-check.ts';

const [A, B] = ['key:00000001', 'key:00000002'];
const BYTES = 10;

function hit(key: string, value = generatedValue(key, BYTES)!): string {
  return `VALUE ${key} 0 ${value.length}\r\n${value}\r\n`;
}

function check(request: string, reply: string): string | undefined {
  return checkReplies(Buffer.from(request), Buffer.from(reply), { valueBytes: BYTES });
}

describe('the check of replies', () => {
  it.each([
    ['all keys', `${hit(A)}${hit(B)}END\r\n`],
    ['a miss first', `${hit(B)}END\r\n`],
    ['misses only', 'END\r\n'],
  ])('accepts %s', (_, reply) => {
    expect(check(`get ${A} ${B}\r\n`, reply)).toBeUndefined();
  });

  it('accepts a pipeline of quiet meta commands', () => {
    const reply = `VA ${BYTES} k${A}\r\n${generatedValue(A, BYTES)}\r\nMN\r\n`;
    expect(check(`mg ${A} v k q\r\nmg ${B} v k q\r\nmn\r\n`, reply)).toBeUndefined();
  });

  it.each([
    ["another key's value", `${hit(A, generatedValue(B, BYTES))}END\r\n`, 'is not its own'],
    ['a value that is too short', `${hit(A, '0')}END\r\n`, 'is not its own'],
    ['the wrong order', `${hit(B)}${hit(A)}END\r\n`, 'not asked for'],
    ['a key twice', `${hit(A)}${hit(A)}END\r\n`, 'not asked for'],
    ['a key of nobody', `${hit('key:00000003')}END\r\n`, 'not asked for'],
    ['an error', 'SERVER_ERROR\r\n', 'unexpected line "SERVER_ERROR"'],
    ['half a reply', `${hit(A)}EN`, 'ends within a line'],
    ['two replies', 'END\r\nEND\r\n', 'more came back'],
  ])('finds %s', (_, reply, fault) => {
    expect(check(`get ${A} ${B}\r\n`, reply)).toContain(fault);
  });
});
