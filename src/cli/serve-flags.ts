import { dirname } from 'node:path';
import type { Command } from 'commander';
import type { Guards } from '../loader/guards.ts';
import type { KeepPrevious } from '../loader/rollback.ts';
import { checkSelection, STORAGE_NAMES } from '../loader/scanners.ts';
import { type AccessOptions, checkAccessFits } from '../server/access.ts';
import { type Address, parseAddress } from '../server/address.ts';
import { DEFAULT_LIMITS, type Limits } from '../server/limits.ts';
import { THREADS_MAX } from '../server/threads.ts';
import { DEFAULT_DELIMITER } from '../storage/scanners/namespaces.ts';
import type { NamespaceOptions } from '../storage/scanners/scanner.ts';
import {
  type FlagTable,
  givenFlags,
  misuse,
  oneOf,
  parseAllowList,
  parseBoolean,
  parseCanary,
  parseCount,
  parseDuration,
  parseDurationOrZero,
  parseFilePath,
  parseFolderPath,
  parseKeyCount,
  parseLineLimit,
  parseMode,
  parseName,
  parsePercent,
  parseScrubRate,
  parseSize,
  parseThreads,
  valuesOf,
} from './go-flags.ts';

/** What the server was asked to do; every value is checked, every path absolute. */
export interface ServeOptions {
  readonly address: Address;
  readonly protocol: (typeof PROTOCOL_NAMES)[number];
  readonly handler: 'simple';
  /** One of the names that `-storage` takes. */
  readonly storage: string;
  /** The file to wait for. */
  readonly file: string;
  readonly gzipped: boolean;
  /** The named database inside the file; `undefined`: the unnamed one. */
  readonly bucket: string | undefined;
  /** Serve all named databases inside the file, with their names in the keys. */
  readonly namespaces: NamespaceOptions | undefined;
  /** The folder that keeps what is served. */
  readonly basedir: string;
  readonly guards: Guards;
  readonly scrub: { readonly bytesPerSecond: number };
  readonly keepPrevious: KeepPrevious;
  readonly threads: number;
  /** `Infinity`: no limit; `undefined`: the program takes a share of what the machine has. */
  readonly memoryBytes: number | undefined;
  /** 0: trust the events of the file system instead of polling. */
  readonly pollIntervalMs: number;
  readonly rescanMs: number;
  readonly limits: Limits;
  readonly access: AccessOptions;
  readonly loudRefusals: boolean;
  readonly allowShutdown: boolean;
}

const LISTENING = 'Listening';
const DATA = 'Data';
const ACCESS = 'Access';
const GUARDS = 'Guards: what a new generation must have to be served';
const RESOURCES = 'Memory, threads and limits';
const WATCHING = 'Watching';

const PROTOCOL_NAMES = ['memcached', 'text', 'binary', 'redis'] as const;

export const ADDRESS_FLAG = {
  placeholder: 'ADDRESS',
  group: LISTENING,
  help: 'where to listen: HOST:PORT, :PORT for all interfaces, port 0 for any free one, or the path of a UNIX socket',
  parse: parseAddress,
} as const;

