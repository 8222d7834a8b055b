import type { Protocol } from '../protocol.ts';
import { BinarySession } from './session.ts';

/** memcached's binary protocol, the read half; writes are refused in ways that clients survive. */
export const binaryProtocol: Protocol = {
  name: 'binary',
  createSession: (context) => new BinarySession(context),
};
