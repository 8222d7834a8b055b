import process from 'node:process';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../../../src/common/collect-garbage.ts';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { Reply } from '../../../src/protocol/reply.ts';
import { respProtocol } from '../../../src/protocol/resp/resp.ts';
import { TRANSACTION_BYTES_MAX } from '../../../src/protocol/resp/transaction.ts';
import { BinaryConversation } from '../../support/binary.ts';
import { type TestRecord, tableOf } from '../../support/storages.ts';
import { bulk, playAllWays, req } from './harness.ts';

const RECORDS: readonly TestRecord[] = [
  ['a', 'one'],
  ['b', 'two'],
  ['large', 'x'.repeat(100_000)],
];
const ABORTED = '-EXECABORT Transaction discarded because of previous errors.\r\n';
const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';

/** Bytes of this thread, behind a collection of its garbage. */
function memoryInUse(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function play(...commands: readonly string[]): string {
  return playAllWays(
    commands.map((command) => req(...command.split(' '))),
    RECORDS,
  ).output;
}

describe('a transaction', () => {
  it('answers its commands when it is executed, in order', () => {
    expect(play('MULTI', 'GET a', 'mget b none', 'PING', 'STRLEN b', 'EXEC', 'GET a')).toBe(
      `${OK}${QUEUED.repeat(4)}*4\r\n${bulk('one')}*2\r\n${bulk('two')}$-1\r\n+PONG\r\n:3\r\n${bulk('one')}`,
    );
  });

  it('may be empty, and may be discarded', () => {
    expect(play('MULTI', 'EXEC')).toBe(`${OK}*0\r\n`);
    expect(play('MULTI', 'GET a', 'DISCARD', 'GET b')).toBe(`${OK}${QUEUED}${OK}${bulk('two')}`);
    expect(play('MULTI', 'GET a', 'RESET', 'GET b')).toBe(`${OK}${QUEUED}+RESET\r\n${bulk('two')}`);
  });

  it('of replies that are more than one is executed in parts', () => {
    const large = bulk('x'.repeat(100_000));
    expect(play('MULTI', 'MGET large large', 'GET large', 'EXEC', 'PING')).toBe(
      `${OK}${QUEUED}${QUEUED}*2\r\n*2\r\n${large}${large}${large}+PONG\r\n`,
    );
  });

  it.each([
    ['a write', 'SET a b', "-READONLY You can't write against a read only replica.\r\n"],
    ['a command that is not known', 'NOPE', /^-ERR unknown command/],
    ['a wrong number of arguments', 'GET', /^-ERR wrong number/],
  ])('with %s is not executed', (_, command, error) => {
    const output = play('MULTI', 'GET a', command, 'GET b', 'EXEC', 'GET a');
    const [, , told] = output.split(/(?<=\r\n)/);
    expect(told).toMatch(error);
    expect(output).toBe(`${OK}${QUEUED}${told}${QUEUED}${ABORTED}${bulk('one')}`);
  });

  it('takes errors of its commands as answers', () => {
    expect(play('MULTI', 'GETRANGE a x y', 'GET a', 'EXEC')).toBe(
      `${OK}${QUEUED}${QUEUED}*2\r\n-ERR value is not an integer or out of range\r\n${bulk('one')}`,
    );
  });

  it('is one at a time', () => {
    expect(play('EXEC')).toBe('-ERR EXEC without MULTI\r\n');
    expect(play('DISCARD')).toBe('-ERR DISCARD without MULTI\r\n');
    expect(play('MULTI', 'MULTI', 'WATCH a', 'GET a', 'EXEC')).toBe(
      `${OK}-ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not allowed\r\n` +
        `${QUEUED}*1\r\n${bulk('one')}`,
    );
  });

  it('has a limit, beyond which it is not executed', () => {
    const mget = req('MGET', 'x'.repeat(TRANSACTION_BYTES_MAX / 2));
    const conversation = new BinaryConversation(createSimpleHandler(tableOf([])), respProtocol);
    conversation.give(Buffer.concat([req('MULTI'), mget]));
    // What it keeps is told to the server, which has a limit for all of its clients.
    expect(conversation.session.heldBytes).toBeGreaterThanOrEqual(mget.length);
    expect(conversation.session.heldBytes).toBeLessThanOrEqual(TRANSACTION_BYTES_MAX);
    conversation.give(Buffer.concat([mget, req('EXEC')]));
    expect(conversation.played().output.toString()).toBe(
      `${OK}${QUEUED}-ERR the transaction is too large: at most 1048576 bytes of commands\r\n${ABORTED}`,
    );
    expect(conversation.session.heldBytes).toBe(0);
  });

  it('reports to the server the memory that it takes, also of many short commands', () => {
    const count = 70_000;
    const pings = Buffer.concat([req('MULTI'), ...Array(count).fill(req('PING'))]);
    const conversations = Array.from(
      { length: 10 },
      () => new BinaryConversation(createSimpleHandler(tableOf([])), respProtocol),
    );
    const before = memoryInUse();
    for (const { session } of conversations) {
      const reply = new Reply();
      for (let at = 0; at < pings.length; reply.reset()) {
        at += session.receive(pings, at, pings.length, reply);
      }
    }
    const taken = memoryInUse() - before;
    const told = conversations.reduce((sum, { session }) => sum + (session.heldBytes ?? 0), 0);
    expect(told).toBeGreaterThanOrEqual(10 * count * req('PING').length);
    expect(taken).toBeLessThan(told * 1.3);
    expect(told).toBeLessThanOrEqual(10 * TRANSACTION_BYTES_MAX);
  });

  it('sees one generation, also when another one is put into service meanwhile', () => {
    const handler = createSimpleHandler(tableOf(RECORDS));
    const conversation = new BinaryConversation(handler, respProtocol);
    conversation.give(req('MULTI'));
    for (const key of ['a', 'large', 'large', 'b']) conversation.give(req('GET', key));
    // Once: the reply is full behind the first large value.
    conversation.giveOnce(req('EXEC'));
    expect(conversation.session.isSuspended).toBe(true);
    handler.swap(tableOf([['b', 'other']]));
    conversation.give(req('GET', 'b'));
    const large = bulk('x'.repeat(100_000));
    const { output } = conversation.played();
    expect(output.toString()).toBe(
      `${OK}${QUEUED.repeat(4)}*4\r\n${bulk('one')}${large}${large}${bulk('two')}${bulk('other')}`,
    );
    expect(conversation.session.isSuspended).toBe(false);
  });

  it.each([
    ['WATCH a', '*-1\r\n'],
    ['WATCH a b', '*-1\r\n'],
    ['UNWATCH', `*1\r\n${bulk('new')}`],
  ])('after %s and a swap', (command, answer) => {
    const handler = createSimpleHandler(tableOf(RECORDS));
    const conversation = new BinaryConversation(handler, respProtocol);
    conversation.give(Buffer.concat([req(...command.split(' ')), req('MULTI'), req('GET', 'a')]));
    handler.swap(tableOf([['a', 'new']]));
    conversation.give(Buffer.concat([req('EXEC'), req('MULTI'), req('EXEC')]));
    expect(conversation.played().output.toString()).toBe(`${OK}${OK}${QUEUED}${answer}${OK}*0\r\n`);
  });

  it('may be typed', () => {
    const conversation = new BinaryConversation(
      createSimpleHandler(tableOf(RECORDS)),
      respProtocol,
    );
    conversation.give(Buffer.from('multi\r\nget a\r\nget large\r\nget b\r\nexec\r\nget b\r\n'));
    expect(conversation.played().output.toString()).toBe(
      `${OK}${QUEUED.repeat(3)}*3\r\n${bulk('one')}${bulk('x'.repeat(100_000))}${bulk('two')}${bulk('two')}`,
    );
  });

  it('frees the data when its client goes away in the middle', () => {
    let closed = 0;
    const table = tableOf(RECORDS);
    const handler = createSimpleHandler({
      info: table.info,
      get: table.get.bind(table),
      close: () => closed++,
    });
    const conversation = new BinaryConversation(handler, respProtocol);
    const gets = [req('GET', 'large'), req('GET', 'large')];
    conversation.give(Buffer.concat([req('MULTI'), ...gets]));
    conversation.giveOnce(req('EXEC'));
    handler.swap(tableOf([]));
    expect(closed).toBe(0);
    conversation.session.close();
    expect(closed).toBe(1);
  });
});
