import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createSimpleHandler } from '../../../src/handler/simple.ts';
import { tableOf } from '../../support/storages.ts';
import { conversationOn, type Parsed, parseReplies, req } from './harness.ts';

const CHANNEL = '__redis__:invalidate';

/** Fills a reply, so that what is asked behind it waits. */
const LARGE = 'x'.repeat(60_000);

/** What a client may send, alone or in a transaction. */
const COMMANDS = [
  ...['HELLO 2', 'HELLO 3', 'GET a', 'GET a', 'GET a', 'GET large', 'MGET large a', 'PING'],
  ...['CLIENT TRACKING ON', 'CLIENT TRACKING ON REDIRECT <id>', 'CLIENT TRACKING OFF'],
  ...[`SUBSCRIBE ${CHANNEL}`, `UNSUBSCRIBE ${CHANNEL}`, 'RESET', 'CLIENT TRACKING ON BCAST'],
];

const command = fc.constantFrom(...COMMANDS);
const step = fc.oneof(
  { weight: 4, arbitrary: command.map((line) => ({ lines: [line] })) },
  {
    weight: 4,
    arbitrary: fc.array(command, { minLength: 1, maxLength: 5 }).map((lines) => {
      // RESET is not queued: it would end the transaction. What is large has the rest wait.
      const queued = lines.filter((line) => line !== 'RESET');
      return { lines: ['MULTI', 'GET large', ...queued, 'EXEC'] };
    }),
  },
  { weight: 3, arbitrary: fc.constantFrom('swap here', 'swap everywhere', 'read on' as const) },
);

function elementsOf(reply: Parsed): readonly Parsed[] | undefined {
  return typeof reply === 'object' && reply !== null ? reply : undefined;
}

/** A client that keeps the values that it tracks, and knows which reply is whose. */
class CachingClient {
  readonly #asked: string[] = [];
  #queued: string[] = [];
  #tracks = false;
  /** Of RESP2, in which nobody is told unasked who has not subscribed. */
  #resp = 2;
  #isSubscribed = false;
  kept: string | undefined;

  asks(line: string): void {
    this.#asked.push(line);
  }

  hears(reply: Parsed): void {
    const [kind, what] = elementsOf(reply) ?? [];
    const isPush = kind === '>' && what === 'invalidate';
    if (isPush || kind === 'message') {
      expect(this.#resp).toBe(isPush ? 3 : 2);
      expect(isPush || this.#isSubscribed).toBe(true);
      this.kept = undefined;
      return;
    }
    const line = this.#asked.shift();
    if (line === undefined) throw new Error(`nobody asked for ${JSON.stringify(reply)}`);
    if (reply === 'QUEUED') this.#queued.push(line);
    else if (line === 'EXEC') this.#takeExec(reply);
    else this.#take(line, reply);
  }

  #takeExec(reply: Parsed): void {
    const queued = this.#queued;
    this.#queued = [];
    // A transaction with something in it that was refused at once.
    const answers = elementsOf(reply);
    if (answers === undefined) return;
    expect(answers).toHaveLength(queued.length);
    for (const [i, line] of queued.entries()) this.#take(line, answers[i]);
  }

  #take(line: string, reply: Parsed): void {
    if (typeof reply === 'string' && reply.startsWith('-')) return;
    if (line.startsWith('HELLO')) this.#resp = Number(line.at(-1));
    else if (line.startsWith('CLIENT TRACKING ON')) this.#tracks = true;
    else if (line === 'CLIENT TRACKING OFF' || line === 'RESET') this.#tracks = false;
    if (line === 'RESET') this.#resp = 2;
    if (line.includes('SUBSCRIBE')) this.#isSubscribed = line.startsWith('SUBSCRIBE');
    if (line === 'RESET') this.#isSubscribed = false;
    if (!this.#tracks) this.kept = undefined;
    else if (line === 'GET a') this.kept = String(reply);
    else if (line === 'MGET large a') this.kept = String((reply as readonly Parsed[])[1]);
  }
}

it('a client that tracks keeps no old value, and hears nothing unasked in RESP2, whatever comes when', () => {
  let kept = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      let version = 0;
      const handler = createSimpleHandler(
        tableOf([
          ['a', '0'],
          ['large', LARGE],
        ]),
      );
      const conversation = conversationOn(handler);
      const { session } = conversation;
      conversation.give(req('CLIENT', 'ID'));
      const id = conversation.played().output.toString().slice(1, -2);
      let seen = conversation.played().output.length;
      const client = new CachingClient();
      let isWaiting = false;
      /** What comes is given once, as to a client that reads slowly, or until all is answered. */
      const give = (bytes: Buffer, once: boolean): void => {
        isWaiting = conversation.giveOnce(bytes);
        while (isWaiting && !once) isWaiting = conversation.giveOnce(Buffer.alloc(0));
        if (isWaiting) return;
        const output = conversation.played().output.toString('latin1');
        for (const reply of parseReplies(output.slice(seen))) client.hears(reply);
        seen = output.length;
      };
      const wake = (): void => {
        if (session.hasNews && !isWaiting) give(Buffer.alloc(0), true);
      };
      const everywhere = (): void => {
        session.noteSwapEverywhere?.();
        wake();
      };
      for (const one of steps) {
        if (one === 'swap here') {
          version++;
          handler.swap(
            tableOf([
              ['a', `${version}`],
              ['large', LARGE],
            ]),
          );
          session.noteSwap?.();
          wake();
        } else if (one === 'swap everywhere') everywhere();
        else if (one === 'read on') give(Buffer.alloc(0), false);
        else {
          for (const line of one.lines) client.asks(line);
          const requests = one.lines.map((line) => req(...line.replace('<id>', id).split(' ')));
          give(Buffer.concat(requests), true);
        }
      }
      give(Buffer.alloc(0), false);
      everywhere();
      client.asks('HELLO 3');
      give(req('HELLO', '3'), false);
      if (client.kept !== undefined) kept++;
      expect(client.kept ?? `${version}`).toBe(`${version}`);
    }),
    { numRuns: 2_000 },
  );
  expect(kept).toBeGreaterThan(50);
});
