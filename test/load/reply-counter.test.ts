import { describe, expect, it } from 'vitest';
import { ReplyCounter } from '../../src/load/reply-counter.ts';

/** Feeds a text in pieces of so many bytes. */
function counted(text: string, pieceBytes: number): ReplyCounter {
  const counter = new ReplyCounter();
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    // As in a shared read buffer: older bytes stand behind what was read.
    counter.feed(Buffer.concat([piece, Buffer.from('END\r\nVALUE x 0 9\r\n')]), piece.length);
  }
  return counter;
}

const CONVERSATIONS: readonly (readonly [string, string, [number, number, number]])[] = [
  ['a hit', 'VALUE k 0 3\r\nabc\r\nEND\r\n', [1, 1, 0]],
  ['a hit with a unique number', 'VALUE k 5 3 77\r\nabc\r\nEND\r\n', [1, 1, 0]],
  ['a miss', 'END\r\n', [1, 0, 0]],
  ['a value that looks like a reply', 'VALUE k 0 12\r\nEND\r\nEND\r\nMN\r\nEND\r\n', [1, 1, 0]],
  ['an empty value', 'VALUE k 0 0\r\n\r\nEND\r\n', [1, 1, 0]],
  ['meta hits', 'VA 3 kabc\r\nxyz\r\nVA 0 kd\r\n\r\nMN\r\n', [1, 2, 0]],
  ['errors', 'ERROR\r\nSERVER_ERROR out of memory\r\nEND\r\n', [3, 0, 2]],
  ['a pipeline', 'VALUE a 0 1\r\n1\r\nVALUE b 0 1\r\n2\r\nEND\r\nEND\r\nEND\r\n', [3, 2, 0]],
];

describe('the counter of replies', () => {
  it.each(CONVERSATIONS)('counts %s, however it is cut', (_, text, [replies, hits, errors]) => {
    for (let pieceBytes = 1; pieceBytes <= text.length; pieceBytes++) {
      const counter = counted(text, pieceBytes);
      expect([counter.replies, counter.hits, counter.errors]).toEqual([replies, hits, errors]);
    }
  });

  it('refuses what cannot come from a memcached server', () => {
    expect(() => counted('x'.repeat(5000), 100)).toThrow(/this is no memcached server/);
  });
});
