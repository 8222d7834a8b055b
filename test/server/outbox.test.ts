import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { Reply } from '../../src/protocol/reply.ts';
import { Outbox, TLS_PIECE_BYTES } from '../../src/server/outbox.ts';
import type { Lease } from '../../src/storage/storage.ts';

const SLAB_BYTES = 64 * 1024;

/** A socket of which the system takes a few bytes at once, and the rest when it is told to. */
class FakeSocket {
  readonly written: Buffer[] = [];
  readonly #callbacks: (() => void)[] = [];
  #room: number;
  #unsentBytes = 0;

  constructor(room: number) {
    this.#room = room;
  }

  get writableLength(): number {
    return this.#unsentBytes;
  }

  write(bytes: Buffer, callback?: () => void): boolean {
    this.written.push(Buffer.from(bytes));
    const taken = Math.min(this.#room, bytes.length);
    this.#room -= taken;
    this.#unsentBytes += bytes.length - taken;
    if (callback !== undefined) this.#callbacks.push(callback);
    return true;
  }

  cork(): void {}

  uncork(): void {}

  /** The client has read all. */
  drain(): void {
    this.#unsentBytes = 0;
    for (const callback of this.#callbacks.splice(0)) callback();
  }

  get text(): string {
    return Buffer.concat(this.written).toString('latin1');
  }
}

function outboxOver(socket: FakeSocket): { outbox: Outbox; sent: () => number } {
  let sent = 0;
  const outbox = new Outbox(socket as unknown as Socket, () => sent++);
  return { outbox, sent: () => sent };
}

function replyOf(text: string): Reply {
  const reply = new Reply();
  reply.text(text);
  return reply;
}

describe('a reply', () => {
  test('that the system takes at once is out', () => {
    const socket = new FakeSocket(100);
    const { outbox, sent } = outboxOver(socket);
    expect(outbox.send(replyOf('VALUE'))).toBe(true);
    expect(outbox.send(new Reply())).toBe(true);
    expect({ text: socket.text, sent: sent() }).toEqual({ text: 'VALUE', sent: 0 });
  });

  test('of which a single byte is left is not out, holds its memory, and is reported when it is', () => {
    const socket = new FakeSocket(4);
    const { outbox, sent } = outboxOver(socket);
    const reply = replyOf('VALUE');
    expect(outbox.send(reply)).toBe(false);
    expect(outbox.heldBytes).toBe(SLAB_BYTES);
    // What comes next is built elsewhere: the socket still reads from the first.
    reply.text('OTHER');
    expect(sent()).toBe(0);
    socket.drain();
    expect(sent()).toBe(1);
    expect(socket.text).toBe('VALUE');
  });

  test('counts the memory that it was given, and not what a storage has lent', () => {
    const { outbox } = outboxOver(new FakeSocket(0));
    const reply = replyOf('head');
    reply.lend({ buffer: Buffer.alloc(1_000_000) }, 0, 1_000_000);
    reply.give(Buffer.alloc(200_000), 0, 100_000);
    outbox.send(reply);
    expect(outbox.heldBytes).toBe(SLAB_BYTES + 200_000);
  });
});

/** Memory with a count of who holds it. */
function lent(bytes: number): { buffer: Buffer; lease: Lease & { holders: number } } {
  const lease = {
    holders: 0,
    retain: () => void lease.holders++,
    release: () => void lease.holders--,
  };
  return { buffer: Buffer.alloc(bytes, 'v'), lease };
}

describe('memory that was lent', () => {
  test('is held until the system has taken the last byte', () => {
    const socket = new FakeSocket(100);
    const { outbox } = outboxOver(socket);
    const value = lent(100_000);
    const reply = new Reply();
    reply.lend(value, 0, 100_000);
    expect(outbox.send(reply)).toBe(false);
    expect(value.lease.holders).toBe(1);
    socket.drain();
    expect(value.lease.holders).toBe(0);
  });

  test('is given back at once where the system takes all', () => {
    const { outbox } = outboxOver(new FakeSocket(1e9));
    const value = lent(100_000);
    const reply = new Reply();
    reply.lend(value, 0, 100_000);
    expect(outbox.send(reply)).toBe(true);
    expect(value.lease.holders).toBe(0);
  });

  test('is held when the connection ends, until the socket has closed', () => {
    const { outbox } = outboxOver(new FakeSocket(0));
    const value = lent(100_000);
    const reply = new Reply();
    reply.lend(value, 0, 100_000);
    outbox.send(reply);
    outbox.close();
    expect(value.lease.holders).toBe(1);
    outbox.free();
    outbox.free();
    expect(value.lease.holders).toBe(0);
  });
});

describe('over TLS', () => {
  test('memory that was lent is held until the last piece is out', () => {
    const socket = encrypted();
    const { outbox, sent } = outboxOver(socket);
    const value = lent(200_000);
    const reply = new Reply();
    reply.lend(value, 0, 200_000);
    outbox.send(reply);
    while (sent() === 0) {
      expect(value.lease.holders).toBe(1);
      socket.drain();
    }
    expect(value.lease.holders).toBe(0);
  });

  function encrypted(): FakeSocket {
    return Object.setPrototypeOf(
      new FakeSocket(0),
      Object.create(TLSSocket.prototype, Object.getOwnPropertyDescriptors(FakeSocket.prototype)),
    ) as FakeSocket;
  }

  test('a large value is given to the socket in pieces, each when the last is out', () => {
    const socket = encrypted();
    const { outbox, sent } = outboxOver(socket);
    const value = Buffer.from('0123456789'.repeat(50_000));
    const reply = replyOf('VALUE\r\n');
    reply.lend({ buffer: value }, 0, value.length);
    reply.text('\r\nEND\r\n');
    const expected = `VALUE\r\n${value.toString('latin1')}\r\nEND\r\n`;
    expect(outbox.send(reply)).toBe(false);
    let pieces = 0;
    for (; sent() === 0; pieces++) {
      const bytes = Buffer.concat(socket.written.splice(0)).length;
      expect(bytes).toBeLessThanOrEqual(TLS_PIECE_BYTES);
      expect(bytes).toBeGreaterThan(0);
      expect(socket.writableLength).toBeLessThanOrEqual(TLS_PIECE_BYTES);
      socket.drain();
    }
    expect(pieces).toBe(Math.ceil(expected.length / TLS_PIECE_BYTES));
  });

  test('the pieces are the reply', () => {
    const socket = encrypted();
    const { outbox, sent } = outboxOver(socket);
    const value = Buffer.from('0123456789'.repeat(20_000));
    const reply = replyOf('VALUE\r\n');
    reply.lend({ buffer: value }, 0, value.length);
    outbox.send(reply);
    while (sent() === 0) socket.drain();
    expect(socket.text).toBe(`VALUE\r\n${value.toString('latin1')}`);
  });

  test('nothing is given to the socket after the connection was closed', () => {
    const socket = encrypted();
    const { outbox } = outboxOver(socket);
    const reply = new Reply();
    reply.lend({ buffer: Buffer.alloc(1_000_000) }, 0, 1_000_000);
    outbox.send(reply);
    outbox.close();
    socket.drain();
    expect(Buffer.concat(socket.written).length).toBe(TLS_PIECE_BYTES);
  });
});
