import { describe, expect, it } from 'vitest';
import { REPLY_FULL_BYTES } from '../../../src/protocol/reply.ts';
import { play, playAllWays } from '../../support/session.ts';
import { stopClocks } from '../../support/still-clock.ts';
import { MapStorage, type TestRecord } from '../../support/storages.ts';

const RECORDS: readonly TestRecord[] = [
  ['a', 'of a'],
  ['b', 'of b', 42],
  ['foo bar', 'spaced', 7],
  ['foo', 'plain'],
  ['20k', 'x'.repeat(20_000)],
  ['full', 'f'.repeat(REPLY_FULL_BYTES)],
];
const BAD_FORMAT = 'CLIENT_ERROR bad command line format\r\n';
const BAD_TOKEN = 'CLIENT_ERROR bad token in command line format\r\n';
const DUPLICATE = 'CLIENT_ERROR duplicate flag\r\n';
const INVALID = 'CLIENT_ERROR invalid flag\r\n';
const BAD_KEY = 'CLIENT_ERROR error decoding key\r\n';
const TOO_LONG = 'CLIENT_ERROR opaque token too long\r\n';
const TOO_MANY = 'CLIENT_ERROR options flags are too long\r\n';
const VERSION = 'VERSION 1.6.99\r\n';

/** Foo bar in base64. */
const FOO_BAR = 'Zm9vIGJhcg==';

type Case = readonly [input: string, output: string];

/** The `version` behind each shows by its answer that the session is not out of step. */
function expectReplies(cases: readonly Case[]): void {
  for (const [input, output] of cases) {
    const played = playAllWays(`${input}\r\nversion\r\n`, RECORDS);
    expect([input, played.output]).toEqual([input, `${output}${VERSION}`]);
  }
}

stopClocks();

