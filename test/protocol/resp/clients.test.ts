import { describe, expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { Reply } from '../../../src/protocol/reply.ts';
import { CLIENT_LIST_CHARS_MAX } from '../../../src/protocol/resp/client-list.ts';
import { respProtocol } from '../../../src/protocol/resp/resp.ts';
import { contextOf } from '../../support/session.ts';
import { tableOf } from '../../support/storages.ts';
import { type Bytes, type Parsed, parseReplies, req } from './harness.ts';

/** A thread's clients: what one does, the others can list. */
function thread() {
  const context = contextOf(createSimpleHandler(tableOf([['a', 'of a']])));
  return (address = '127.0.0.1:1', extra: Partial<typeof context> = {}) => {
    const session = respProtocol.createSession({
      ...context,
      ...extra,
      connection: () => ({
        address: `tcp:${address}`,
        listenAddress: '127.0.0.1:11211',
        state: 'conn_read',
        idleSeconds: 7,
      }),
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
    return { session, ask };
  };
}

/** The lines of CLIENT LIST as objects. */
function linesOf(answer: Parsed): readonly Record<string, string>[] {
  const lines = String(answer).replace(/^txt:/, '').split('\n').filter(Boolean);
  return lines.map((line) =>
    Object.fromEntries(line.split(' ').map((pair) => pair.split(/=(.*)/s))),
  );
}

/** The names that Redis 7.0.15 tells, in its order. */
const NAMES =
  'id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem ' +
  'rbs rbp obl oll omem tot-mem events cmd user redir resp';

describe('CLIENT LIST and INFO', () => {
  it('tell of each client of the thread what it has said of itself and does', () => {
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

  it('tell who has logged in', () => {
    const one = thread()('127.0.0.1:41', { authenticate: (user) => user === 'bob' });
    one.ask('AUTH bob secret');
    expect(linesOf(one.ask('CLIENT INFO'))).toMatchObject([{ user: 'bob' }]);
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
