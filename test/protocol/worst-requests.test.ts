import { describe, expect, it } from 'vitest';
import { createSimpleHandler } from '../../src/handler/simple.ts';
import { PROTOCOLS } from '../../src/protocol/detect/detect.ts';
import { Reply, STEP_WORK_MAX, TURN_WORK_MAX } from '../../src/protocol/reply.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { contextOf } from '../support/session.ts';
import { tableOf } from '../support/storages.ts';
import { WORST_REQUESTS, type WorstRequest } from './worst-requests.ts';

/** Input comes in pieces of this size, as from a socket. */
const READ_BYTES = 64 * 1024;

const DATA: Readonly<Record<string, Storage>> = {
  short: tableOf(Array.from({ length: 1_000 }, (_, i) => [i === 0 ? 'k' : `key ${i}`, 'value'])),
  long: tableOf(Array.from({ length: 100 }, (_, i) => [`${'a'.repeat(65_530)}${10_000 + i}`, 'v'])),
  // As many pairs of bytes as LCS compares, with nothing in common.
  pair: tableOf([
    ['k', Buffer.alloc(512, 'k')],
    ['l', Buffer.alloc(512, 'l')],
  ]),
  again: tableOf(Array.from({ length: 100_000 }, () => ['k', 'value'])),
};

/** What a request was charged. */
interface Charged {
  readonly work: number;
  /** The most that was done without a look at whether the others should have their turn. */
  readonly stepMax: number;
}

/** Plays a request as a connection does that is served alone: turn after turn. */
function charge({ protocol, input, data = 'short' }: WorstRequest): Charged {
  const handler = createSimpleHandler(DATA[data]);
  const session = PROTOCOLS[protocol].createSession(contextOf(handler));
  const reply = new Reply();
  let work = 0;
  let stepMax = 0;
  let at = 0;
  for (let end = Math.min(READ_BYTES, input.length); ; ) {
    at += session.receive(input, at, end, reply);
    const isFull = reply.isFull;
    work += reply.work;
    stepMax = Math.max(stepMax, reply.work);
    reply.reset();
    if (session.state !== 'open' || (!isFull && end === input.length)) break;
    if (!isFull) end = Math.min(input.length, end + READ_BYTES);
  }
  session.close();
  return { work, stepMax };
}

describe('the most expensive requests', () => {
  it.each(WORST_REQUESTS)('$protocol: $name is charged and cut', (request) => {
    const { work, stepMax } = charge(request);
    expect(work).toBeGreaterThanOrEqual(request.work);
    expect(stepMax).toBeLessThanOrEqual(TURN_WORK_MAX + STEP_WORK_MAX);
  });
});
