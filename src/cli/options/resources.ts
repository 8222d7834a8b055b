/** Threads, and limits for clients. */
import type { ServerOptions } from '../../app/options.ts';
import { LEAST_REQUEST_LIMITS } from '../../protocol/protocol.ts';
import { DEFAULT_LIMITS, THREADS_MAX } from '../../server/limits.ts';
import { notAllowed, type OptionsFor, optionGroup } from './option.ts';
import { COUNT, DURATION, DURATION_OR_ZERO, SIZE, THREADS } from './values.ts';

export const RESOURCES = optionGroup('Threads and limits', {
  threads: {
    ...THREADS,
    help: `serving threads, 1 to ${THREADS_MAX}`,
    fallback: '1',
    elsewhere: ['t', 'io-threads'],
    sets: 'threads',
  },
  'conn-limit': {
    ...COUNT,
    help: 'simultaneous connections; a further one gets an error line and is closed',
    fallback: String(DEFAULT_LIMITS.connectionsMax),
    elsewhere: ['c', 'maxclients'],
    sets: 'limits.connectionsMax',
  },
  'idle-timeout': {
    ...DURATION_OR_ZERO,
    help: 'close a connection that sends no request for this long; 0: never',
    fallback: '0',
    sets: 'limits.idleTimeoutMs',
  },
  'stall-timeout': {
    ...DURATION,
    help: 'close a connection whose client reads nothing of its replies for this long',
    fallback: '30s',
    sets: 'limits.stallTimeoutMs',
  },
  'stale-timeout': {
    ...DURATION,
    help: 'close a connection that is still reading a reply of the old data this long after a swap',
    fallback: '30s',
    sets: 'limits.staleTimeoutMs',
  },
  'drain-timeout': {
    ...DURATION,
    help: 'after goromdb upgrade, the old process closes its connections between two requests, and those that are left after this time',
    fallback: '10s',
    sets: 'limits.drainTimeoutMs',
  },
  'buffer-limit': {
    ...SIZE,
    help: 'memory for unfinished requests and unread replies of all connections',
    fallback: '256MiB',
    sets: 'limits.bufferedBytesMax',
  },
  'conn-buffer-limit': {
    ...SIZE,
    help: 'memory for unfinished requests and unread replies of one connection',
    fallback: '16MiB',
    sets: 'limits.connectionBufferedBytesMax',
  },
  'line-limit': {
    ...SIZE,
    help: "length of a get or gat line in memcached's text protocol",
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
    help: 'keys in one request',
    fallback: String(DEFAULT_LIMITS.keysMax),
    sets: 'limits.keysMax',
    protocols: {
      names: ['memcached', 'text', 'redis'],
      because: 'a binary request has one key',
    },
  },
} satisfies OptionsFor<ServerOptions>);

/** A size that is not below the limit of all other lines. */
function parseLineLimit(text: string): number {
  const bytes = SIZE.parse(text);
  const { lineBytesMax: least } = LEAST_REQUEST_LIMITS;
  if (bytes >= least && Number.isFinite(bytes)) return bytes;
  throw notAllowed(text, `a size of at least ${least} bytes, such as "1MiB"`);
}