/** The flags of the server, in the order of the help. */
export const SERVE_FLAGS = {
  file: {
    placeholder: 'PATH',
    group: DATA,
    help: 'the file to wait for (required)',
    parse: parseFilePath,
  },
  storage: {
    placeholder: 'FORMAT',
    group: DATA,
    help: `format of the file, one of ${STORAGE_NAMES.join(', ')}; auto goes by its first bytes`,
    parse: oneOf(...STORAGE_NAMES),
    fallback: 'auto',
  },
  gzipped: {
    group: DATA,
    help: 'the file must be packed with gzip; without it packed files are recognised',
    parse: parseBoolean,
    fallback: 'false',
  },
  bucket: {
    placeholder: 'NAME',
    group: DATA,
    help: 'the bucket of a BoltDB file, or the named database of an LMDB or Berkeley DB file, to serve',
    parse: parseName,
    fallbackNote: 'the unnamed one, or the only bucket',
  },
  namespaces: {
    group: DATA,
    help: 'serve all buckets or named databases of the file, or the objects in a JSON object, under NAME:KEY',
    parse: parseBoolean,
    fallback: 'false',
  },
  D: {
    placeholder: 'DELIMITER',
    group: DATA,
    help: 'what stands between name and key with -namespaces',
    parse: parseName,
    fallbackNote: DEFAULT_DELIMITER,
  },
  basedir: {
    placeholder: 'DIR',
    group: DATA,
    help: 'the folder that keeps the data being served',
    parse: parseFolderPath,
    fallbackNote: 'the folder of -file',
  },
  'min-keys': {
    placeholder: 'N',
    group: GUARDS,
    help: 'refuse a file with fewer keys',
    parse: parseKeyCount,
    fallback: '0',
  },
  'max-shrink': {
    placeholder: 'PERCENT',
    group: GUARDS,
    help: 'refuse a file whose keys or bytes are fewer than those of the serving generation by more than this',
    parse: parsePercent,
    fallbackNote: 'not asked',
  },
  canary: {
    placeholder: 'KEY[=VALUE]',
    group: GUARDS,
    help: 'refuse a file without this key, or with another value; may be given several times',
    parse: parseCanary,
    repeats: true,
    fallbackNote: 'none',
  },
  'max-hit-drop': {
    placeholder: 'PERCENT',
    group: GUARDS,
    help: 'refuse a file in which the lookups of the last minutes would have so many percent fewer hits',
    parse: parsePercent,
    fallbackNote: 'not asked',
  },
  'keep-previous': {
    placeholder: 'WHERE',
    group: DATA,
    help: 'where the generation before stays, for rolling back: disk, memory (as well, which is faster), or no, which deletes it',
    parse: oneOf('disk', 'memory', 'no'),
    fallback: 'disk',
  },
  addr: { ...ADDRESS_FLAG, fallback: ':11211' },
  s: {
    placeholder: 'PATH',
    group: LISTENING,
    help: 'listen on this UNIX socket, in place of -addr',
    parse: (text: string): Address => ({ kind: 'unix', path: parseFilePath(text) }),
  },
  proto: {
    placeholder: 'NAME',
    group: LISTENING,
    help: 'protocol of the clients: text, binary, redis, or memcached, which tells these apart by the first byte',
    parse: oneOf(...PROTOCOL_NAMES),
    fallback: 'memcached',
  },
  handler: {
    placeholder: 'NAME',
    group: LISTENING,
    help: 'how keys are looked up',
    parse: oneOf('simple'),
    fallback: 'simple',
  },
  allow: {
    placeholder: 'LIST',
    group: ACCESS,
    help: 'addresses and ranges that may connect, such as 10.0.0.0/8,fd00::/8',
    parse: parseAllowList,
    fallbackNote: 'all',
  },
  'auth-file': {
    placeholder: 'PATH',
    group: ACCESS,
    help: "file of user:password lines; clients log in as with memcached's -Y, or by Redis' AUTH",
    parse: parseFilePath,
    fallbackNote: 'no login',
  },
  'tls-cert': {
    placeholder: 'PATH',
    group: ACCESS,
    help: 'certificate chain, PEM; with -tls-key all connections are TLS, 1.2 or newer',
    parse: parseFilePath,
  },
  'tls-key': {
    placeholder: 'PATH',
    group: ACCESS,
    help: 'key of the certificate, PEM',
    parse: parseFilePath,
  },
  'tls-client-ca': {
    placeholder: 'PATH',
    group: ACCESS,
    help: 'clients must have a certificate from these authorities, PEM',
    parse: parseFilePath,
  },
  'loud-refusals': {
    group: ACCESS,
    help: "answer writes of memcached's clients with an error, not with what all clients survive",
    parse: parseBoolean,
    fallback: 'false',
  },
  'enable-shutdown': {
    group: ACCESS,
    help: 'let clients end the server by the command shutdown',
    parse: parseBoolean,
    fallback: 'false',
  },
  'unix-mode': {
    placeholder: 'MODE',
    group: ACCESS,
    help: 'mode of the UNIX socket, octal',
    parse: parseMode,
    fallbackNote: '0700',
  },
  threads: {
    placeholder: 'N',
    group: RESOURCES,
    help: `threads that serve clients, 1 to ${THREADS_MAX}`,
    parse: parseThreads,
    fallback: '1',
  },
  memory: {
    placeholder: 'SIZE',
    group: RESOURCES,
    help: 'memory that a data set may take, such as 512MiB or 1.5GB; a larger one is mapped; 0 maps all, max none',
    parse: parseSize,
    fallbackNote: 'a share of what the machine has',
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
  'poll-interval': {
    placeholder: 'DURATION',
    group: WATCHING,
    help: 'look for files this often, such as 2s, where events do not arrive, as on network file systems; 0 relies on events',
    parse: parseDurationOrZero,
    fallback: '0',
  },
  rescan: {
    placeholder: 'DURATION',
    group: WATCHING,
    help: 'look this often even without an event, in case one was lost',
    parse: parseDuration,
    fallback: '5s',
  },
} as const satisfies FlagTable;

/** What stands below the flags in the help. */
export const SERVE_NOTES = `
Publishing: write PATH, and its MD5 sum as PATH.md5, in either order. Once the
two match, the file is moved away and served; no request fails meanwhile.

Example:
  goromdb -file /srv/drop/data.json -addr 127.0.0.1:11211
  cd /srv/drop && cp ~/data.json . && md5sum data.json > data.json.md5

Flags may be written -flag X, -flag=X, --flag X or --flag=X.`;

type ServeValues = ReturnType<typeof valuesOf<typeof SERVE_FLAGS>>;

/** @throws GoromdbError when flags do not go together. */
export function serveOptions(command: Command): ServeOptions {
  const values = valuesOf(command, SERVE_FLAGS);
  const { file, storage, gzipped, bucket } = values;
  const address = values.s ?? values.addr;
  const access = accessOptions(values);
  if (file === undefined) {
    throw misuse('-file is required: the path of the file to wait for, such as -file data.json');
  }
  const namespaces = namespaceOptions(values);
  checkSelection({ storage, bucket, namespaces });
  checkTogether(values, givenFlags(command));
  checkAccessFits(access, address);
  return {
    address,
    protocol: values.proto,
    handler: values.handler,
    storage,
    file,
    gzipped,
    bucket,
    namespaces,
    basedir: values.basedir ?? dirname(file),
    guards: {
      minKeys: values['min-keys'],
      maxShrinkPercent: values['max-shrink'],
      canaries: values.canary,
      maxHitDropPercent: values['max-hit-drop'],
    },
    scrub: { bytesPerSecond: values['scrub-rate'] },
    keepPrevious: values['keep-previous'],
    threads: values.threads,
    memoryBytes: values.memory,
    pollIntervalMs: values['poll-interval'],
    rescanMs: values.rescan,
    limits: {
      connectionsMax: values['conn-limit'],
      idleTimeoutMs: values['idle-timeout'],
      stallTimeoutMs: values['stall-timeout'],
      staleTimeoutMs: values['stale-timeout'],
      bufferedBytesMax: values['buffer-limit'],
      connectionBufferedBytesMax: values['conn-buffer-limit'],
      lineBytesMax: values['line-limit'],
      keysMax: values['keys-limit'],
    },
    access,
    loudRefusals: values['loud-refusals'],
    allowShutdown: values['enable-shutdown'],
  };
}

function namespaceOptions(values: ServeValues): NamespaceOptions | undefined {
  const { D: delimiter } = values;
  if (values.namespaces) return { delimiter: delimiter ?? DEFAULT_DELIMITER };
  if (delimiter !== undefined) throw misuse('-D: it is the delimiter of -namespaces; give both');
  return undefined;
}

/** What a flag is for, when it is not for all protocols. */
const ONLY_FOR: readonly (readonly [
  flag: keyof typeof SERVE_FLAGS,
  protocols: readonly ServeOptions['protocol'][],
  why: string,
])[] = [
  ['auth-file', ['memcached', 'text', 'redis'], "memcached's binary protocol has no login here"],
  ['loud-refusals', ['memcached', 'text', 'binary'], 'Redis has no other refusals'],
  ['enable-shutdown', ['memcached', 'text'], "only memcached's text protocol has the command"],
  ['line-limit', ['memcached', 'text'], "only memcached's text protocol has such lines"],
  ['keys-limit', ['memcached', 'text', 'redis'], 'a binary request has one key'],
];

/** Refuses flags that would do nothing beside others: whoever gives them believes otherwise. */
function checkTogether(values: ServeValues, given: ReadonlySet<string>): void {
  if (given.has('s') && given.has('addr')) {
    throw misuse('-s and -addr both say where to listen: give one of them');
  }
  for (const [flag, protocols, why] of ONLY_FOR) {
    if (!given.has(flag) || protocols.includes(values.proto)) continue;
    throw misuse(`-${flag}: it does nothing with -proto ${values.proto}: ${why}`);
  }
  for (const larger of ['buffer-limit', 'conn-buffer-limit'] as const) {
    if (!given.has('line-limit') || values['line-limit'] <= values[larger]) continue;
    throw misuse(`-line-limit: a line of that length would be more than -${larger} allows`);
  }
}

function accessOptions(values: ServeValues): AccessOptions {
  const certFile = values['tls-cert'];
  const keyFile = values['tls-key'];
  const clientCaFile = values['tls-client-ca'];
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw misuse('-tls-cert and -tls-key belong together: give both or none');
  }
  if (clientCaFile !== undefined && certFile === undefined) {
    throw misuse('-tls-client-ca: it needs -tls-cert and -tls-key');
  }
  const tls = certFile && keyFile ? { certFile, keyFile, clientCaFile } : undefined;
  const { allow = [] } = values;
  return { allow, userFile: values['auth-file'], tls, unixMode: values['unix-mode'] };
}
