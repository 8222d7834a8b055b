import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../src/common/collect-garbage.ts';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { tableOf } from '../../support/storages.ts';
import { bulk, conversationOn, req } from './harness.ts';

const NEWS = '>2\r\n$10\r\ninvalidate\r\n_\r\n';
const CHANNEL = '__redis__:invalidate';
const MESSAGE = `*3\r\n$7\r\nmessage\r\n$20\r\n${CHANNEL}\r\n$-1\r\n`;
const OK = '+OK\r\n';

/** Fills a reply, so that an EXEC needs several. */
const LARGE = 'x'.repeat(100_000);

/** A client and what it is served from. */
function connect() {
  const handler = createSimpleHandler(
    tableOf([
      ['large', LARGE],
      ['a', 'old'],
    ]),
  );
  const conversation = conversationOn(handler);
  const { session } = conversation;
  let seen = 0;
  /** What came since this was asked last. */
  const heard = (): string => {
    const output = conversation.played().output.toString('latin1');
    const news = output.slice(seen);
    seen = output.length;
    return news;
  };
  const requests = (lines: readonly string[]): Buffer =>
    Buffer.concat(lines.map((line) => req(...line.split(' '))));
  const ask = (...lines: readonly string[]): string => {
    conversation.give(requests(lines));
    return heard();
  };
  const id = ask('CLIENT ID').slice(1, -2);
  /** Has an EXEC of these commands swapped under: it stops within the first of them. */
  const swapUnder = (...lines: readonly string[]): string => {
    ask('MULTI', 'MGET large large', ...lines.map((line) => line.replace('<id>', id)));
    conversation.giveOnce(requests(['EXEC']));
    expect(session.isSuspended).toBe(true);
    swapHere();
    swapEverywhere();
    conversation.give(Buffer.alloc(0));
    const output = heard();
    const head = `*${lines.length + 1}\r\n*2\r\n${bulk(LARGE)}${bulk(LARGE)}`;
    expect(output.startsWith(head)).toBe(true);
    return output.slice(head.length);
  };
  /** As a connection does that is told: it calls when there is news, and not otherwise. */
  const wake = (): void => {
    if (session.hasNews) conversation.give(Buffer.alloc(0));
  };
  const swapHere = (): void => {
    handler.swap(
      tableOf([
        ['large', LARGE],
        ['a', 'new'],
      ]),
    );
    session.noteSwap?.();
    if (!session.isSuspended) wake();
  };
  const swapEverywhere = (): void => {
    session.noteSwapEverywhere?.();
    if (!session.isSuspended) wake();
  };
  const swap = (): string => {
    swapHere();
    swapEverywhere();
    return heard();
  };
  return { session, ask, id, swapUnder, swapHere, swapEverywhere, swap, heard };
}

