/**
 * Plays generated reading sessions to a real memcached and to this server, which hold the same
 * data, and compares the bytes that come back. What may differ is in `intended-differences.ts`.
 *
 * SEED=<number> plays another set of sessions; a failure tells the seed it was found with.
 */
import process from 'node:process';
import { createServer, type Server } from 'goromdb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../support/random-bytes.ts';
import { split } from '../support/session.ts';
import { loadCommands, type ReferenceRecord, referenceRecords, storageOf } from './data-set.ts';
import { type Exchange, Generator } from './generate.ts';
import { normalize } from './intended-differences.ts';

import { type Answered, play } from './player.ts';
import { type ServerProcess, startMemcached } from './server-process.ts';

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const SESSIONS = 480;
const EXCHANGES_A_SESSION = 250;
const SESSIONS_AT_ONCE = 4;
const PIECE_BYTES = [1_000_000, 20_000, 3_000, 200, 40];
const LINE_BYTES_SPLIT_MAX = 60_000;

const records: readonly ReferenceRecord[] = referenceRecords();
let memcached: ServerProcess;
let server: Server;
let port = 0;

interface Both {
  readonly theirs: Answered;
  readonly ours: Answered;
}

beforeAll(async () => {
  process.stdout.write(`differential test with SEED=${SEED}\n`);
  memcached = await startMemcached();
  const tail = 'EN Oloaded\r\n';
  const load = [loadCommands(records), Buffer.from('mg never Oloaded\r\n')];
  const { output } = await play(memcached.port, load, tail);
  expect(output.toString('latin1')).toMatch(/^((STORED|HD)\r\n)+EN Oloaded\r\n$/);
  server = createServer({ storage: storageOf(records) });
  const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  port = address.kind === 'tcp' ? address.port : 0;
});

afterAll(async () => {
  await server?.close();
  await memcached?.stop();
});

/** Plays the same pieces to both servers. */
async function playBoth(pieces: readonly Buffer[], tail: string | undefined): Promise<Both> {
  const [theirs, ours] = await Promise.all([
    play(memcached.port, pieces, tail),
    play(port, pieces, tail),
  ]);
  return { theirs, ours };
}

/** Plays commands that leave the connection open; the last reply tells that all are answered. */
function playOpen(exchanges: readonly Exchange[], name: string, random: Random): Promise<Both> {
  const input = Buffer.from(`${exchanges.join('')}mg never Oend${name}\r\n`, 'latin1');
  const bytes = PIECE_BYTES[random.below(PIECE_BYTES.length)];
  const pieces = split(input, random, input.length > LINE_BYTES_SPLIT_MAX ? 20_000 : bytes);
  return playBoth(pieces, `EN Oend${name}\r\n`);
}

/** Plays commands and tells what differs, if anything does. */
async function differenceOf(
  exchanges: readonly Exchange[],
  name: string,
  random: Random,
): Promise<string | undefined> {
  const { theirs, ours } = await playOpen(exchanges, name, random);
  const [expected, found] = [normalize(theirs.output), normalize(ours.output)];
  if (expected === found) return undefined;
  return describeDifference(exchanges.join(''), expected, found);
}

/** Leaves out commands for as long as the others still make a difference. */
async function findCulprits(exchanges: readonly Exchange[], random: Random): Promise<string> {
  let kept = exchanges;
  let difference = 'nothing differs when the session is played again';
  for (
    let size = Math.ceil(kept.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let at = 0; at < kept.length; ) {
      const fewer = kept.toSpliced(at, size);
      const found = await differenceOf(fewer, 'again', random);
      if (found === undefined) {
        at += size;
      } else {
        kept = fewer;
        difference = found;
      }
    }
  }
  return difference;
}

function describeDifference(input: string, expected: string, found: string): string {
  let at = 0;
  while (expected[at] === found[at]) at++;
  const around = (text: string): string =>
    JSON.stringify(text.slice(Math.max(0, at - 80), at + 120));
  return `${JSON.stringify(input.slice(0, 300))}\n  memcached: ${around(expected)}\n  here:      ${around(found)}`;
}

async function compareSession(generator: Generator, name: string, random: Random): Promise<void> {
  const exchanges = generator.session(EXCHANGES_A_SESSION);
  const difference = await differenceOf(exchanges, name, random);
  if (difference === undefined) return;
  const culprits = await findCulprits(exchanges, random);
  throw new Error(`SEED=${SEED}, session ${name}: ${difference}\n\nFewest commands: ${culprits}`);
}

