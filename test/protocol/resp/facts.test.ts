import { describe, expect, it } from 'vitest';
import { bulk, parseReplies, playCommand } from './harness.ts';

const RECORDS = [
  ['a', 'of a'],
  ['n', '42'],
  ['ff', '\xff\xff'],
  ['long', 'x'.repeat(45)],
  ['o', 'ohmytext'],
  ['m', 'mynewtext'],
  ['wide', 'ab'.repeat(256)],
  ['wider', 'b'.repeat(512)],
  ['widest', 'b'.repeat(513)],
] as const;

const RUNS = {
  text: '*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n',
  my: '*2\r\n*2\r\n:2\r\n:3\r\n*2\r\n:0\r\n:1\r\n',
};

function indexes(length: number, ...runs: readonly string[]): string {
  const matches = `*${runs.length}\r\n${runs.join('')}`;
  return `*4\r\n${bulk('matches')}${matches}${bulk('len')}:${length}\r\n`;
}

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
  ['LATENCY GRAPH x', "-ERR No samples available for event 'x'\r\n"],
  ['LATENCY HISTOGRAM x', '*0\r\n'],
  ['LCS o m', bulk('mytext')],
  ['LCS m o', bulk('mytext')],
  ['LCS o o', bulk('ohmytext')],
  ['LCS o none', bulk('')],
  ['LCS o m LEN', ':6\r\n'],
  ['LCS none none LEN', ':0\r\n'],
  ['LCS o m IDX', indexes(6, RUNS.text, RUNS.my)],
  ['LCS o m IDX MINMATCHLEN 3', indexes(6, RUNS.text)],
  ['LCS o m IDX MINMATCHLEN -5', indexes(6, RUNS.text, RUNS.my)],
  ['LCS o m IDX MINMATCHLEN 4 WITHMATCHLEN', indexes(6, `${RUNS.text.replace('*2', '*3')}:4\r\n`)],
  ['LCS o none IDX', indexes(0)],
  ['LCS o m MINMATCHLEN x', '-ERR value is not an integer or out of range\r\n'],
  ['LCS o m MINMATCHLEN', '-ERR syntax error\r\n'],
  ['LCS o m foo', '-ERR syntax error\r\n'],
  ['LCS o m LEN IDX', '-ERR If you want both the length and indexes, please just use IDX.\r\n'],
  ['LCS wide wider LEN', ':256\r\n'],
] as const;

describe('what tools ask besides', () => {
  it.each(CASES)('%s', (command, answer) => {
    expect(playCommand(command, RECORDS)).toBe(answer);
  });

  it('MEMORY USAGE reports bytes, and DUMP and OBJECT FREQ say why not', () => {
    expect(playCommand('MEMORY USAGE a', RECORDS)).toMatch(/^:[1-9]\d*\r\n$/);
    expect(playCommand('DUMP a', RECORDS)).toMatch(/^-ERR DUMP is not supported/);
    expect(playCommand('OBJECT FREQ a', RECORDS)).toMatch(/^-ERR An LFU maxmemory policy/);
  });

  it('LCS of long values names its limit, and takes one that is long when the other is short', () => {
    const refusal =
      '-ERR LCS compares at most 262144 pairs of bytes, the product of both lengths\r\n';
    expect(playCommand('LCS wide widest', RECORDS)).toBe(refusal);
    expect(playCommand('LCS widest wide LEN', RECORDS)).toBe(refusal);
    expect(playCommand('LCS a widest LEN', RECORDS)).toBe(':0\r\n');
    expect(playCommand('LCS none widest LEN', RECORDS)).toBe(':0\r\n');
  });

  it('LATENCY DOCTOR says where latencies are to be had', () => {
    expect(playCommand('LATENCY DOCTOR')).toMatch(
      /^\$\d+\r\nLatencies are not recorded here\. .*\n\r\n$/,
    );
  });

  it.each(['CLIENT', 'CONFIG', 'COMMAND', 'OBJECT', 'MEMORY', 'SLOWLOG', 'LATENCY'])(
    '%s HELP lists what its errors send one there for',
    (container) => {
      const [reply] = parseReplies(playCommand(`${container} HELP`));
      const lines = reply as readonly string[];
      expect(lines[0]).toBe(`${container} <subcommand> [<argument> ...], one of:`);
      expect(lines.slice(-2)).toEqual(['HELP', '    These lines.']);
      const names = lines.slice(1).filter((line) => !line.startsWith(' '));
      for (const line of names) {
        const answer = playCommand(`${container} ${line.split(' ')[0]}`);
        expect(answer).not.toContain('unknown subcommand');
      }
      expect(playCommand(`${container} HELP x`)).toBe(
        `-ERR wrong number of arguments for '${container.toLowerCase()}|help' command\r\n`,
      );
    },
  );
});
