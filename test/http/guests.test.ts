import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { Guests } from '../../src/http/guests.ts';

function sockets(): readonly Socket[] {
  return Array.from({ length: 3 }, () => new PassThrough() as unknown as Socket);
}

test('beyond the limit of connections, the one that asked for nothing the longest makes room', () => {
  const [a, b, c] = sockets();
  const guests = new Guests(2, 8);
  guests.admit(a);
  guests.admit(b);
  const response = new EventEmitter();
  expect(guests.begin(a, response)).toBe(true);
  response.emit('close');
  expect(guests.admit(c)).toBe(true);
  expect([a.destroyed, b.destroyed, c.destroyed]).toEqual([false, true, false]);
});

test('one that is answered at once does not make room before those that are quieter', () => {
  const [a, b, c] = sockets();
  const guests = new Guests(2, 8);
  guests.admit(a);
  guests.admit(b);
  expect([guests.touch(a), guests.touch(c)]).toEqual([true, false]);
  expect(guests.requests).toBe(0);
  expect(guests.admit(c)).toBe(true);
  expect([a.destroyed, b.destroyed, c.destroyed]).toEqual([false, true, false]);
  expect(guests.touch(b)).toBe(false);
});

test('nobody makes room who is being answered: the new one is closed', () => {
  const [a, b, c] = sockets();
  const guests = new Guests(2, 8);
  const responses = [a, b].map((one) => {
    const response = new EventEmitter();
    guests.admit(one);
    guests.begin(one, response);
    return response;
  });
  expect(guests.admit(c)).toBe(false);
  expect([a.destroyed, b.destroyed, c.destroyed]).toEqual([false, false, true]);
  for (const response of responses) response.emit('close');
  expect(guests.requests).toBe(0);
});

test('one that sends more requests than may wait is disconnected, and its requests are forgotten', () => {
  const [a, b] = sockets();
  const guests = new Guests(2, 3);
  guests.admit(a);
  guests.admit(b);
  const response = new EventEmitter();
  guests.begin(b, response);
  const begun = Array.from({ length: 4 }, () => guests.begin(a, response));
  expect([begun, a.destroyed, b.destroyed]).toEqual([[true, true, true, false], true, false]);
  a.emit('close');
  response.emit('close');
  expect(guests.requests).toBe(0);
});
