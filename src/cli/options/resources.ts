/** What a server takes of its machine, and what one client may take. */
import type { ServerOptions } from '../../app/options.ts';
import { LEAST_REQUEST_LIMITS } from '../../protocol/protocol.ts';
import { DEFAULT_LIMITS } from '../../server/limits.ts';
import { THREADS_MAX } from '../../server/threads/threads.ts';
import { notAllowed, type OptionsFor, optionGroup } from './option.ts';
import { COUNT, DURATION, DURATION_OR_ZERO, SIZE, THREADS } from './values.ts';

export const RESOURCES = optionGroup('Threads and limits', {
  threads: {
    ...THREADS,
    help: `threads that serve clients, 1 to ${THREADS_MAX}`,
    fallback: '1',
    elsewhere: ['t', 'io-threads'],
    sets: 'threads',
  },
  'conn-limit': {
    ...COUNT,
    help: 'connections at one time; a further one gets an error line and is closed',
    fallback: String(DEFAULT_LIMITS.connectionsMax),
    elsewhere: ['c', 'maxclients'],
    sets: 'limits.connectionsMax',
  },
  'idle-timeout': {
    ...DURATION_OR_ZERO,
    help: 'close connections that ask for nothing this long; 0 never does',
    fallback: '0',
    sets: 'limits.idleTimeoutMs',
  },
  'stall-timeout': {
    ...DURATION,
    help: 'cut off clients that read nothing of their replies this long',
    fallback: '30s',
    sets: 'limits.stallTimeoutMs',
  },
  'stale-timeout': {
    ...DURATION,
    help: 'how long after a swap a client may still read a reply from the data before; then it is cut off',
    fallback: '30s',
    sets: 'limits.staleTimeoutMs',
  },
  'buffer-limit': {
    ...SIZE,
    help: 'memory for unfinished requests and unread replies of all connections',
    fallback: '256MiB',
    sets: 'limits.bufferedBytesMax',
  },
  'conn-buffer-limit': {
    ...SIZE,
    help: 'the same, of one connection',
    fallback: '16MiB',
    sets: 'limits.connectionBufferedBytesMax',
  },
  'line-limit': {
    ...SIZE,
    help: "length of a line that gets keys in memcached's text protocol",
    parse: parseLineLimit,
    fallback: '1MiB',
    sets: 'limits.lineBytesMax',
    protocols: {
      names: ['memcached', 'text'],
      because: "only memcached's text protocol has such lines",
    },
  },
  'keys-limit': {
    ...COUNT,
    help: 'keys that one request may name',
    fallback: String(DEFAULT_LIMITS.keysMax),
    sets: 'limits.keysMax',
    protocols: {
      names: ['memcached', 'text', 'redis'],
      because: 'a binary request has one key',
    },
  },
} satisfies OptionsFor<ServerOptions>);

/** A size of at least what all lines may have. */
function parseLineLimit(text: string): number {
  const bytes = SIZE.parse(text);
  const { lineBytesMax: least } = LEAST_REQUEST_LIMITS;
  if (bytes >= least && Number.isFinite(bytes)) return bytes;
  throw notAllowed(text, `a size of at least ${least} bytes, such as "1MiB"`);
}
