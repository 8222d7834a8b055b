import { describe, expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { REPLY_FULL_BYTES } from '../../../src/protocol/reply.ts';
import { emptyStorage } from '../../../src/storage/empty.ts';
import { Conversation } from '../../support/session.ts';
import { MapStorage } from '../../support/storages.ts';

const NOTHING = Buffer.alloc(0);

/** A generation whose values fill a reply each, and tell which generation they are of. */
function generation(number: number): MapStorage {
  const value = String(number).repeat(REPLY_FULL_BYTES);
  return new MapStorage(
    ['a', 'b', 'c'].map((key) => [key, value]),
    number,
  );
}

function reply(keys: string, number: number): string {
  const value = String(number).repeat(REPLY_FULL_BYTES);
  const lines = [...keys].map((key) => `VALUE ${key} 0 ${value.length} ${number}\r\n${value}\r\n`);
  return `${lines.join('')}END\r\n`;
}

describe('a swap of the data', () => {
  it('is seen by the next command', () => {
    const handler = createSimpleHandler(emptyStorage);
    const conversation = new Conversation(handler);
    conversation.give(Buffer.from('gets a\r\n'));
    handler.swap(generation(1));
    conversation.give(Buffer.from('gets a\r\n'));
    handler.swap(generation(2));
    conversation.give(Buffer.from('gets a\r\n'));
    expect(conversation.played().output === `END\r\n${reply('a', 1)}${reply('a', 2)}`).toBe(true);
  });

  it('closes the old data at once when no command is under way', () => {
    const old = generation(1);
    const handler = createSimpleHandler(old);
    new Conversation(handler).give(Buffer.from('gets a\r\nget b'));
    handler.swap(generation(2));
    expect(old.isClosed).toBe(true);
  });

  it('does not mix generations in a reply under way, and closes the old one behind it', () => {
    const [first, second, third] = [1, 2, 3].map(generation);
    const handler = createSimpleHandler(first);
    const conversation = new Conversation(handler);
    conversation.giveOnce(Buffer.from('gets a b c\r\ngets a\r\n'));
    handler.swap(second);
    handler.swap(third);
    expect([first.isClosed, second.isClosed]).toEqual([false, true]);
    conversation.giveOnce(NOTHING);
    expect(first.isClosed).toBe(false);
    conversation.give(NOTHING);
    expect(first.isClosed).toBe(true);
    expect(third.isClosed).toBe(false);
    expect(conversation.played().output === reply('abc', 1) + reply('a', 3)).toBe(true);
  });

  it('waits for every client that is being answered', () => {
    const old = generation(1);
    const handler = createSimpleHandler(old);
    const conversations = [1, 2, 3].map(() => new Conversation(handler));
    for (const conversation of conversations) conversation.giveOnce(Buffer.from('gets a b\r\n'));
    handler.swap(generation(2));
    const closedAfter = conversations.map((conversation) => {
      conversation.give(NOTHING);
      return old.isClosed;
    });
    expect(closedAfter).toEqual([false, false, true]);
  });

  it('does not wait for a client that is gone', () => {
    const old = generation(1);
    const handler = createSimpleHandler(old);
    const conversation = new Conversation(handler);
    conversation.giveOnce(Buffer.from('gets a b c\r\n'));
    handler.swap(generation(2));
    conversation.session.close();
    expect(old.isClosed).toBe(true);
    expect(conversation.session.state).toBe('close');
    conversation.session.close();
  });

  it('does not wait for a client that was refused', () => {
    const old = generation(1);
    const handler = createSimpleHandler(old);
    const conversation = new Conversation(handler);
    conversation.give(Buffer.from(`get a b ${'k'.repeat(251)}\r\nget\r\nstats\r\n`));
    handler.swap(generation(2));
    expect(old.isClosed).toBe(true);
  });

  it('does not wait for a client whose command met a fault, once that client is gone', () => {
    const old = generation(1);
    const fault = (): never => {
      throw new Error('a fault of the storage');
    };
    const handler = createSimpleHandler({ info: old.info, get: fault, close: () => old.close() });
    const conversation = new Conversation(handler);
    expect(() => conversation.give(Buffer.from('get a\r\n'))).toThrow('a fault of the storage');
    handler.swap(generation(2));
    conversation.session.close();
    expect(old.isClosed).toBe(true);
  });
});