describe('a swap under an EXEC', () => {
  it.each([
    ['turns tracking on', ['CLIENT TRACKING ON', 'GET a'], `${OK}${bulk('old')}`],
    [
      'turns it off and on again',
      ['CLIENT TRACKING ON', 'CLIENT TRACKING OFF', 'CLIENT TRACKING ON', 'GET a'],
      `${OK}${OK}${OK}${bulk('old')}`,
    ],
    [
      'has the client told that redirects to itself',
      ['CLIENT TRACKING ON REDIRECT <id>', 'GET a'],
      `${OK}${bulk('old')}`,
    ],
  ])('that %s is told behind it, as the old data was answered', (_, lines, answer) => {
    const { ask, swapUnder } = connect();
    ask('HELLO 3');
    expect(swapUnder(...lines)).toBe(answer + NEWS);
    expect(ask('GET a')).toBe(bulk('new'));
  });

  it('that has a client of RESP2 subscribe is notified behind it', () => {
    const { ask, swapUnder } = connect();
    const subscribed = `*3\r\n$9\r\nsubscribe\r\n$20\r\n${CHANNEL}\r\n:1\r\n`;
    const lines = [`SUBSCRIBE ${CHANNEL}`, 'CLIENT TRACKING ON REDIRECT <id>', 'GET a'];
    expect(swapUnder(...lines)).toBe(`${subscribed}${OK}${bulk('old')}${MESSAGE}`);
    expect(ask('RESET', 'GET a')).toBe(`+RESET\r\n${bulk('new')}`);
  });

  it('that turns tracking off is not notified, nor later when it is on again', () => {
    const { ask, swapUnder } = connect();
    ask('HELLO 3', 'CLIENT TRACKING ON');
    expect(swapUnder('GET a', 'CLIENT TRACKING OFF')).toBe(`${bulk('old')}${OK}`);
    expect(ask('CLIENT TRACKING ON', 'GET a')).toBe(`${OK}${bulk('new')}`);
  });

  it('that has a client of RESP2 unsubscribe is not notified, nor later when it subscribes again', () => {
    const { ask, swapUnder } = connect();
    const of = (what: string, count: number): string =>
      `*3\r\n$${what.length}\r\n${what}\r\n$20\r\n${CHANNEL}\r\n:${count}\r\n`;
    // What is queued before it has subscribed is not refused.
    expect(swapUnder(`SUBSCRIBE ${CHANNEL}`, `UNSUBSCRIBE ${CHANNEL}`)).toBe(
      of('subscribe', 1) + of('unsubscribe', 0),
    );
    expect(ask(`SUBSCRIBE ${CHANNEL}`)).toBe(of('subscribe', 1));
  });

  it('that changes to RESP2 is not notified there, where no push is known', () => {
    const { ask, swapUnder } = connect();
    ask('HELLO 3', 'CLIENT TRACKING ON');
    expect(swapUnder('HELLO 2')).not.toContain('invalidate');
  });
});

describe('a client of RESP2', () => {
  it('that redirects to itself is not notified, until it has subscribed', () => {
    const { ask, id, swap } = connect();
    expect(ask(`CLIENT TRACKING ON REDIRECT ${id}`, 'GET a')).toBe(`${OK}${bulk('old')}`);
    expect(swap()).toBe('');
    expect(ask('PING')).toBe('+PONG\r\n');
    // Not even of that swap when it subscribes: nothing old can come any more.
    expect(ask(`SUBSCRIBE ${CHANNEL}`)).not.toContain('message');
    expect(swap()).toBe(MESSAGE);
  });

  it('that has tracked in RESP3 tracks on, as in Redis, and is notified when it is back there', () => {
    const { ask, swap } = connect();
    ask('HELLO 3', 'CLIENT TRACKING ON', 'HELLO 2');
    expect(swap()).toBe('');
    expect(ask('CLIENT GETREDIR')).toBe(':0\r\n');
    expect(ask('HELLO 3').endsWith(`modules\r\n*0\r\n${NEWS}`)).toBe(true);
    expect(ask('PING')).toBe('+PONG\r\n');
    expect(swap()).toBe(NEWS);
    ask('HELLO 2');
    expect(swap()).toBe('');
    ask('CLIENT TRACKING OFF');
    expect(ask('HELLO 3')).not.toContain(NEWS);
  });
});

it('who tracks for itself is notified by its own thread, who has subscribed by all of them', () => {
  const [tracker, subscriber, both] = [connect(), connect(), connect()];
  tracker.ask('HELLO 3', 'CLIENT TRACKING ON');
  subscriber.ask(`SUBSCRIBE ${CHANNEL}`);
  both.ask('HELLO 3', `SUBSCRIBE ${CHANNEL}`, 'CLIENT TRACKING ON');
  for (const { swapHere } of [tracker, subscriber, both]) swapHere();
  expect([tracker, subscriber, both].map(({ heard }) => heard())).toEqual([NEWS, '', NEWS]);
  for (const { swapEverywhere } of [tracker, subscriber, both]) swapEverywhere();
  expect([tracker, subscriber, both].map(({ heard }) => heard())).toEqual(['', MESSAGE, NEWS]);
});

it('who resets the connection is not notified any more', () => {
  const { ask, swap } = connect();
  ask('HELLO 3', 'CLIENT TRACKING ON', `SUBSCRIBE ${CHANNEL}`, 'RESET');
  expect(swap()).toBe('');
});

