import { describe, expect, it } from 'vitest';
import { play, playAllWays } from '../../support/session.ts';
import { tableOf } from '../../support/storages.ts';

const READ_ONLY = 'CLIENT_ERROR read-only\r\n';
const INVALID = 'CLIENT_ERROR invalid or duplicate flag\r\n';
const LOUD = { loudRefusals: true };

/** Each command that writes, well-formed. */
const WRITES: readonly (readonly [command: string, input: string])[] = [
  ...['set', 'add', 'replace', 'append', 'prepend'].map(
    (command) => [command, `${command} k 0 0 3\r\nabc\r\n`] as const,
  ),
  ['cas', 'cas k 0 0 9 7\r\nversion\r\n\r\n'],
  ['incr', 'incr k 1\r\n'],
  ['decr', 'decr k 1\r\n'],
  ['delete', 'delete k\r\n'],
  ['touch', 'touch k 0\r\n'],
  ['ms', 'ms k 3 q O1\r\nabc\r\n'],
  ['md', 'md k q k\r\n'],
  ['ma', 'ma k\r\n'],
];

describe('loud refusals', () => {
  it.each(WRITES)('%s is answered with an error', (_, input) => {
    expect(playAllWays(input, [], true, LOUD)).toMatchObject({ output: READ_ONLY, state: 'open' });
  });

  it('still honour noreply', () => {
    const input = 'set k 0 0 3 noreply\r\nabc\r\nincr k 1 noreply\r\ndelete k noreply\r\n';
    expect(playAllWays(input, [], true, LOUD).output).toBe('');
  });

  it('leave the other errors as they are', () => {
    const input =
      'set k 0 0\r\nset k 0 0 1\r\nabcincr k x\r\nmd k z\r\nms k 1 MX\r\na\r\nflush_all\r\n';
    expect(playAllWays(input, [], true, LOUD).output).toBe(playAllWays(input).output);
  });
});

describe('a refused write', () => {
  it.each(WRITES)('%s is counted and reported by its name', (command, input) => {
    const reported: string[] = [];
    const onRefusedWrite = (name: string): void => {
      reported.push(name);
    };
    const { output } = play(`${input}stats\r\n`, tableOf([]), { onRefusedWrite });
    expect(reported).toEqual([command]);
    const lines = output.match(/^STAT refused_\S+ \d+/gm)!;
    expect(lines.filter((line) => !line.endsWith(' 0'))).toEqual([`STAT refused_${command} 1`]);
    expect(lines.length).toBe(WRITES.length + 1);
  });

  it('is reported also under noreply, and flush_all as well', () => {
    const reported: string[] = [];
    play('set k 0 0 1 noreply\r\na\r\nflush_all noreply\r\nflush_all\r\n', tableOf([]), {
      onRefusedWrite: (name) => reported.push(name),
    });
    expect(reported).toEqual(['set', 'flush_all', 'flush_all']);
  });

  it('is not reported when it is malformed', () => {
    const reported: string[] = [];
    play('set k 0 0 x\r\nincr k\r\nmd k z\r\nms k 1 v v\r\na\r\nma k MX\r\n', tableOf([]), {
      onRefusedWrite: (name) => reported.push(name),
    });
    expect(reported).toEqual([]);
  });
});

type Case = readonly [input: string, output: string];

function expectReplies(cases: readonly Case[]): void {
  for (const [input, output] of cases) {
    const played = playAllWays(`${input}version\r\n`);
    expect([input, played.output]).toEqual([input, `${output}VERSION 1.6.99\r\n`]);
  }
}

describe('the flags of meta commands that write', () => {
  it('are checked for ms, and its data is swallowed all the same', () => {
    const data = '9 %\r\nversion\r\n\r\n';
    const errors: readonly Case[] = [
      ['z', 'CLIENT_ERROR invalid flag'],
      ['v v', 'CLIENT_ERROR duplicate flag'],
      ['Tx', 'CLIENT_ERROR bad token in command line format'],
      ['Fx', 'CLIENT_ERROR bad command line format'],
      ['M', 'CLIENT_ERROR incorrect length for M token'],
      ['MX', 'CLIENT_ERROR invalid mode for ms M token'],
      ['Ms', 'CLIENT_ERROR invalid mode for ms M token'],
      [`O${'1'.repeat(32)}`, 'CLIENT_ERROR opaque token too long'],
      [`O${'1'.repeat(32)} MX`, 'CLIENT_ERROR invalid mode for ms M token'],
      ['z '.repeat(16).trim(), 'CLIENT_ERROR invalid flag'],
      ['z '.repeat(17).trim(), 'CLIENT_ERROR options flags too long'],
    ];
    for (const [flags, error] of errors) {
      expectReplies([[`ms k ${data.replace('%', flags)}`, `${error}\r\n`]]);
    }
    expectReplies([['ms Zm9 1 b\r\na\r\n', 'CLIENT_ERROR error decoding key\r\n']]);
    for (const mode of 'SEAPR') expectReplies([[`ms k 1 M${mode}\r\na\r\n`, 'NS\r\n']]);
  });

  it('are checked for md and ma, with one error for all of it', () => {
    for (const verb of ['md', 'ma']) {
      for (const flags of ['z', 'q q', 'Tx', 'M', 'Cx', 'E5', '\xff']) {
        expectReplies([[`${verb} k ${flags}\r\n`, INVALID]]);
      }
      expectReplies([
        [`${verb} Zm9 b\r\n`, INVALID],
        [`${verb} k O${'1'.repeat(32)}\r\n`, 'CLIENT_ERROR opaque token too long\r\n'],
        [`${verb} k ${'z '.repeat(18)}\r\n`, 'CLIENT_ERROR options flags too long\r\n'],
        [`${verb} k T0 C5 I v s t\r\n`, 'NF\r\n'],
      ]);
    }
  });

  it('of ma have modes', () => {
    for (const mode of 'ID+-') expectReplies([[`ma k M${mode} O1\r\n`, 'NF O1\r\n']]);
    for (const mode of 'idXS') {
      expectReplies([[`ma k M${mode}\r\n`, 'CLIENT_ERROR invalid mode for ma M token\r\n']]);
    }
    const { counters } = playAllWays('ma k\r\nma k MI\r\nma k MD\r\nma k M-\r\nma k M+\r\n');
    expect([counters.incr_misses, counters.decr_misses]).toEqual([3, 2]);
  });

  it('give keys back in base64, in its proper form', () => {
    expectReplies([
      ['ms Zm9v! 1 b k\r\na\r\n', 'NS kZm9v b\r\n'],
      ['md Zm== k b\r\n', 'NF kZg== b\r\n'],
      ['ma Zm9v k O1 b\r\n', 'NF kZm9v b O1\r\n'],
    ]);
  });
});