describe('mg', () => {
  it('answers hits and misses', () => {
    expectReplies([
      ['mg a', 'HD\r\n'],
      ['mg b v', 'VA 4\r\nof b\r\n'],
      ['mg nope', 'EN\r\n'],
      ['mg nope v s t', 'EN\r\n'],
      ['  mg   b  v  ', 'VA 4\r\nof b\r\n'],
      ['mg a\tv', 'EN\r\n'],
      ['mg', 'ERROR\r\n'],
      ['mg  ', 'ERROR\r\n'],
      ['mgx a', 'ERROR\r\n'],
      ['mx a', 'ERROR\r\n'],
    ]);
  });

  it('lets each who misses with N win, as memcached the first one', () => {
    expectReplies([
      ['mg nope v N30', 'VA 0 W\r\n\r\n'],
      ['mg nope v f t c s h k O1 N30', 'VA 0 f0 t-1 c7 s0 h0 knope O1 W\r\n\r\n'],
      ['mg nope N30 k t', 'HD knope t30 W\r\n'],
      ['mg nope T9 N5 t', 'HD t5 W\r\n'],
      ['mg nope N0 t', 'HD t-1 W\r\n'],
      ['mg nope q N30', 'HD W\r\n'],
      ['mg bm9wZQ== b k N30 v', 'VA 0 kbm9wZQ== b W\r\n\r\n'],
      ['mg a v N30', 'VA 4\r\nof a\r\n'],
    ]);
  });

  it('reports what the flags ask for, in the order asked', () => {
    expectReplies([
      ['mg b s v t f c k Oabc h', 'VA 4 s4 t-1 f42 c7 kb Oabc h0\r\nof b\r\n'],
      ['mg b Oabc f k s', 'HD Oabc f42 kb s4\r\n'],
      ['mg b O', 'HD O\r\n'],
      ['mg nope O12 s k f', 'EN O12 knope\r\n'],
    ]);
  });

  it('reports the time since the data was loaded for the last access', () => {
    const { output } = play('mg a l\r\n', new MapStorage(RECORDS));
    const seconds = Number(/^HD l(\d+)\r\n$/.exec(output)?.[1]);
    expect(Math.abs(seconds - (Date.now() / 1000 - 1_700_000_000))).toBeLessThan(5);
  });

  it('says nothing of a miss under q, and all of a hit', () => {
    expectReplies([
      ['mg nope q', ''],
      ['mg nope q k O1', ''],
      ['mg b q', 'HD\r\n'],
      ['mg b v q k', 'VA 4 kb\r\nof b\r\n'],
    ]);
  });

  it('takes the flags that change items, and changes nothing', () => {
    expectReplies([
      ['mg a N30 T30 R30 I u P L Pxy', DUPLICATE],
      ['mg a N30 T30 R30 I u Pxy Lxy t', 'HD t-1\r\n'],
      ['mg nope N30 v', 'VA 0 W\r\n\r\n'],
      ['mg a C5 F7 D1 J1 MS', 'HD\r\n'],
    ]);
  });

  it('looks at the letter only of flags that have no token', () => {
    expectReplies([
      ['mg a vtail sx', 'VA 4 s4\r\nof a\r\n'],
      ['mg a kx', 'HD ka\r\n'],
    ]);
  });

  it('refuses unknown and repeated flags', () => {
    for (const flag of ['z', 'E5', 'S3', 'x', '1', '\x01', '~', '-', 'X', 'W', 'Z']) {
      expectReplies([[`mg a ${flag}`, INVALID]]);
    }
    expectReplies([
      ['mg a v v', DUPLICATE],
      ['mg a O1 O2', DUPLICATE],
      ['mg a \x7f', DUPLICATE],
      ['mg a \xe9', DUPLICATE],
      ['mg nope q z', INVALID],
    ]);
  });

  it('refuses bad tokens', () => {
    for (const flag of [
      'T',
      'Tx',
      'N',
      'N1x',
      'R',
      'R1.5',
      'C',
      'Cx',
      'C-1',
      `R${'9'.repeat(20)}`,
    ]) {
      expectReplies([[`mg a ${flag}`, BAD_TOKEN]]);
    }
    expectReplies([
      ['mg a T-5 N+5 R\t5 C18446744073709551615', 'HD\r\n'],
      ['mg a C18446744073709551616', BAD_TOKEN],
      ['mg a F', BAD_FORMAT],
      ['mg a F-1', BAD_FORMAT],
      ['mg a M', 'CLIENT_ERROR incorrect length for M token\r\n'],
      ['mg a Mset', 'CLIENT_ERROR incorrect length for M token\r\n'],
      ['mg a J', 'CLIENT_ERROR invalid numeric initial value\r\n'],
      ['mg a D-5', 'CLIENT_ERROR invalid numeric delta value\r\n'],
    ]);
  });

  it('speaks of the last bad token, but of an unknown flag before all', () => {
    expectReplies([
      ['mg a Tx Dx', 'CLIENT_ERROR invalid numeric delta value\r\n'],
      ['mg a Dx Tx', BAD_TOKEN],
      ['mg a Dx Fx', 'CLIENT_ERROR invalid numeric delta value\r\n'],
      ['mg a Tx z', INVALID],
      ['mg a Tx v v', DUPLICATE],
      [`mg a O${'1'.repeat(32)} Tx`, BAD_TOKEN],
    ]);
  });

  it('takes opaques of 31 bytes and no more', () => {
    expectReplies([
      [`mg a O${'1'.repeat(31)}`, `HD O${'1'.repeat(31)}\r\n`],
      [`mg a O${'1'.repeat(32)}`, TOO_LONG],
      [`mg nope q O${'1'.repeat(32)}`, TOO_LONG],
    ]);
  });

  it('takes seventeen flags and no more', () => {
    const flags = 'v t s f c k O q h u P L I N0 R0 T0 C5'.split(' ');
    expectReplies([
      [`mg b ${flags.join(' ')}`, 'VA 4 t-1 s4 f42 c7 kb O h0\r\nof b\r\n'],
      [`mg b ${flags.join(' ')} J1`, TOO_MANY],
      [`mg b ${'z '.repeat(17)}`, INVALID],
      [`mg b ${'z '.repeat(18)}`, TOO_MANY],
      [`mg b ${'z '.repeat(400)}`, TOO_MANY],
    ]);
  });

  it('takes keys of 250 bytes and no more', () => {
    expectReplies([
      [`mg ${'k'.repeat(250)}`, 'EN\r\n'],
      [`mg ${'k'.repeat(251)}`, BAD_FORMAT],
      [`mg ${'k'.repeat(251)} z`, BAD_FORMAT],
    ]);
  });

  it('takes keys in base64, and gives them back in base64', () => {
    expectReplies([
      [`mg ${FOO_BAR} b v`, 'VA 6\r\nspaced\r\n'],
      [`mg ${FOO_BAR} k b f`, `HD k${FOO_BAR} b f7\r\n`],
      ['mg Zm9v b k v', 'VA 5 kZm9v b\r\nplain\r\n'],
      ['mg bm9wZQ== b k O1', 'EN kbm9wZQ== b O1\r\n'],
      [`mg ${FOO_BAR} k`, `EN k${FOO_BAR}\r\n`],
    ]);
  });

  it('decodes base64 as loosely and as strictly as memcached', () => {
    expectReplies([
      ['mg Zm9v!IGJh\tcg== b k', `HD k${FOO_BAR} b\r\n`],
      ['mg Zm== b k', 'EN kZg== b\r\n'],
      ['mg =AAA b k', 'EN kAAA= b\r\n'],
      ['mg Zm9vZg==Zm9v b k', 'EN kZm9vZg== b\r\n'],
      ['mg Zm9vIGJhcg b', BAD_KEY],
      ['mg ==== b', BAD_KEY],
      ['mg Zm9v==== b', BAD_KEY],
      ['mg ! b', BAD_KEY],
      ['mg Zm9 b z', INVALID],
      ['mg Zm9 b b', DUPLICATE],
    ]);
  });

  it('answers a pipeline of quiet commands with its hits and the end', () => {
    const { output } = playAllWays(
      'mg a v q k\r\nmg nope v q k\r\nmg b v q k O2\r\nmg no q\r\nmn\r\n',
      RECORDS,
    );
    expect(output).toBe('VA 4 ka\r\nof a\r\nVA 4 kb O2\r\nof b\r\nMN\r\n');
  });

  it('sends large values, one after the other', () => {
    const large = (key: string, value: string): string =>
      `VA ${value.length} k${key}\r\n${value}\r\n`;
    const { output } = playAllWays('mg full v k\r\nmg 20k v k\r\nmg full v k\r\nmg a\r\n', RECORDS);
    const full = large('full', 'f'.repeat(REPLY_FULL_BYTES));
    expect(output === `${full}${large('20k', 'x'.repeat(20_000))}${full}HD\r\n`).toBe(true);
  });

  it('counts as get, and a hit with a time as a touch', () => {
    const { counters } = playAllWays(
      'mg a\r\nmg a v q\r\nmg nope q\r\nmg a T0\r\nmg nope T0\r\nmg a z\r\nmg\r\n',
      RECORDS,
    );
    expect([counters.cmd_get, counters.get_hits, counters.get_misses]).toEqual([4, 2, 2]);
    expect([counters.cmd_touch, counters.touch_hits, counters.touch_misses]).toEqual([1, 1, 0]);
    expect([counters.cmd_meta, counters.protocol_errors]).toEqual([0, 2]);
  });
});

