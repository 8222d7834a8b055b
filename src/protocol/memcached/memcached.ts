/** What belongs in this folder: memcached's text protocol with its meta commands. */
import { createLoginSession } from '../login.ts';
import type { Protocol } from '../protocol.ts';
import { TextSession } from './session.ts';

/** memcached's text protocol, the read half; writes are refused in ways that clients survive. */
export const memcachedProtocol: Protocol = {
  name: 'memcached',
  hasLogin: true,
  createSession: (context) => createLoginSession(context, () => new TextSession(context)),
};
