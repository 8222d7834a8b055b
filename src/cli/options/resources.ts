import { DEFAULT_LIMITS } from '../../server/limits.ts';
import { THREADS_MAX } from '../../server/threads/threads.ts';
import {
  type FlagTable,
  parseCount,
  parseDuration,
  parseDurationOrZero,
  parseLineLimit,
  parseScrubRate,
  parseSize,
  parseThreads,
} from './values.ts';

const RESOURCES = 'Threads and limits';

export const RESOURCE_FLAGS = {
  threads: {
    placeholder: 'N',
    group: RESOURCES,
    help: `threads that serve clients, 1 to ${THREADS_MAX}`,
    parse: parseThreads,
    fallback: '1',
  },
  'scrub-rate': {
    placeholder: 'SIZE',
    group: RESOURCES,
    help: 'check what serves against its sums in the background, so many bytes a second; 0 does not',
    parse: parseScrubRate,
    fallback: '8MiB',
  },
  'conn-limit': {
    placeholder: 'N',
    group: RESOURCES,
    help: 'connections at one time; a further one gets an error line and is closed',
    parse: parseCount,
    fallback: String(DEFAULT_LIMITS.connectionsMax),
  },
  'idle-timeout': {
    placeholder: 'DURATION',
    group: RESOURCES,
    help: 'close connections that ask for nothing this long; 0 never does',
    parse: parseDurationOrZero,
    fallback: '0',
  },
  'stall-timeout': {
    placeholder: 'DURATION',
    group: RESOURCES,
    help: 'cut off clients that read nothing of their replies this long',
    parse: parseDuration,
    fallback: '30s',
  },
  'stale-timeout': {
    placeholder: 'DURATION',
    group: RESOURCES,
    help: 'cut off clients that are not done this long after a swap with a reply from the data before it',
    parse: parseDuration,
    fallback: '30s',
  },
  'buffer-limit': {
    placeholder: 'SIZE',
    group: RESOURCES,
    help: 'memory for unfinished requests and unread replies of all connections',
    parse: parseSize,
    fallback: '256MiB',
  },
  'conn-buffer-limit': {
    placeholder: 'SIZE',
    group: RESOURCES,
    help: 'the same, of one connection',
    parse: parseSize,
    fallback: '16MiB',
  },
  'line-limit': {
    placeholder: 'SIZE',
    group: RESOURCES,
    help: "length of a line that gets keys in memcached's text protocol",
    parse: parseLineLimit,
    fallback: '1MiB',
  },
  'keys-limit': {
    placeholder: 'N',
    group: RESOURCES,
    help: 'keys that one request may name',
    parse: parseCount,
    fallback: String(DEFAULT_LIMITS.keysMax),
  },
} as const satisfies FlagTable;
