/** What belongs in this folder: Redis' protocol, RESP2 and RESP3. */
import type { Protocol } from '../protocol.ts';
import { RespSession } from './session.ts';
import { RespShare } from './share.ts';

/**
 * Redis' protocol, RESP2 and, after HELLO 3, RESP3: the half that reads. Writes are refused as a
 * read-only replica of Redis refuses them.
 */
export const respProtocol: Protocol = {
  name: 'redis',
  hasLogin: true,
  createSession: (context) => {
    const share = context.shared.get(RespShare);
    return new RespSession(context, share, share.nextClientId());
  },
};

/** The one inline command that is recognised as RESP: it checks whether Redis is there. */
const PING = ['PING\r\n', 'PING\n'];

/**
 * Whether a connection that begins with input[start, end) speaks RESP: all clients send arrays, and
 * who looks whether a server is there may send a line `PING` alone. Other inline commands cannot be
 * distinguished from memcached's text. undefined: so far it could be that line.
 */
export function isRespStart(input: Buffer, start: number, end: number): boolean | undefined {
  if (input[start] === 0x2a) return true;
  const text = input.toString('latin1', start, Math.min(end, start + PING[0].length)).toUpperCase();
  if (PING.some((line) => text.startsWith(line))) return true;
  return PING.some((line) => line.startsWith(text)) ? undefined : false;
}
