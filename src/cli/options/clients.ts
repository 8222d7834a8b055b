/** Where the server listens, what it speaks, who may connect, and what clients may do. */
import type { ServerOptions } from '../../app/options.ts';
import { type Address, parseAddress } from '../../common/address.ts';
import { createAllowList } from '../../server/access.ts';
import { notAllowed, type OptionsFor, optionGroup } from './option.ts';
import { BOOLEAN, FILE, oneOf } from './values.ts';

export const ADDRESS = {
  placeholder: 'ADDRESS',
  help: 'where to listen: HOST:PORT, :PORT (all interfaces), port 0 (any free port), or the path of a UNIX socket',
  parse: parseAddress,
  elsewhere: ['p', 'port', 'l', 'listen', 'bind', 'host', 'address'],
  example: '-addr 127.0.0.1:11211 or -addr :11211',
} as const;

export const LISTENING = optionGroup('Listening', {
  addr: { ...ADDRESS, fallback: ':11211', sets: 'address' },
  s: {
    ...FILE,
    help: 'listen on this UNIX socket instead of -addr',
    elsewhere: ['socket', 'unixsocket', 'unix-socket'],
    parse: (text: string): Address => ({ kind: 'unix', path: FILE.parse(text) }),
    sets: 'address',
  },
  proto: {
    placeholder: 'NAME',
    help: 'protocol of the clients: text, binary, redis, or memcached, which recognises all three by the first byte',
    parse: oneOf('memcached', 'text', 'binary', 'redis'),
    fallback: 'memcached',
    elsewhere: ['B'],
    sets: 'protocol',
  },
  // There is only one: the flag exists so that command lines of the Go program keep working.
  handler: {
    placeholder: 'NAME',
    help: 'how keys are looked up: simple',
    parse: oneOf('simple'),
    fallback: 'simple',
    only: 'flag',
  },
} satisfies OptionsFor<ServerOptions>);

export const ACCESS = optionGroup('Access', {
  allow: {
    placeholder: 'LIST',
    toml: 'list',
    help: 'addresses and ranges that may connect, separated by commas, such as 10.0.0.0/8,fd00::/8',
    parse: parseAllowList,
    fallbackNote: 'all',
    sets: 'access.allow',
  },
  'auth-file': {
    ...FILE,
    help: "file of user:password lines; clients log in as with memcached's -Y, or by Redis' AUTH",
    fallbackNote: 'no login',
    elsewhere: ['Y'],
    sets: 'access.userFile',
    protocols: {
      names: ['memcached', 'text', 'redis'],
      because: "memcached's binary protocol has no login here",
    },
  },
  'tls-cert': {
    ...FILE,
    help: 'certificate chain (PEM); with -tls-key, all connections use TLS 1.2 or newer',
    sets: 'access.tls.certFile',
  },
  'tls-key': {
    ...FILE,
    help: 'private key of the certificate (PEM)',
    sets: 'access.tls.keyFile',
  },
  'tls-client-ca': {
    ...FILE,
    help: 'require client certificates of these authorities (PEM)',
    sets: 'access.tls.clientCaFile',
  },
  'loud-refusals': {
    ...BOOLEAN,
    help: 'answer writes of memcached clients with an error instead of NOT_STORED or NOT_FOUND',
    sets: 'loudRefusals',
    protocols: {
      names: ['memcached', 'text', 'binary'],
      because: 'Redis has no other refusals',
    },
  },
  'enable-shutdown': {
    ...BOOLEAN,
    help: 'let clients stop the server with the command shutdown',
    sets: 'allowShutdown',
    protocols: {
      names: ['memcached', 'text'],
      because: "only memcached's text protocol has the command",
    },
  },
  'unix-mode': {
    placeholder: 'MODE',
    help: 'mode of the UNIX socket, in octal',
    parse: parseMode,
    fallbackNote: '0700',
    elsewhere: ['a'],
    sets: 'access.unixMode',
  },
} satisfies OptionsFor<ServerOptions>);

export const HTTP = optionGroup('HTTP', {
  http: {
    placeholder: 'ADDRESS',
    help: 'serve health, metrics, status and events over HTTP here: HOST:PORT, :PORT or the path of a UNIX socket',
    parse: parseAddress,
    fallbackNote: 'off',
    elsewhere: ['web.listen-address', 'metrics-addr'],
    example: '-http 127.0.0.1:11280',
    sets: 'http.address',
  },
  'http-host': {
    placeholder: 'NAME',
    help: 'a host name that HTTP clients may use, besides localhost, IP addresses and the host of -http; may be repeated',
    parse: (text: string): readonly string[] => [parseHost(text)],
    repeats: true,
    fallbackNote: 'none',
    sets: 'http.hosts',
  },
  'http-prefixes': {
    placeholder: 'CHAR',
    help: 'show which prefixes of keys, up to this character, clients ask for most, and their hits',
    parse: parseCharacter,
    fallbackNote: 'off, since keys may be personal',
    example: '-http-prefixes :',
    sets: 'http.prefixDelimiter',
  },
  'http-token-file': {
    ...FILE,
    help: 'file of the token that HTTP clients need to roll back, rescan and scrub',
    fallbackNote: 'nobody may',
    sets: 'http.tokenFile',
  },
} satisfies OptionsFor<ServerOptions>);

/** A name as browsers send it: what is none would never be asked by. */
function parseHost(text: string): string {
  if (/^[\w.-]{1,253}$/.test(text)) return text;
  throw notAllowed(text, 'the name of a host without a port, such as "ops.example"');
}

/** One character that a key of memcached can have. */
function parseCharacter(text: string): string {
  if (/^[\x21-\x7e]$/.test(text)) return text;
  throw notAllowed(text, 'one visible ASCII character, such as ":"');
}

/** The mode of a file in octal. */
function parseMode(text: string): number {
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  throw notAllowed(text, 'three octal digits, such as 0770');
}

/** Addresses and CIDR ranges, with commas between. */
function parseAllowList(text: string): readonly string[] {
  const entries = text.split(',').map((entry) => entry.trim());
  createAllowList(entries);
  return entries;
}
