import type { ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { EventFeed } from '../../src/http/event-feed.ts';

/** A response whose client reads, or does not. */
function client(reads: boolean): ServerResponse & { readonly text: string } {
  let text = '';
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk, _, done) => {
      text += chunk;
      if (reads) done();
    },
  });
  return Object.defineProperty(Object.assign(stream, { writeHead: () => stream }), 'text', {
    get: () => text,
  }) as unknown as ServerResponse & { readonly text: string };
}

it('cuts off a client that leaves too much unread, and no other', () => {
  const feed = new EventFeed();
  const [slow, good] = [client(false), client(true)];
  expect([slow, good].map((one) => feed.subscribe(one, undefined))).toEqual([true, true]);
  for (let i = 0; i < 100; i++)
    feed.add('geo', { at: 'now', kind: 'failed', text: 'x'.repeat(1000) });
  expect(slow.destroyed).toBe(true);
  expect(good.destroyed).toBe(false);
  expect(good.text.match(/^event: folder$/gm)).toHaveLength(100);
  feed.close();
});
