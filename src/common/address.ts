import { isIPv4, isIPv6 } from 'node:net';
import { GoromdbError } from './errors.ts';

/** Where a server listens. */
export type Address =
  | {
      readonly kind: 'tcp';
      /** A name or an IP address without brackets; `undefined`: all interfaces, IPv6 and IPv4. */
      readonly host: string | undefined;
      /** 0 to {@link PORT_MAX}; 0 lets the system choose a free one. */
      readonly port: number;
    }
  | { readonly kind: 'unix'; readonly path: string };

const PORT_MAX = 65_535;
/** `sun_path` of Linux has 108 bytes, the last one zero (unix(7)); Node would cut a longer one. */
const SOCKET_PATH_BYTES_MAX = 107;

const UNIX_PREFIX = 'unix:';
/** Longest name of a host in the DNS, in text form (RFC 1035, 2.3.4). */
const HOST_NAME_CHARS_MAX = 253;
/** Labels of letters, digits, hyphens and, as in many private networks, underscores. */
const HOST_NAME = /^\w(?:[\w-]*\w)?(?:\.\w(?:[\w-]*\w)?)*\.?$/;
/** A host of digits and dots is an IPv4 address or a mistake; it is never resolved as a name. */
const ONLY_NUMBERS = /^[\d.]+$/;

const FORMS = '":11211", "127.0.0.1:11211", "[::1]:11211", "localhost:11211" or a UNIX socket path';

/**
 * Reads an address in Go's forms: `:11211` (all interfaces), `127.0.0.1:11211`, `[::1]:11211`,
 * `localhost:11211`. A text that contains a `/` or starts with `unix:` is the path of a UNIX
 * socket. Port 0 means any free port.
 *
 * @throws GoromdbError `ADDRESS_INVALID`: says what was given, what is wrong, and what is allowed.
 */
export function parseAddress(text: string): Address {
  if (text.startsWith(UNIX_PREFIX)) return parseSocketPath(text, text.slice(UNIX_PREFIX.length));
  if (text.includes('/')) return parseSocketPath(text, text);
  if (text === '') throw invalid(text, 'it is empty');
  if (isIPv6(text)) throw invalid(text, 'an IPv6 address needs brackets and a port');

  const colon = text.lastIndexOf(':');
  // In `[::1]` the last colon belongs to the host.
  if (colon === -1 || text.endsWith(']')) throw invalid(text, 'the port is missing');
  return {
    kind: 'tcp',
    host: parseHost(text, text.slice(0, colon)),
    port: parsePort(text, text.slice(colon + 1)),
  };
}

/** Whether a host stands for all addresses of a machine: one can listen there, and nobody can be sent there. */
export function isAnyHost(host: string): boolean {
  return host === '0.0.0.0' || (isIPv6(host) && /^[0:]+$/.test(host));
}

/** The inverse of {@link parseAddress}: `:11211` for all interfaces, `unix:PATH` for a socket. */
export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return UNIX_PREFIX + address.path;
  const { host = '', port } = address;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseSocketPath(text: string, path: string): Address {
  if (path === '') throw invalid(text, 'the path is missing');
  if (path.includes('\0')) throw invalid(text, 'the path contains a zero byte');
  if (path.endsWith('/')) throw invalid(text, 'the path is that of a folder');
  const pathBytes = Buffer.byteLength(path);
  if (pathBytes > SOCKET_PATH_BYTES_MAX) {
    const limit = `${SOCKET_PATH_BYTES_MAX} bytes are allowed`;
    throw invalid(text, `the path of the socket has ${pathBytes} bytes, ${limit}`);
  }
  return { kind: 'unix', path };
}

function parseHost(text: string, host: string): string | undefined {
  if (host === '') return undefined;
  if (host.startsWith('[') && host.endsWith(']')) {
    const inner = host.slice(1, -1);
    if (isIPv6(inner)) return inner;
    throw invalid(text, `${JSON.stringify(inner)} is not an IPv6 address`);
  }
  if (host.includes(':')) throw invalid(text, 'an IPv6 address needs brackets');
  const isName = HOST_NAME.test(host) && host.length <= HOST_NAME_CHARS_MAX;
  if (isName && (isIPv4(host) || !ONLY_NUMBERS.test(host))) return host;
  throw invalid(text, `${JSON.stringify(host)} is not a host`);
}

function parsePort(text: string, port: string): number {
  if (port === '') throw invalid(text, 'the port is missing');
  if (/^\d+$/.test(port) && Number(port) <= PORT_MAX) return Number(port);
  throw invalid(text, `port ${JSON.stringify(port)} is not a number from 0 to ${PORT_MAX}`);
}

function invalid(text: string, reason: string): GoromdbError {
  return new GoromdbError(
    'ADDRESS_INVALID',
    `${JSON.stringify(text)} is not allowed: ${reason}; expected ${FORMS}`,
  );
}
