/** What belongs in this folder: memcached's binary protocol. */
import { createLoginSession } from '../login.ts';
import type { Protocol } from '../protocol.ts';
import { BinarySession } from './session.ts';

/** memcached's binary protocol, the read half; writes are refused in ways that clients survive. */
export const binaryProtocol: Protocol = {
  name: 'binary',
  // Clients cannot log in: as in memcached with its ASCII login, they are not let in at all.
  hasLogin: true,
  createSession: (context) => createLoginSession(context, () => new BinarySession(context)),
};
