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

/**
 * Whether a connection that begins with this byte speaks RESP: all clients send arrays. Inline
 * commands cannot be told from memcached's text.
 */
export function isRespStart(firstByte: number): boolean {
  return firstByte === 0x2a;
}
