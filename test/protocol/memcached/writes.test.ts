import { describe, expect, it } from 'vitest';
import { playAllWays } from '../../support/session.ts';

const BAD_FORMAT = 'CLIENT_ERROR bad command line format\r\n';
const BAD_CHUNK = 'CLIENT_ERROR bad data chunk\r\n';
const VERSION = 'VERSION 1.6.99\r\n';
const TOO_LONG_KEY = 'k'.repeat(251);

type Case = readonly [input: string, output: string];

/** A `version` behind each input shows by its answer that the session is not out of step. */
function expectReplies(cases: readonly Case[]): void {
  for (const [input, output] of cases) {
    const played = playAllWays(`${input}version\r\n`);
    expect([input, played.output]).toEqual([input, `${output}${VERSION}`]);
  }
}

describe.each(['set', 'add', 'replace', 'append', 'prepend'])('%s', (verb) => {
  it('is not stored, and its data is swallowed', () => {
    expectReplies([
      [`${verb} k 0 0 3\r\nabc\r\n`, 'NOT_STORED\r\n'],
      [`${verb} k 4294967295 2592000 0\r\n\r\n`, 'NOT_STORED\r\n'],
      [`${verb} k 0 0 9\r\nversion\r\n\r\n`, 'NOT_STORED\r\n'],
      [` ${verb}  k 16 0 1 \r\na\r\n`, 'NOT_STORED\r\n'],
      [`${verb} k 0 0 1\na\r\n`, 'NOT_STORED\r\n'],
      [`${verb} k 0 0 1 other\r\na\r\n`, 'NOT_STORED\r\n'],
      [`${verb} k 0 0 01\r\na\r\n`, 'NOT_STORED\r\n'],
    ]);
  });

  it('is silent under noreply', () => {
    expectReplies([
      [`${verb} k 0 0 3 noreply\r\nabc\r\n`, ''],
      [`${verb} k 0 0 3 noreply\r\nabcde`, ''],
      [`${verb} k x 0 3 noreply\r\n`, ''],
      [`${verb} ${TOO_LONG_KEY} 0 0 3 noreply\r\nabc\r\n`, ''],
    ]);
  });

  it('complains about data with a wrong end, and goes on behind it', () => {
    expectReplies([
      [`${verb} k 0 0 3\r\nabcde`, BAD_CHUNK],
      [`${verb} k 0 0 3\r\nabcdef\r\n`, `${BAD_CHUNK}ERROR\r\n`],
      [`${verb} k 0 0 1\r\na\r.`, BAD_CHUNK],
      [`${verb} k 0 0 1\r\na.\n`, BAD_CHUNK],
      [`${verb} k 0 0 1\r\na\n\n`, BAD_CHUNK],
      [`${verb} k 0 0 0\r\nab`, BAD_CHUNK],
    ]);
  });

  it('swallows nothing when it does not say how much', () => {
    for (const length of ['-1', '2147483646', '2147483647', '4294967295', 'x', '1x', '1.5', '']) {
      const output = length === '' ? 'ERROR\r\n' : BAD_FORMAT;
      expectReplies([[`${verb} k 0 0 ${length}\r\n`, output]]);
    }
  });

  it('refuses flags and times that are not numbers', () => {
    expectReplies([
      [`${verb} k x 0 1\r\n`, BAD_FORMAT],
      [`${verb} k -1 0 1\r\n`, BAD_FORMAT],
      [`${verb} k 0 x 1\r\n`, BAD_FORMAT],
    ]);
  });

  it('swallows the data of a key that is too long', () => {
    expectReplies([[`${verb} ${TOO_LONG_KEY} 0 0 9\r\nversion\r\n\r\n`, BAD_FORMAT]]);
  });

  it('is unknown with too few or too many arguments, also under noreply', () => {
    expectReplies([
      [`${verb}\r\n`, 'ERROR\r\n'],
      [`${verb} k 0 0\r\n`, 'ERROR\r\n'],
      [`${verb} k 0 0 1 noreply x\r\n`, 'ERROR\r\n'],
    ]);
  });
});

