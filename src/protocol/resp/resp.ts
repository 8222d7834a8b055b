import { isMainThread, threadId } from 'node:worker_threads';
import type { Protocol, SessionContext } from '../protocol.ts';
import { Args } from './frame.ts';
import { ScanPositions } from './positions.ts';
import { RespSession, type RespShare } from './session.ts';

/** Client ids of different threads differ in their last digits. */
const THREADS_RANGE = 1000;

const THREAD = isMainThread ? 0 : threadId % THREADS_RANGE;

/** What a thread's sessions share, and the number of those that there were. */
interface ThreadShare extends RespShare {
  sessions: number;
}

/** A context is one thread's; with it, what its sessions share is gone. */
const shares = new WeakMap<SessionContext, ThreadShare>();

function shareOf(context: SessionContext): ThreadShare {
  let share = shares.get(context);
  if (share === undefined) {
    share = { positions: new ScanPositions(), args: new Args(), sessions: 0 };
    shares.set(context, share);
  }
  return share;
}

/**
 * Redis' protocol, RESP2 and, after HELLO 3, RESP3: the half that reads. Writes are refused as a
 * read-only replica of Redis refuses them.
 */
export const respProtocol: Protocol = {
  name: 'redis',
  createSession: (context) => {
    const share = shareOf(context);
    share.sessions++;
    return new RespSession(context, share, share.sessions * THREADS_RANGE + THREAD);
  },
};

/**
 * Whether a connection that begins with this byte speaks RESP: all clients send arrays. Inline
 * commands cannot be told from memcached's text.
 */
export function isRespStart(firstByte: number): boolean {
  return firstByte === 0x2a;
}