it('who redirects to another connection is not notified, in RESP3 either', () => {
  const { ask, swap } = connect();
  // Of another thread: nobody checks whether it is there.
  ask('HELLO 3', 'CLIENT TRACKING ON REDIRECT 5999');
  expect(ask('CLIENT GETREDIR')).toBe(':5999\r\n');
  expect(swap()).toBe('');
});

it('reports to the server the memory that its prefixes take, until they are gone', () => {
  const prefixes = (bytes: number): string =>
    Array.from({ length: 60 }, (_, i) => ` PREFIX ${`${i}`.padStart(bytes, '-')}`).join('');
  const handler = createSimpleHandler(tableOf([]));
  // The first time sets up what all share.
  for (const [count, bytes] of [
    [10, 20],
    [2_000, 20],
    [100, 1_000],
  ]) {
    const track = `CLIENT TRACKING ON BCAST${prefixes(bytes)}`;
    const input = Buffer.concat([req('HELLO', '3'), req(...track.split(' '))]);
    const clients = Array.from({ length: count }, () => conversationOn(handler));
    for (const client of clients) client.give(req('PING'));
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (const client of clients) client.give(input);
    collectGarbage();
    const taken = process.memoryUsage().heapUsed - before;
    const told = clients.reduce((sum, { session }) => sum + (session.heldBytes ?? 0), 0);
    expect(told).toBeGreaterThanOrEqual(count * 60 * bytes);
    expect(told).toBeLessThanOrEqual(count * 60 * (bytes + 32));
    if (count > 10) expect(taken).toBeLessThan(told * 1.3);
  }
  const { ask, session } = connect();
  for (const end of ['RESET', 'CLIENT TRACKING OFF']) {
    ask('HELLO 3', `CLIENT TRACKING ON BCAST${prefixes(1_000)}`);
    expect(session.heldBytes).toBeGreaterThan(60_000);
    ask(end);
    expect(session.heldBytes).toBe(0);
  }
});

describe('tracking is refused, and stays as it was,', () => {
  it.each([
    ['CLIENT TRACKING x', /^-ERR syntax error/],
    ['CLIENT TRACKING ON x', /^-ERR syntax error/],
    ['CLIENT TRACKING ON REDIRECT', /^-ERR syntax error/],
    ['CLIENT TRACKING ON REDIRECT x', /^-ERR value is not an integer/],
    ['CLIENT TRACKING ON REDIRECT 9', /^-ERR The client ID you want redirect to/],
    ['CLIENT TRACKING ON REDIRECT <id> REDIRECT <id>', /^-ERR A client can only redirect to a/],
    ['CLIENT TRACKING ON PREFIX a', /^-ERR PREFIX option requires BCAST/],
    ['CLIENT TRACKING ON BCAST', /^-ERR You can't switch BCAST mode/],
    ['CLIENT TRACKING ON OPTIN OPTOUT', /^-ERR You can't specify both/],
    ['CLIENT TRACKING ON OPTOUT', /^-ERR You can't switch OPTIN\/OPTOUT mode/],
    ['CLIENT CACHING x', /^-ERR syntax error/],
    ['CLIENT CACHING NO', /^-ERR CLIENT CACHING NO is only valid when .* OPTOUT mode/],
  ])('by %s', (line, refusal) => {
    const { ask } = connect();
    const id = ask('CLIENT ID').slice(1, -2);
    ask('HELLO 3');
    expect(ask('CLIENT TRACKING ON OPTIN', 'CLIENT CACHING YES')).toBe(OK + OK);
    const before = ask('CLIENT TRACKINGINFO');
    expect(ask(line.replaceAll('<id>', id))).toMatch(refusal);
    expect(ask('CLIENT TRACKINGINFO')).toBe(before);
  });

  it('for prefixes with OPTIN, and for CACHING without tracking', () => {
    const { ask } = connect();
    ask('HELLO 3');
    expect(ask('CLIENT TRACKING ON BCAST OPTIN')).toMatch(/^-ERR OPTIN and OPTOUT are not/);
    expect(ask('CLIENT CACHING YES')).toMatch(/^-ERR CLIENT CACHING can be called only when/);
  });
});
