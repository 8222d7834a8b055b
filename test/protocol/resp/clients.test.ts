import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../src/common/collect-garbage.ts';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import type { ConnectionPlace } from '../../../src/protocol/protocol.ts';
import { Reply } from '../../../src/protocol/reply.ts';
import { CLIENT_LIST_CHARS_MAX } from '../../../src/protocol/resp/client-list.ts';
import { COMMANDS } from '../../../src/protocol/resp/commands.ts';
import { respProtocol } from '../../../src/protocol/resp/resp.ts';
import { contextOf } from '../../support/session.ts';
import { tableOf } from '../../support/storages.ts';
import { type Bytes, type Parsed, parseReplies, req } from './harness.ts';

/** Bytes of this thread's heap, where strings are, behind a collection of its garbage. */
function heapInUse(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** A thread's clients: what one does, the others can list. */
function thread() {
  const context = contextOf(createSimpleHandler(tableOf([['a', 'of a']])));
  return (address = '127.0.0.1:1', extra: Partial<typeof context> = {}) => {
    const session = respProtocol.createSession({
      ...context,
      connection: () => ({
        address: `tcp:${address}`,
        listenAddress: '127.0.0.1:11211',
        state: 'conn_read',
        idleSeconds: 7,
      }),
      ...extra,
    });
    const raw = (request: Bytes): string => {
      const reply = new Reply();
      const input = Buffer.from(request);
      session.receive(input, 0, input.length, reply);
      return reply
        .take()
        .map((part) => part.toString('latin1'))
        .join('');
    };
    const ask = (line: string): Parsed => parseReplies(raw(req(...line.split(' '))))[0];
    return { session, ask, raw };
  };
}

/** The lines of CLIENT LIST as objects. */
function linesOf(answer: Parsed): readonly Record<string, string>[] {
  const lines = String(answer).replace(/^txt:/, '').split('\n').filter(Boolean);
  return lines.map((line) =>
    Object.fromEntries(line.split(' ').map((pair) => pair.split(/=(.*)/s))),
  );
}

/** A text that is no name, and how many clients send each request with it. */
const LONG_CHARS = 100_000;
const COPIES = 10;

/** The names that Redis 7.0.15 tells, in its order. */
const NAMES =
  'id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem ' +
  'rbs rbp obl oll omem tot-mem events cmd user redir resp';

describe('CLIENT LIST and INFO', () => {
  it('report of each client of the thread what it has said of itself and does', () => {
    const connect = thread();
    const [one, two, three] = [connect('127.0.0.1:41'), connect('[::1]:42'), connect()];
    one.ask('CLIENT SETNAME bob');
    two.ask('HELLO 3');
    two.ask('CLIENT TRACKING ON BCAST');
    three.ask('SUBSCRIBE __redis__:invalidate');
    one.ask('MULTI');
    one.ask('GET a');
    const lines = linesOf(two.ask('CLIENT LIST'));
    expect(Object.keys(lines[0]).join(' ')).toBe(NAMES);
    expect(lines).toMatchObject([
      {
        addr: '127.0.0.1:41',
        name: 'bob',
        flags: 'x',
        multi: '1',
        cmd: 'get',
        resp: '2',
        idle: '7',
      },
      { addr: '[::1]:42', laddr: '127.0.0.1:11211', flags: 'tB', redir: '0', resp: '3' },
      { flags: 'P', sub: '1', multi: '-1', cmd: 'subscribe', user: 'default' },
    ]);
    expect(linesOf(two.ask('CLIENT INFO'))).toMatchObject([
      { id: lines[1].id, cmd: 'client|info' },
    ]);
  });

  it('choose by type and by id, and forget who has gone', () => {
    const connect = thread();
    const [one, two] = [connect('127.0.0.1:41'), connect('127.0.0.1:42')];
    two.ask('SUBSCRIBE __redis__:invalidate');
    const addresses = (line: string) => linesOf(one.ask(line)).map(({ addr }) => addr);
    expect(addresses('CLIENT LIST TYPE normal')).toEqual(['127.0.0.1:41']);
    expect(addresses('CLIENT LIST TYPE PUBSUB')).toEqual(['127.0.0.1:42']);
    expect(addresses('CLIENT LIST TYPE master')).toEqual([]);
    const [{ id }] = linesOf(one.ask('CLIENT LIST TYPE pubsub'));
    expect(addresses(`CLIENT LIST ID ${id} 1`)).toEqual(['127.0.0.1:42']);
    two.session.close();
    expect(addresses('CLIENT LIST')).toEqual(['127.0.0.1:41']);
  });

  it('report who has logged in', () => {
    const one = thread()('127.0.0.1:41', { authenticate: (user) => user === 'bob' });
    one.ask('AUTH bob secret');
    expect(linesOf(one.ask('CLIENT INFO'))).toMatchObject([{ user: 'bob' }]);
  });

  it('report no client but those that are there, whatever one sends', () => {
    const connect = thread();
    const [one, two] = [connect('127.0.0.1:41'), connect('127.0.0.1:42')];
    const forged = 'x\nid=9 addr=127.0.0.1:43 name=forged cmd=get';
    for (const container of ['CLIENT', 'CONFIG', 'COMMAND', 'OBJECT', 'SLOWLOG', 'LATENCY']) {
      two.raw(req(container, forged));
      const lines = linesOf(one.ask('CLIENT LIST'));
      expect(lines, container).toHaveLength(2);
      expect(lines[1], container).toMatchObject({ cmd: container.toLowerCase() });
    }
    const texts = [
      [forged],
      ['HELLO', '3', 'SETNAME', forged],
      ['HELLO', '3', 'AUTH', forged, 'x'],
      ['CLIENT', 'SETNAME', forged],
      ['CLIENT', 'SETINFO', 'LIB-NAME', forged],
      ['CLIENT', 'help', forged],
      ['AUTH', forged, 'x'],
    ];
    for (const args of texts) two.raw(req(...args));
    expect(linesOf(one.ask('CLIENT LIST'))).toHaveLength(2);
    expect(String(one.ask('CLIENT LIST'))).not.toContain('forged');
  });

  it('report a user and a path in one field, whatever characters they have', () => {
    const authenticate = (): boolean => true;
    const one = thread()('127.0.0.1:41', { authenticate });
    one.raw(req('AUTH', Buffer.from('bob \u010a=x', 'utf8'), 'secret'));
    const connection = (): ConnectionPlace => ({
      address: 'unix',
      listenAddress: 'unix:/run/my db/\u010a',
      state: 'conn_read',
      idleSeconds: 0,
    });
    const two = thread()('', { connection });
    expect(linesOf(one.ask('CLIENT INFO'))).toMatchObject([{ user: 'bob%20%C4%8A=x' }]);
    const [line] = linesOf(two.ask('CLIENT INFO'));
    expect(line).toMatchObject({ addr: '/run/my%20db/%C4%8A:0', laddr: '/run/my%20db/%C4%8A:0' });
    expect(Object.keys(line).join(' ')).toBe(NAMES);
  });

  it('end when a thread has many clients', () => {
    const connect = thread();
    const clients = Array.from({ length: 1_000 }, () => connect());
    for (const { ask } of clients) ask(`CLIENT SETNAME ${'n'.repeat(256)}`);
    const answer = String(clients[0].ask('CLIENT LIST'));
    expect(answer.length).toBeGreaterThan(CLIENT_LIST_CHARS_MAX);
    expect(answer.length).toBeLessThan(CLIENT_LIST_CHARS_MAX + 1_000);
    expect(answer.endsWith('\n')).toBe(true);
  });
});

it('no long text that a client sent is kept with its connection', () => {
  const requestsOf = (text: string): readonly (readonly string[])[] => [
    ...[...COMMANDS.keys()].flatMap((name) => [
      [name, text],
      [name, 'a', text],
    ]),
    ['CLIENT', 'SETNAME', text],
    ['CLIENT', 'SETINFO', text, 'x'],
    ['CLIENT', 'LIST', 'TYPE', text],
    ['CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', text],
    ['CONFIG', 'GET', text],
    ['LATENCY', 'GRAPH', text],
    ['HELLO', '3', text],
    ['HELLO', '3', 'SETNAME', text],
    [text, text],
  ];
  const connect = thread();
  /** What clients take that have sent such requests. */
  const takenBy = (text: string): number => {
    const input = requestsOf(text).map((args) => req(...args));
    const before = heapInUse();
    const sessions = input.flatMap((request) =>
      Array.from({ length: COPIES }, () => {
        const client = connect();
        client.raw(request);
        return client.session;
      }),
    );
    const taken = heapInUse() - before;
    for (const session of sessions) session.close();
    return taken;
  };
  takenBy('x');
  // Something else may fill the heap meanwhile; what is kept is there each time.
  const more = [1, 2, 3].map(() => takenBy('x'.repeat(LONG_CHARS)) - takenBy('x'));
  expect(Math.min(...more)).toBeLessThan((COPIES / 2) * LONG_CHARS);
});
