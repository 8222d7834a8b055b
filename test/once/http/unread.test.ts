import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { DISCARDS_MAX, discardBody } from '../../../src/once/http/unread.ts';

test('bodies are thrown away for so many clients at one time, and for no more', async () => {
  const over: number[] = [];
  const bodies = Array.from({ length: DISCARDS_MAX + 1 }, () => new PassThrough());
  const discard = (i: number): void => {
    discardBody(bodies[i] as unknown as IncomingMessage, () => over.push(i));
  };
  for (const i of bodies.keys()) discard(i);
  expect(over).toEqual([DISCARDS_MAX]);
  // One that has ended, or whose client has gone, leaves its place to another.
  bodies[0].end('rest');
  await expect.poll(() => over).toContain(0);
  discard(DISCARDS_MAX);
  bodies[1].destroy();
  await expect.poll(() => over).toContain(1);
  for (const body of bodies) body.destroy();
  await expect.poll(() => over.length).toBe(bodies.length + 1);
});
