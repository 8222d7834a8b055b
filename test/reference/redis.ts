/**
 * Plays conversations to a real Redis and to this server, which hold the same strings, and compares
 * the bytes that come back, in RESP2 and in RESP3. What may differ is in `normalize`.
 */
import { createServer, respProtocol, type Server } from 'goromdb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { req } from '../protocol/resp/harness.ts';
import { storageOf } from './data-set.ts';
import { play } from './player.ts';
import { CONVERSATIONS, LATER_THAN_REFERENCE, RECORDS } from './redis-conversations.ts';
import { type ServerProcess, startRedis } from './server-process.ts';

/** Answered in either protocol, also to who has subscribed: all before it has been answered. */
const LAST = req('PING', 'the end');
const TAIL = '$7\r\nthe end\r\n';

let redis: ServerProcess;
let server: Server;
let port = 0;

beforeAll(async () => {
  redis = await startRedis();
  const sets = RECORDS.map(([key, value]) => req('SET', key, value));
  const { output } = await play(redis.port, [...sets, LAST], TAIL);
  expect(output.toString()).toBe('+OK\r\n'.repeat(RECORDS.length) + TAIL);
  const records = RECORDS.map(([key, value]) => {
    return { key: Buffer.from(key), value: Buffer.from(value), flags: 0, isBinary: false };
  });
  server = createServer({ storage: storageOf(records), protocol: respProtocol });
  const address = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
  port = address.kind === 'tcp' ? address.port : 0;
});

afterAll(async () => {
  await server?.close();
  await redis?.stop();
});

/** What no two servers, or no two times, answer alike. */
function normalize(output: string): string {
  return (
    output
      // See REDIS_VERSION.
      .replaceAll(/(\$7\r\nversion\r\n)\$\d+\r\n[\d.]+/g, '$1N')
      // A client's own number, address and times, and what Redis tells of its buffers.
      .replaceAll(
        /\b(id|addr|laddr|fd|age|idle|qbuf|qbuf-free|argv-mem|rbs|rbp|obl|oll|omem|tot-mem)=\S*/g,
        '$1=N',
      )
      .replaceAll(/(\$2\r\nid\r\n:)\d+/g, '$1N')
      // The command is refused before its second word has come.
      .replaceAll(/(Can't execute '\w+)\|\w+/g, '$1')
      .replaceAll(/^[$=]\d+(\r\n(?:txt:)?id=N)/gm, '$N$1')
  );
}

async function answersOf(at: number, commands: readonly string[]): Promise<string> {
  const requests = commands.map((command) => req(...command.split(' ')));
  const { output } = await play(at, [Buffer.concat([...requests, LAST])], TAIL);
  return normalize(output.toString('latin1'));
}

describe.each(['HELLO 2', 'HELLO 3'])('after %s this server answers as Redis does', (hello) => {
  it.each(CONVERSATIONS.map((commands) => [commands.join('; '), commands] as const))(
    '%s',
    async (_, commands) => {
      const isOfOne = hello === 'HELLO 3' || !commands.some((one) => /TRACKING on/i.test(one));
      // Tracking without REDIRECT does nothing in RESP2; here that is refused, and said.
      if (!isOfOne) return;
      const all = [hello, ...commands];
      expect(await answersOf(port, all)).toBe(await answersOf(redis.port, all));
    },
  );
});

describe('what this server knows and this Redis does not', () => {
  it.each(LATER_THAN_REFERENCE)('%s', async (command) => {
    expect(await answersOf(redis.port, [command])).toMatch(/^-ERR unknown subcommand/);
    expect(await answersOf(port, [command])).not.toContain('-ERR');
  });
});
