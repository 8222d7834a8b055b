import type { Protocol } from '../protocol.ts';
import { TextSession } from './session.ts';

/** memcached's text protocol, the read half; writes are refused in ways that clients survive. */
export const memcachedProtocol: Protocol = {
  name: 'memcached',
  createSession: (context) => new TextSession(context),
};