describe('cas', () => {
  it('is not stored, and its data is swallowed', () => {
    expectReplies([
      ['cas k 0 0 3 7\r\nabc\r\n', 'NOT_FOUND\r\n'],
      ['cas k 0 0 3 18446744073709551615 noreply\r\nabc\r\n', ''],
      ['cas k 0 0 3 7\r\nabcde', BAD_CHUNK],
      ['cas k 0 0 3\r\n', 'ERROR\r\n'],
      ['cas k 0 0 3 7 noreply x\r\n', 'ERROR\r\n'],
      ['cas k 0 0 3 x\r\n', BAD_FORMAT],
      [`cas ${TOO_LONG_KEY} 0 0 3 7\r\nabc\r\n`, BAD_FORMAT],
    ]);
  });
});

describe('an add of something that has expired already, which asks whether the key exists', () => {
  const play = (input: string): string => playAllWays(input, [['there', 'value']], false).output;

  it.each(['-1', '2678400', '2592001'])('is answered by what is there: exptime %s', (exptime) => {
    expect(play(`add there 0 ${exptime} 0\r\n\r\n`)).toBe('NOT_STORED\r\n');
    expect(play(`add none 0 ${exptime} 3\r\nabc\r\n`)).toBe('STORED\r\n');
    expect(play(`add none 0 ${exptime} 3\r\nabcde`)).toBe(BAD_CHUNK);
    expect(play(`add none 0 ${exptime} 0 noreply\r\n\r\n`)).toBe('');
  });

  it('is another thing than an add that would be there later, and than a set', () => {
    expect(play('add none 0 4102444800 0\r\n\r\n')).toBe('NOT_STORED\r\n');
    expect(play('set none 0 -1 0\r\n\r\n')).toBe('NOT_STORED\r\n');
  });
});

describe('a large data block', () => {
  it('is swallowed whole, however it arrives', () => {
    const data = 'version\r\n'.repeat(100_000);
    expectReplies([[`set k 0 0 ${data.length}\r\n${data}\r\n`, 'NOT_STORED\r\n']]);
  });

  it('may be announced with any length that memcached takes', () => {
    const input = 'set k 0 0 2147483645\r\nversion\r\nversion\r\n';
    expect(playAllWays(input, [], false)).toMatchObject({ output: '', state: 'open' });
  });
});

describe('the other writes', () => {
  it('incr and decr find nothing', () => {
    for (const verb of ['incr', 'decr']) {
      expectReplies([
        [`${verb} k 1\r\n`, 'NOT_FOUND\r\n'],
        [`${verb} k 18446744073709551615\r\n`, 'NOT_FOUND\r\n'],
        [`${verb} k 1 noreply\r\n`, ''],
        [`${verb} k 1 other\r\n`, 'NOT_FOUND\r\n'],
        [`${verb} k x\r\n`, 'CLIENT_ERROR invalid numeric delta argument\r\n'],
        [`${verb} k -1\r\n`, 'CLIENT_ERROR invalid numeric delta argument\r\n'],
        [`${verb} k 18446744073709551616\r\n`, 'CLIENT_ERROR invalid numeric delta argument\r\n'],
        [`${verb} k x noreply\r\n`, ''],
        [`${verb} ${TOO_LONG_KEY} 1\r\n`, BAD_FORMAT],
        [`${verb}\r\n${verb} k\r\n${verb} k 1 2 3\r\n`, 'ERROR\r\n'.repeat(3)],
      ]);
    }
  });

  it('delete finds nothing', () => {
    const usage = 'CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n';
    expectReplies([
      ['delete k\r\n', 'NOT_FOUND\r\n'],
      ['delete noreply\r\n', 'NOT_FOUND\r\n'],
      ['delete k 0\r\n', 'NOT_FOUND\r\n'],
      ['delete k noreply\r\n', ''],
      ['delete k 0 noreply\r\n', ''],
      ['delete k 1\r\n', usage],
      ['delete k 0 0\r\n', usage],
      ['delete k 1 noreply\r\n', ''],
      [`delete ${TOO_LONG_KEY}\r\n`, BAD_FORMAT],
      ['delete\r\ndelete k 0 noreply x\r\n', 'ERROR\r\n'.repeat(2)],
    ]);
  });

  it('touch finds nothing', () => {
    expectReplies([
      ['touch k 1\r\n', 'NOT_FOUND\r\n'],
      ['touch k -1\r\n', 'NOT_FOUND\r\n'],
      ['touch k 1 noreply\r\n', ''],
      ['touch k x\r\n', 'CLIENT_ERROR invalid exptime argument\r\n'],
      [`touch ${TOO_LONG_KEY} 1\r\n`, BAD_FORMAT],
      ['touch\r\ntouch k\r\ntouch k 1 2 3\r\n', 'ERROR\r\n'.repeat(3)],
    ]);
  });

  it('flush_all is not allowed', () => {
    const refusal = 'CLIENT_ERROR flush_all not allowed\r\n';
    expectReplies([
      ['flush_all\r\nflush_all 0\r\nflush_all 10 x\r\n', refusal.repeat(3)],
      ['flush_all noreply\r\nflush_all 0 noreply\r\n', ''],
      ['flush_all 0 0 0\r\n', 'ERROR\r\n'],
    ]);
  });
});