describe('this server answers as memcached does', () => {
  it('in generated sessions', async () => {
    const random = new Random(SEED);
    const generator = new Generator(random, records);
    for (let session = 0; session < SESSIONS; session += SESSIONS_AT_ONCE) {
      const names = Array.from({ length: SESSIONS_AT_ONCE }, (_, i) => `s${session + i}`);
      await Promise.all(names.map((name) => compareSession(generator, name, random)));
    }
    process.stdout.write(`compared ${SESSIONS * EXCHANGES_A_SESSION} exchanges\n`);
  });

  it('byte by byte', async () => {
    const random = new Random(SEED + 1);
    const generator = new Generator(random, records);
    for (let session = 0; session < 30; session++) {
      const input = Buffer.from(`${generator.session(6).join('')}mg never Obytes\r\n`, 'latin1');
      const pieces = split(input.subarray(-1500), random, 1);
      const { theirs, ours } = await playBoth(pieces, 'EN Obytes\r\n');
      expect(normalize(ours.output)).toBe(normalize(theirs.output));
    }
  });

  it('when the connection ends', async () => {
    const ends = [
      'quit\r\nversion\r\n',
      'quit now\r\n',
      'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
      'bx y HTTP/1.1\r\n',
      'mxx HTTP/1.1\r\n',
      'HTTP/1.1\r\n',
      'mg size100 v\r\nquit\r\n',
      `${'x'.repeat(40_000)}`,
      `bx ${'c '.repeat(21)}HTTP/1\r\n`,
    ];
    for (const end of ends) {
      const input = Buffer.from(`get size1000 a\r\n${end}`, 'latin1');
      const { theirs, ours } = await playBoth([input], undefined);
      expect([end, ours.isClosed]).toEqual([end, theirs.isClosed]);
      expect(normalize(ours.output)).toBe(normalize(theirs.output));
    }
  });
});

/** The numbers of `stats` of a server. */
async function statsOf(at: number): Promise<ReadonlyMap<string, number>> {
  const { output } = await play(at, [Buffer.from('stats\r\n')], 'END\r\n');
  const lines = output.toString('latin1').matchAll(/^STAT (\S+) (\S+)\r$/gm);
  return new Map([...lines].map(([, name, value]) => [name, Number(value)]));
}

describe('this server counts as memcached does', () => {
  const NAMES = [
    'cmd_get',
    'cmd_set',
    'cmd_touch',
    'cmd_meta',
    'cmd_flush',
    'get_hits',
    'get_misses',
    'touch_hits',
    'touch_misses',
    'delete_misses',
    'incr_misses',
    'decr_misses',
    'total_connections',
  ];

  it.each([
    'get a never a\r\ngets a\r\nget\r\n',
    `get a never ${'k'.repeat(251)}\r\n`,
    'gat 0 a never\r\ngats 0 a\r\ngat x a\r\ngat 0\r\n',
    'mg a v\r\nmg never v q\r\nmg a T0\r\nmg never T0\r\nmg a z\r\nmn\r\n',
    'me a\r\nme never\r\nme\r\n',
    'incr never 1\r\ndecr never 1\r\ndelete never\r\ntouch never 0\r\nmd never\r\nma never\r\n',
    'ma never MD\r\nms w 1\r\na\r\nset w 0 0 1\r\na\r\nappend w 0 0 1 noreply\r\na\r\nflush_all\r\n',
  ])('%j', async (input) => {
    const counted = async (at: number): Promise<readonly (number | string)[][]> => {
      const before = await statsOf(at);
      await play(at, [Buffer.from(`${input}mn x\r\n`)], 'MN\r\n');
      const after = await statsOf(at);
      return NAMES.map((name) => [name, after.get(name)! - before.get(name)!]);
    };
    expect(await counted(port)).toEqual(await counted(memcached.port));
  });
});

describe('this server lists its keys as memcached does', () => {
  const dump = async (at: number, classes: string): Promise<readonly string[]> => {
    const input = Buffer.from(`lru_crawler metadump ${classes}\r\n`);
    const { output } = await play(at, [input], classes.length > 2 ? 'END\r\n' : '\r\n');
    const text = output.toString('latin1');
    const numbers = / la=\d+ cas=\d+ fetch=(yes|no) cls=\d+ size=\d+$/gm;
    // Writes are kept by memcached alone.
    const lines = text.replace(numbers, '').split('\n');
    return lines.filter((line) => !/^key=w\d* /.test(line)).sort();
  };

  it('in metadump', async () => {
    expect(await dump(port, 'all')).toEqual(await dump(memcached.port, 'all'));
    expect((await dump(port, 'hash')).length).toBe(records.length + 2);
  });

  it('with the same complaint about classes', async () => {
    for (const classes of ['0', 'x', '64', '1,']) {
      if (classes === '1,') continue;
      expect(await dump(port, classes)).toEqual(await dump(memcached.port, classes));
    }
  });
});
