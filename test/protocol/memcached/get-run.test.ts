import { describe, expect, it, vi } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { TextSession } from '../../../src/protocol/memcached/session.ts';
import { REPLY_FULL_BYTES, Reply } from '../../../src/protocol/reply.ts';
import { BATCH_KEYS_MAX } from '../../../src/storage/storage.ts';
import { Random } from '../../support/random-bytes.ts';
import { contextOf, play, playAllWays } from '../../support/session.ts';
import { type TestRecord, tableOf } from '../../support/storages.ts';

const RECORDS: readonly TestRecord[] = [
  ...Array.from({ length: 40 }, (_, i): TestRecord => [`key ${i}`.replace(' ', ':'), `value ${i}`]),
  ['a\rb', 'with a CR'],
  ['k'.repeat(250), 'of the longest key'],
];

/** Commands, most of them plain gets. */
function randomLines(random: Random, count: number): string {
  const odd = [
    ...['get  key:1\r\n', 'get key:1 \r\n', 'get key:1\n', 'get a\rb\r\n', 'get \r\n', 'get\r\n'],
    ...[
      'gets key:1\r\n',
      'get key:1 key:2 none\r\n',
      'gat 0 key:3\r\n',
      'mg key:4 v\r\n',
      'mn\r\n',
    ],
    ...[
      'version\r\n',
      'GET key:1\r\n',
      'get\tkey:1\r\n',
      '\r\n',
      ' get key:2\r\n',
      'set x 0 0 1\r\ny\r\n',
    ],
    ...[
      `get ${'k'.repeat(250)}\r\n`,
      `get ${'k'.repeat(251)}\r\n`,
      'get key:1\r\r\n',
      'get key\0\r\n',
    ],
  ];
  return Array.from({ length: count }, () =>
    random.below(6) === 0 ? odd[random.below(odd.length)] : `get key:${random.below(60)}\r\n`,
  ).join('');
}

/** Meta commands, most of them gets. */
function randomMetaLines(random: Random, count: number): string {
  const flags = [' v', ' v k q', ' s v f c', ' q', ' k Oabc v', '', ' v ', '  v q', ' q k t h'];
  const odd = [
    ...['mg a2V5OjE= b k v\r\n', 'mg a2V5OjE= v\r\n', 'mg key:1 v v\r\n', 'mg key:1 ?\r\n'],
    ...['mg key:1 v\n', 'mg a\rb v k\r\n', 'mg a\rb\r\n', 'mg  key:1 v\r\n', 'mg key:1 v\r\r\n'],
    ...[
      'mg\r\n',
      'mg \r\n',
      'mg key:1\tv\r\n',
      'mn\r\n',

      'md key:1\r\n',
      'mg key:1 T9\r\n',
    ],
    ...['get key:3\r\n', 'get key:3\r\nget key:4\r\n', 'version\r\n', '\r\n', 'mgx key:1 v\r\n'],
    ...[`mg ${'k'.repeat(250)} k v\r\n`, `mg ${'k'.repeat(251)} v\r\n`],
    ...[`mg key:1 O${'o'.repeat(31)} v\r\n`, `mg key:1 v${' '.repeat(80)}k\r\n`],
  ];
  return Array.from({ length: count }, () =>
    random.below(6) === 0
      ? odd[random.below(odd.length)]
      : `mg key:${random.below(60)}${flags[random.below(flags.length)]}\r\n`,
  ).join('');
}

describe('meta gets that come together', () => {
  it('are looked for side by side', () => {
    const table = tableOf(RECORDS);
    const locate = vi.spyOn(table.batch!, 'locate');
    const count = BATCH_KEYS_MAX + 2;
    const input = `${'mg key:1 v k q\r\nmg none q\r\n'.repeat(count / 2)}mn\r\n`;
    const { output, counters } = play(input, table);
    expect(output).toBe(`${'VA 7 kkey:1\r\nvalue 1\r\n'.repeat(count / 2)}MN\r\n`);
    expect(counters).toMatchObject({ cmd_get: count, get_hits: count / 2, get_misses: count / 2 });
    expect(locate).toHaveBeenCalledTimes(2);
  });

  it('end with the input, whatever lies behind it in memory', () => {
    const context = contextOf(createSimpleHandler(tableOf(RECORDS)));
    const input = 'mg key:1 v\r\nmg key:2\r\nmg key:3 v\r\n';
    for (let end = 0; end < input.length; end++) {
      const whole = input.slice(0, end).lastIndexOf('\n') + 1;
      const session = new TextSession(context);
      expect(session.receive(Buffer.from(input), 0, end, new Reply())).toBe(whole);
    }
  });

  it.each([1, 2, 3, 4])('are answered as one by one, whatever is among them (%i)', (seed) => {
    const input = randomMetaLines(new Random(seed), 150);
    const { output } = playAllWays(input, RECORDS);
    const alone = input.match(/[^\n]*\n/g)!;
    expect(alone.map((line) => play(line, tableOf(RECORDS)).output).join('')).toBe(output);
  });
});

describe('plain gets that come together', () => {
  it('are looked for side by side', () => {
    const table = tableOf(RECORDS);
    const locate = vi.spyOn(table.batch!, 'locate');
    const count = BATCH_KEYS_MAX + 2;
    const { output, counters } = play('get key:1\r\nget none\r\n'.repeat(count / 2), table);
    expect(output).toBe('VALUE key:1 0 7\r\nvalue 1\r\nEND\r\nEND\r\n'.repeat(count / 2));
    expect(counters).toMatchObject({ cmd_get: count, get_hits: count / 2, get_misses: count / 2 });
    expect(locate).toHaveBeenCalledTimes(2);
  });

  it('end with the input, whatever lies behind it in memory', () => {
    const context = contextOf(createSimpleHandler(tableOf(RECORDS)));
    const input = 'get key:1\r\nget key:2\r\nget key:3\r\n';
    for (let end = 0; end < input.length; end++) {
      const whole = input.slice(0, end).lastIndexOf('\n') + 1;
      const session = new TextSession(context);
      expect(session.receive(Buffer.from(input), 0, end, new Reply())).toBe(whole);
    }
  });

  it.each([1, 2, 3, 4])('are answered as one by one, whatever is among them (%i)', (seed) => {
    const input = randomLines(new Random(seed), 150);
    const { output } = playAllWays(input, RECORDS);
    // Each command by itself, as it would come from a client that waits for the reply.
    const alone = input.match(/set[^\n]*\n[^\n]*\n|[^\n]*\n/g)!;
    expect(alone.map((line) => play(line, tableOf(RECORDS)).output).join('')).toBe(output);
  });

  it('stop when the reply is full, and go on behind what was answered', () => {
    const value = 'v'.repeat(REPLY_FULL_BYTES / 2);
    const records: readonly TestRecord[] = [
      ['a', value],
      ['b', value],
      ['c', value],
    ];
    const { output } = playAllWays('get a\r\nget b\r\nget none\r\nget c\r\nget a\r\n', records);
    const hit = (key: string): string => `VALUE ${key} 0 ${value.length}\r\n${value}\r\nEND\r\n`;
    expect(output === `${hit('a')}${hit('b')}END\r\n${hit('c')}${hit('a')}`).toBe(true);
  });
});
