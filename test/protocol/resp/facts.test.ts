import { describe, expect, it } from 'vitest';
import { bulk, playCommand } from './harness.ts';

const RECORDS = [
  ['a', 'of a'],
  ['n', '42'],
  ['ff', '\xff\xff'],
  ['long', 'x'.repeat(45)],
] as const;

/** What Redis 7.0.15 answers, but for the bytes that a record takes. */
const CASES = [
  ['GETBIT a 1', ':1\r\n'],
  ['GETBIT a 4294967296', '-ERR bit offset is not an integer or out of range\r\n'],
  ['GETBIT a x', '-ERR bit offset is not an integer or out of range\r\n'],
  ['GETBIT none 3', ':0\r\n'],
  ['BITCOUNT a', ':14\r\n'],
  ['BITCOUNT none', ':0\r\n'],
  ['BITCOUNT a 1', '-ERR syntax error\r\n'],
  ['BITCOUNT a 1 2', ':5\r\n'],
  ['BITCOUNT a 0 -1 bit', ':14\r\n'],
  ['BITCOUNT a 3 12 bit', ':6\r\n'],
  ['BITCOUNT a 0 1 x', '-ERR syntax error\r\n'],
  ['BITPOS a 1', ':1\r\n'],
  ['BITPOS a 0', ':0\r\n'],
  ['BITPOS a 1 1', ':9\r\n'],
  ['BITPOS ff 0', ':16\r\n'],
  ['BITPOS ff 0 0 -1', ':-1\r\n'],
  ['BITPOS none 0', ':0\r\n'],
  ['BITPOS none 1', ':-1\r\n'],
  ['BITPOS a 2', '-ERR The bit argument must be 1 or 0.\r\n'],
  ['OBJECT ENCODING a', bulk('embstr')],
  ['OBJECT ENCODING n', bulk('int')],
  ['OBJECT ENCODING long', bulk('raw')],
  ['OBJECT ENCODING none', '$-1\r\n'],
  ['OBJECT REFCOUNT a', ':1\r\n'],
  ['MEMORY USAGE none', '$-1\r\n'],
  ['DUMP none', '$-1\r\n'],
  ['ROLE', '*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n'],
  ['WAIT 0 10', ':0\r\n'],
  ['SLOWLOG GET', '*0\r\n'],
  ['SLOWLOG LEN', ':0\r\n'],
  ['SLOWLOG RESET', '+OK\r\n'],
  ['LATENCY LATEST', '*0\r\n'],
  ['LATENCY HISTORY x', '*0\r\n'],
  ['LATENCY RESET', ':0\r\n'],
] as const;

describe('what tools ask besides', () => {
  it.each(CASES)('%s', (command, answer) => {
    expect(playCommand(command, RECORDS)).toBe(answer);
  });

  it('MEMORY USAGE tells bytes, and DUMP and OBJECT FREQ say why not', () => {
    expect(playCommand('MEMORY USAGE a', RECORDS)).toMatch(/^:[1-9]\d*\r\n$/);
    expect(playCommand('DUMP a', RECORDS)).toMatch(/^-ERR DUMP is not supported/);
    expect(playCommand('OBJECT FREQ a', RECORDS)).toMatch(/^-ERR An LFU maxmemory policy/);
  });
});
