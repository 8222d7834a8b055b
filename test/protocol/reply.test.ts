import { describe, expect, it } from 'vitest';
import { LEND_BYTES_MIN, REPLY_FULL_BYTES, Reply } from '../../src/protocol/reply.ts';
import { Random } from '../support/random-bytes.ts';

function sent(reply: Reply): string {
  return Buffer.concat(reply.take()).toString('latin1');
}

describe('a reply', () => {
  it('is empty at first', () => {
    const reply = new Reply();
    expect([reply.length, reply.isFull, reply.take().length]).toEqual([0, false, 0]);
  });

  it('puts texts, numbers and copies together in one piece', () => {
    const reply = new Reply();
    reply.text('VALUE ');
    reply.copy(Buffer.from('..key..'), 2, 5);
    reply.text(' ');
    reply.decimal(0);
    reply.text(' ');
    reply.decimal(2 ** 53 - 1);
    reply.text('\xff\r\n');
    expect(reply.length).toBe(31);
    expect(reply.take().length).toBe(1);
    expect(sent(reply)).toBe('VALUE key 0 9007199254740991\xff\r\n');
  });

  it('writes numbers of all lengths in decimal', () => {
    for (let power = 1; power <= 1e15; power *= 10) {
      for (const number of [power - 1, power, power + 1, 2 ** 31, 2 ** 32 - 1]) {
        const reply = new Reply();
        reply.decimal(number);
        expect(sent(reply)).toBe(String(number));
      }
    }
  });

  it('copies short values and lends long ones', () => {
    const source = Buffer.alloc(LEND_BYTES_MIN + 10, 'v');
    const reply = new Reply();
    reply.text('<');
    reply.lend({ buffer: source }, 5, LEND_BYTES_MIN + 4);
    reply.text('|');
    reply.lend({ buffer: source }, 5, LEND_BYTES_MIN + 5);
    reply.text('>');
    const parts = reply.take();
    expect(parts.map((part) => part.length)).toEqual([LEND_BYTES_MIN + 1, LEND_BYTES_MIN, 1]);
    expect(parts[0].buffer).not.toBe(source.buffer);
    expect(parts[1].buffer).toBe(source.buffer);
    expect(parts[1].byteOffset).toBe(source.byteOffset + 5);
  });

  it('gives no piece with what was taken back before a large value', () => {
    const reply = new Reply();
    reply.text('VALUE ');
    reply.lend({ buffer: Buffer.alloc(LEND_BYTES_MIN, 'v') }, 0, LEND_BYTES_MIN);
    reply.truncate(0);
    reply.text('ERROR');
    expect(reply.takeShort()).toBeUndefined();
    expect(sent(reply)).toBe('ERROR');
  });

  it('gives a short reply in one piece, and the same memory for the next of its length', () => {
    const reply = new Reply();
    for (const text of ['one', 'two']) {
      reply.text(text);
      expect(reply.takeShort()?.toString()).toBe(text);
      reply.reset();
    }
    reply.text('old');
    const sending = reply.takeShort();
    reply.detach();
    reply.text('new');
    expect(reply.takeShort()?.toString()).toBe('new');
    expect(sending?.toString()).toBe('old');
  });

  it('gives no long reply, and none of several pieces, as a short one', () => {
    const reply = new Reply();
    reply.copy(Buffer.alloc(10_000), 0, 10_000);
    expect(reply.takeShort()).toBeUndefined();
    reply.reset();
    reply.lend({ buffer: Buffer.alloc(LEND_BYTES_MIN) }, 0, LEND_BYTES_MIN);
    expect(reply.takeShort()).toBeUndefined();
  });

  it('copies values by words up to the end of their memory', () => {
    for (const end of [100, 93, 92, 50]) {
      const source = Buffer.from(Array.from({ length: 100 }, (_, i) => i));
      const view = new DataView(source.buffer, source.byteOffset, source.length);
      const reply = new Reply();
      reply.text('<');
      reply.lend({ buffer: source, view }, 3, end);
      reply.text('>');
      expect(sent(reply)).toBe(`<${source.toString('latin1', 3, end)}>`);
    }
  });

  it('is full from a fixed length on, however it came to it', () => {
    const source = Buffer.alloc(REPLY_FULL_BYTES);
    const reply = new Reply();
    reply.copy(source, 0, REPLY_FULL_BYTES - 1);
    expect(reply.isFull).toBe(false);
    reply.text('x');
    expect(reply.isFull).toBe(true);
    const lending = new Reply();
    lending.lend({ buffer: source }, 0, REPLY_FULL_BYTES);
    expect(lending.isFull).toBe(true);
  });

  it('takes more than its memory holds', () => {
    const reply = new Reply();
    const piece = Buffer.from('0123456789'.repeat(1000));
    for (let i = 0; i < 20; i++) reply.copy(piece, 0, piece.length);
    reply.copy(Buffer.alloc(200_000, 'x'), 0, 200_000);
    reply.text('end');
    expect(reply.length).toBe(400_003);
    expect(sent(reply)).toBe(`${'0123456789'.repeat(20_000)}${'x'.repeat(200_000)}end`);
  });

  it('uses its memory again after a reset, and leaves it alone after a detach', () => {
    const reply = new Reply();
    reply.text('first');
    const [first] = reply.take();
    reply.reset();
    reply.text('again');
    const [again] = reply.take();
    expect(again.buffer).toBe(first.buffer);
    reply.detach();
    expect(reply.length).toBe(0);
    reply.text('other');
    const [other] = reply.take();
    expect(other.buffer).not.toBe(again.buffer);
    expect(again.toString()).toBe('again');
  });

  it('keeps the pieces that were taken when it is reset', () => {
    const reply = new Reply();
    reply.text('first');
    const parts = reply.take();
    reply.reset();
    reply.text('!');
    expect(parts.length).toBe(1);
    expect(sent(reply)).toBe('!');
  });
});