describe('me', () => {
  it('reports what there is to know of a record', () => {
    for (const input of ['me b\r\n', 'me b x\r\n', 'me  b x b \r\n']) {
      const { output, counters } = play(input, new MapStorage(RECORDS));
      expect(output).toMatch(/^ME b exp=-1 la=\d+ cas=7 fetch=no cls=1 size=16\r\n$/);
      expect(counters.cmd_meta).toBe(1);
    }
  });

  it('takes a key in base64', () => {
    const { output } = play(`me ${FOO_BAR} b\r\nme Zm9v b x\r\n`, new MapStorage(RECORDS));
    expect(output).toMatch(new RegExp(`^ME ${FOO_BAR} exp=-1 .*\r\nME Zm9v exp=-1 .*\r\n$`));
  });

  it('answers a miss and what is no key', () => {
    expectReplies([
      ['me nope', 'EN\r\n'],
      ['me Zm9v bb', 'EN\r\n'],
      ['me', BAD_FORMAT],
      ['me  ', BAD_FORMAT],
      [`me ${'k'.repeat(250)}`, 'EN\r\n'],
      [`me ${'k'.repeat(251)}`, BAD_FORMAT],
      ['me foo b', BAD_FORMAT],
      ['me ==== b', BAD_FORMAT],
    ]);
  });
});
