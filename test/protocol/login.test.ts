import { expect, it } from 'vitest';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { createLoginSession } from '../../src/protocol/login.ts';
import type { Session } from '../../src/protocol/protocol.ts';
import { Reply } from '../../src/protocol/reply.ts';
import { contextOf } from '../support/session.ts';
import { tableOf } from '../support/storages.ts';

/** A protocol of somebody else's that tells each swap, and does not know of logins. */
class TellingSession implements Session {
  readonly state = 'open';
  #news = '';

  get hasNews(): boolean {
    return this.#news !== '';
  }

  noteSwap(): void {
    this.#news += 'swapped\n';
  }

  noteSwapEverywhere(): void {
    this.#news += 'swapped everywhere\n';
  }

  receive(_: Buffer, start: number, end: number, reply: Reply): number {
    reply.text(this.#news);
    this.#news = '';
    return end - start;
  }

  close(): void {}
}

it('a session behind a login is notified of swaps, and may notify its client without being asked', () => {
  const authenticate = (user: string, password: string): boolean => user + password === 'bobsecret';
  const context = contextOf(createSimpleHandler(tableOf([])), { authenticate });
  const session = createLoginSession(context, () => new TellingSession());
  const say = (text: string): string => {
    const reply = new Reply();
    session.receive(Buffer.from(text), 0, text.length, reply);
    return Buffer.concat(reply.take()).toString();
  };
  session.noteSwap?.();
  expect(session.hasNews).toBe(false);
  expect(say('set x 0 0 10\r\nbob secret\r\n')).toBe('STORED\r\n');
  session.noteSwap?.();
  expect(session.hasNews).toBe(true);
  expect(say('')).toBe('swapped\n');
  session.noteSwapEverywhere?.();
  expect(say('')).toBe('swapped everywhere\n');
  expect(session.hasNews).toBe(false);
});