describe('taking back the end of a reply', () => {
  it('works within its memory', () => {
    const reply = new Reply();
    reply.text('kept');
    const { length } = reply;
    reply.text(' dropped');
    reply.truncate(length);
    reply.text('!');
    expect(sent(reply)).toBe('kept!');
  });

  it('works over lent values and changes of memory', () => {
    const value = Buffer.alloc(LEND_BYTES_MIN, 'v');
    const reply = new Reply();
    reply.text('kept');
    reply.lend({ buffer: value }, 0, value.length);
    const { length } = reply;
    reply.text('dropped');
    reply.lend({ buffer: value }, 0, value.length);
    reply.copy(Buffer.alloc(100_000), 0, 100_000);
    reply.truncate(length);
    expect(reply.length).toBe(length);
    reply.text('!');
    expect(sent(reply)).toBe(`kept${'v'.repeat(LEND_BYTES_MIN)}!`);
  });

  it('takes back everything', () => {
    const reply = new Reply();
    reply.text('a');
    reply.lend({ buffer: Buffer.alloc(LEND_BYTES_MIN) }, 0, LEND_BYTES_MIN);
    reply.truncate(0);
    expect([reply.length, reply.take().length]).toEqual([0, 0]);
  });

  it('agrees with a plain string at any sequence of steps', () => {
    const random = new Random(3);
    const source = Buffer.from(random.bytes(100_000).toString('hex'));
    for (let round = 0; round < 200; round++) {
      const reply = new Reply();
      let model = '';
      for (let step = 0; step < 20; step++) {
        const length = random.below([10, 1000, 40_000][random.below(3)]);
        const start = random.below(1000);
        switch (random.below(4)) {
          case 0:
            reply.copy(source, start, start + length);
            model += source.toString('latin1', start, start + length);
            break;
          case 1:
            reply.lend({ buffer: source }, start, start + length);
            model += source.toString('latin1', start, start + length);
            break;
          case 2:
            reply.text('text');
            reply.decimal(length);
            model += `text${length}`;
            break;
          default: {
            const kept = random.below(model.length + 1);
            reply.truncate(kept);
            model = model.slice(0, kept);
          }
        }
        expect(reply.length).toBe(model.length);
      }
      expect(sent(reply) === model).toBe(true);
    }
  });
});

describe('memory that a reply was lent', () => {
  /** Counts who holds it. */
  class CountingLease {
    holders = 0;
    retain(): void {
      this.holders++;
    }
    release(): void {
      this.holders--;
    }
  }
  const lent = (bytes: number): { buffer: Buffer; lease: CountingLease } => ({
    buffer: Buffer.alloc(bytes, 'v'),
    lease: new CountingLease(),
  });

  it('is held from the moment that it is lent until the reply is reset', () => {
    const reply = new Reply();
    const value = lent(LEND_BYTES_MIN);
    reply.lend(value, 0, LEND_BYTES_MIN);
    reply.lend(value, 0, LEND_BYTES_MIN);
    expect(value.lease.holders).toBe(2);
    reply.truncate(0);
    expect(value.lease.holders).toBe(2);
    reply.take();
    reply.reset();
    expect(value.lease.holders).toBe(0);
    reply.reset();
    expect(value.lease.holders).toBe(0);
  });

  it('is held after a detach until what was detached is given back', () => {
    const reply = new Reply();
    const [first, second] = [lent(LEND_BYTES_MIN), lent(LEND_BYTES_MIN)];
    reply.lend(first, 0, LEND_BYTES_MIN);
    reply.take();
    const unsent = reply.detach();
    reply.lend(second, 0, LEND_BYTES_MIN);
    reply.reset();
    expect([first.lease.holders, second.lease.holders]).toEqual([1, 0]);
    reply.reuse(unsent);
    expect(first.lease.holders).toBe(0);
  });

  it('is not held when it was copied', () => {
    const reply = new Reply();
    const value = lent(LEND_BYTES_MIN);
    reply.lend(value, 1, LEND_BYTES_MIN);
    expect(value.lease.holders).toBe(0);
  });
});
