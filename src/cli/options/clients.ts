import { type Address, parseAddress } from '../../common/address.ts';
import {
  type FlagTable,
  oneOf,
  parseAllowList,
  parseBoolean,
  parseFilePath,
  parseMode,
} from './values.ts';

const LISTENING = 'Listening';
const ACCESS = 'Access';

export const PROTOCOL_NAMES = ['memcached', 'text', 'binary', 'redis'] as const;

export const ADDRESS_FLAG = {
  placeholder: 'ADDRESS',
  group: LISTENING,
  help: 'where to listen: HOST:PORT, :PORT for all interfaces, port 0 for any free one, or the path of a UNIX socket',
  parse: parseAddress,
} as const;

/** Where clients come, and what they speak. */
export const LISTEN_FLAGS = {
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
} as const satisfies FlagTable;

/** Which clients may come, and what they may do. */
export const ACCESS_FLAGS = {
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
} as const satisfies FlagTable;
