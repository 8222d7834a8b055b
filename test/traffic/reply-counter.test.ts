import { describe, expect, it } from 'vitest';
import { MemcachedLines } from '../../src/traffic/memcached-lines.ts';
import { RedisLines } from '../../src/traffic/redis-lines.ts';
import { ReplyCounter, type ReplyLines } from '../../src/traffic/reply-counter.ts';

/** Feeds a text in pieces of so many bytes. */
function counted(lines: ReplyLines, text: string, pieceBytes: number): ReplyCounter {
  const counter = new ReplyCounter(lines);
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    // As in a shared read buffer: older bytes stand behind what was read.
    counter.feed(Buffer.concat([piece, Buffer.from('END\r\nVALUE x 0 9\r\n')]), piece.length);
  }
  return counter;
}

type Conversation = readonly [string, string, readonly [number, number, number]];

const MEMCACHED: readonly Conversation[] = [
  ['a hit', 'VALUE k 0 3\r\nabc\r\nEND\r\n', [1, 1, 0]],
  ['a hit with a unique number', 'VALUE k 5 3 77\r\nabc\r\nEND\r\n', [1, 1, 0]],
  ['a miss', 'END\r\n', [1, 0, 0]],
  ['a value that looks like a reply', 'VALUE k 0 12\r\nEND\r\nEND\r\nMN\r\nEND\r\n', [1, 1, 0]],
  ['an empty value', 'VALUE k 0 0\r\n\r\nEND\r\n', [1, 1, 0]],
  ['meta hits', 'VA 3 kabc\r\nxyz\r\nVA 0 kd\r\n\r\nMN\r\n', [1, 2, 0]],
  ['errors', 'ERROR\r\nSERVER_ERROR out of memory\r\nEND\r\n', [3, 0, 2]],
  ['a pipeline', 'VALUE a 0 1\r\n1\r\nVALUE b 0 1\r\n2\r\nEND\r\nEND\r\nEND\r\n', [3, 2, 0]],
];

const REDIS: readonly Conversation[] = [
  ['a hit', '$3\r\nabc\r\n', [1, 1, 0]],
  ['a miss', '$-1\r\n', [1, 0, 0]],
  ['an empty value', '$0\r\n\r\n', [1, 1, 0]],
  ['a value that looks like replies', '$15\r\n$-1\r\n*2\r\n-ERR\r\n\r\n', [1, 1, 0]],
  ['an array with a miss in it', '*3\r\n$1\r\na\r\n$-1\r\n$1\r\nc\r\n', [1, 2, 0]],
  ['an array that ends with a miss', '*2\r\n$1\r\na\r\n$-1\r\n', [1, 1, 0]],
  ['a pipeline of arrays', '*1\r\n$1\r\na\r\n*1\r\n$-1\r\n$2\r\nbc\r\n', [3, 2, 0]],
  ['errors', '-ERR unknown command\r\n$1\r\na\r\n-LOADING\r\n', [3, 1, 2]],
  ['what was not asked for', '+OK\r\n:7\r\n*0\r\n*-1\r\nERROR\r\n', [5, 0, 5]],
  ['an array in an array', '*2\r\n*2\r\n$-1\r\n', [1, 0, 1]],
];

describe.each([
  ['memcached', MEMCACHED, () => new MemcachedLines()],
  ['Redis', REDIS, () => new RedisLines()],
] as const)('the counter of replies of %s', (server, conversations, createLines) => {
  it.each(conversations)('counts %s, however it is cut', (_, text, [replies, hits, errors]) => {
    for (let pieceBytes = 1; pieceBytes <= text.length; pieceBytes++) {
      const counter = counted(createLines(), text, pieceBytes);
      expect([counter.replies, counter.hits, counter.errors]).toEqual([replies, hits, errors]);
    }
  });

  it('refuses what cannot come from such a server', () => {
    expect(() => counted(createLines(), 'x'.repeat(5000), 100)).toThrow(
      `this is no ${server} server`,
    );
  });
});