describe('the meta commands that write', () => {
  it('ms is not stored, and its data is swallowed, also under q', () => {
    expectReplies([
      ['ms k 3\r\nabc\r\n', 'NS\r\n'],
      ['ms k 9 T0\r\nversion\r\n\r\n', 'NS\r\n'],
      ['ms k 1 Oabc k q\r\na\r\n', 'NS Oabc kk\r\n'],
      ['ms k 1 k O1 ME\r\na\r\n', 'NS kk O1\r\n'],
      ['ms Zm9v 1 b k\r\na\r\n', 'NS kZm9v b\r\n'],
      ['ms k 1\r\nabc', BAD_CHUNK],
      ['ms\r\n', 'ERROR\r\n'],
      ['ms k\r\nms k x\r\nms k -1\r\nms k 2147483647\r\n', BAD_FORMAT.repeat(4)],
      [`ms ${TOO_LONG_KEY} 9\r\nversion\r\n\r\n`, BAD_FORMAT],
      [`ms ${TOO_LONG_KEY} 1\r\nabc`, BAD_FORMAT],
    ]);
  });

  it('md and ma find nothing', () => {
    for (const verb of ['md', 'ma']) {
      expectReplies([
        [`${verb} key\r\n`, 'NF\r\n'],
        [`${verb} key k O12 T0\r\n`, 'NF kkey O12\r\n'],
        [`${verb} key q O12 k\r\n`, 'NF O12 kkey\r\n'],
        [`${verb} Zm9v b O1 k\r\n`, 'NF O1 kZm9v b\r\n'],
        [`${verb} Zm9v k O1 b\r\n`, 'NF kZm9v b O1\r\n'],
        [`${verb} Zm9v b\r\n`, 'NF\r\n'],
        [`${verb}\r\n`, 'ERROR\r\n'],
        [`${verb} ${TOO_LONG_KEY}\r\n`, BAD_FORMAT],
      ]);
    }
  });
});

describe('the counters of writes', () => {
  it('count refused writes by kind', () => {
    const { counters } = playAllWays(
      'set k 0 0 1\r\na\r\ncas k 0 0 1 1\r\na\r\nms k 1\r\na\r\nincr k 1\r\ndecr k 1\r\ndecr k 1\r\n' +
        'delete k\r\ntouch k 1\r\ntouch k 1 noreply\r\nflush_all\r\n',
    );
    expect([counters.cmd_set, counters.incr_misses, counters.decr_misses]).toEqual([3, 1, 2]);
    expect([counters.delete_misses, counters.cmd_touch, counters.touch_misses]).toEqual([1, 2, 2]);
    expect([counters.cmd_flush, counters.protocol_errors]).toEqual([1, 0]);
  });

  it('count each malformed write as a protocol error, also under noreply', () => {
    const { counters } = playAllWays(
      `set k\r\nset k 0 0 x\r\nset k 0 0 x noreply\r\nset k 0 0 1\r\nabcset ${TOO_LONG_KEY} 0 0 0\r\n\r\n` +
        'incr k x\r\ndelete k 1\r\ntouch k x\r\nmd\r\nms k\r\n',
    );
    expect(counters.protocol_errors).toBe(10);
  });
});
