import { createHash, randomBytes, timingSafeEqual, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { type Address, formatAddress } from '../common/address.ts';
import { type ErrorCode, GoromdbError, messageOf } from '../common/errors.ts';
import { explained } from '../common/system-fault.ts';
import type { Authenticate } from '../protocol/protocol.ts';

/** The user file may have this many bytes. */
const USER_FILE_BYTES_MAX = 64 * 1024;

/**
 * Passwords of one user: each is compared at a login, and two are enough to change from one to the
 * other.
 */
const PASSWORDS_MAX = 8;

/** Who may connect, and how. Plain data, so that it can be sent to the serving threads. */
export interface AccessOptions {
  /** Addresses and CIDR ranges that may connect. Default: all. Not for a UNIX socket. */
  readonly allow?: readonly string[];
  /** Path of a file of `user:password` lines; without it nobody has to log in. */
  readonly userFile?: string | undefined;
  readonly tls?: TlsFiles | undefined;
  /** Mode of a UNIX socket's file; only for such an address. Default 0700, as memcached has it. */
  readonly unixMode?: number | undefined;
}

/** Bytes of a SHA-256. */
const DIGEST_BYTES = 32;

export const UNIX_MODE = 0o700;

/** Paths of PEM files. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities that client certificates must come from; without it clients need none. */
  readonly clientCaFile?: string | undefined;
}

/**
 * Finds what is wrong with the options before a server is made with them.
 *
 * @param address Where the server is to listen.
 * @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID.
 */
export function checkAccess(options: AccessOptions, address: Address): void {
  checkAccessFits(options, address);
  createAllowList(options.allow);
  checkAccessFiles(options);
}

/** Reads the files that a reload reads again. @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID. */
export function checkAccessFiles({ userFile, tls }: AccessOptions): void {
  if (userFile !== undefined) loadUsers(userFile);
  if (tls !== undefined) loadTls(tls);
}

/**
 * Refuses options that would do nothing on an address: whoever gives them believes otherwise.
 *
 * @throws GoromdbError OPTION_INVALID.
 */
export function checkAccessFits({ allow = [], unixMode }: AccessOptions, address: Address): void {
  const where = formatAddress(address);
  if (address.kind === 'unix' && allow.length > 0) {
    const message = `-allow: ${where} is a UNIX socket, which has no addresses; its mode says who may connect (-unix-mode)`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
  if (address.kind === 'tcp' && unixMode !== undefined) {
    const message = `-unix-mode: only a UNIX socket has a mode, and ${where} is none; -allow says who may connect there`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
}

/** @throws GoromdbError OPTION_INVALID when an entry is no address and no range. */
export function createAllowList(entries: readonly string[] = []): net.BlockList {
  const list = new net.BlockList();
  for (const entry of entries) addEntry(list, entry);
  return list;
}

function addEntry(list: net.BlockList, entry: string): void {
  const [address, prefix, ...rest] = entry.split('/');
  const version = net.isIP(address);
  const bits = version === 4 ? 32 : 128;
  const isRange = prefix !== undefined;
  const isGood = /^\d{1,3}$/.test(prefix ?? '0') && Number(prefix ?? 0) <= bits;
  if (version === 0 || !isGood || rest.length > 0) {
    const message = `"${entry}" is not allowed in the list of addresses; expected one such as 10.1.2.3, 10.0.0.0/8 or fd00::/8`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
  const family = version === 4 ? 'ipv4' : 'ipv6';
  if (isRange) list.addSubnet(address, Number(prefix), family);
  else list.addAddress(address, family);
}

/** Whether a list has an address; IPv4 in IPv6's notation counts as IPv4. */
export function isListed(list: net.BlockList, address: string): boolean {
  return list.check(address, net.isIPv4(address) ? 'ipv4' : 'ipv6');
}

/**
 * Reads a file of `user:password` lines, as memcached's `-Y` takes it.
 *
 * @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID.
 */
export function loadUsers(path: string): Authenticate {
  const text = readText('user file', path);
  const all = text.split(/\r?\n/);
  const lines = all.filter((line) => line !== '' && !line.startsWith('#'));
  const bad = all.indexOf(lines.find((line) => !isUserLine(line)) ?? '#') + 1;
  if (text.length > USER_FILE_BYTES_MAX || lines.length === 0 || bad > 0) {
    // The lines hold passwords: not one is shown.
    const found = bad > 0 ? `line ${bad} is none` : `found ${lines.length} in ${text.length} bytes`;
    const message = `the user file ${path} must have lines of the form user:password, or # and a comment, and at most ${USER_FILE_BYTES_MAX} bytes; ${found}`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
  const users = new Map<string, readonly Buffer[]>();
  for (const line of lines) {
    const [user, password] = split(line);
    const known = [...(users.get(user) ?? []), digest(password)];
    if (known.length > PASSWORDS_MAX) {
      const message = `the user file ${path}: expected at most ${PASSWORDS_MAX} passwords for one user, found more: keep those in use`;
      throw new GoromdbError('OPTION_INVALID', message);
    }
    users.set(user, known);
  }
  // Nobody is compared in the same way: the time it takes does not show whether there is a user.
  const nobody = [randomBytes(DIGEST_BYTES)];
  return (user, password) => {
    const given = digest(password);
    const known = users.get(user) ?? nobody;
    return known.map((one) => timingSafeEqual(one, given)).includes(true);
  };
}

/** The first user of a user file that `loadUsers` takes, and the password: `user password`. */
export function firstLogin(path: string): string {
  const lines = readText('user file', path).split(/\r?\n/);
  return split(lines.find((line) => isUserLine(line) && !line.startsWith('#')) ?? ':').join(' ');
}

/** A line's name and password: the first colon is between them. */
function split(line: string): readonly [user: string, password: string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1)];
}

function isUserLine(line: string): boolean {
  return line.indexOf(':') > 0;
}

/** Digests have one length, which `timingSafeEqual` needs. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}

/**
 * Reads certificates and makes of them what a TLS server needs.
 *
 * @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID: what is wrong with which file.
 */
export function loadTls(files: TlsFiles): tls.TlsOptions {
  const ca = files.clientCaFile === undefined ? {} : clientCa(files.clientCaFile);
  const options: tls.TlsOptions = {
    cert: readPem('TLS certificate', files.certFile, CERTIFICATE),
    key: readPem('TLS key', files.keyFile, PRIVATE_KEY),
    minVersion: 'TLSv1.2',
    ...ca,
  };
  try {
    tls.createSecureContext(options);
  } catch (cause) {
    const names = Object.values(files).filter((file) => file !== undefined);
    const message = `the TLS files do not work together (${names.join(', ')}): ${messageOf(cause)}`;
    throw new GoromdbError('OPTION_INVALID', message, { cause });
  }
  return options;
}

/**
 * When the first of the certificates expires that clients are shown, in ISO 8601; undefined: there are
 * none.
 *
 * @throws GoromdbError as `loadTls`.
 */
export function certificateExpiry({ tls }: AccessOptions): string | undefined {
  if (tls === undefined) return undefined;
  const text = readPem('TLS certificate', tls.certFile, CERTIFICATE);
  const blocks = text.match(/^-----BEGIN [^-]*-----[^-]*-----END [^-]*-----/gm) ?? [];
  const ends = blocks
    .filter((block) => CERTIFICATE.label.test(block))
    .map((block) => Date.parse(new X509Certificate(block).validTo));
  return new Date(Math.min(...ends)).toISOString();
}

/** Paths of PEM files of a client: whom it trusts in place of the system's authorities, and what it shows. */
export interface ClientTlsFiles {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID: what is wrong with which file. */
export function loadClientTls({
  caFile,
  certFile,
  keyFile,
}: ClientTlsFiles): tls.ConnectionOptions {
  return {
    ...(caFile !== undefined && { ca: readPem('CA', caFile, CERTIFICATE) }),
    ...(certFile !== undefined && { cert: readPem('TLS certificate', certFile, CERTIFICATE) }),
    ...(keyFile !== undefined && { key: readPem('TLS key', keyFile, PRIVATE_KEY) }),
  };
}

function clientCa(path: string): tls.TlsOptions {
  const ca = readPem('client CA', path, CERTIFICATE);
  return { ca, requestCert: true, rejectUnauthorized: true };
}

/** What a PEM file must hold (RFC 7468, sections 5, 10, 11 and 13; OpenSSL has the other labels). */
interface PemContent {
  readonly name: string;
  readonly label: RegExp;
}

const CERTIFICATE: PemContent = {
  name: 'certificate',
  label: /^-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/m,
};
const PRIVATE_KEY: PemContent = {
  name: 'private key',
  label: /^-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/m,
};

/**
 * Node takes a file without a certificate, such as an empty one, for none: then no handshake succeeds,
 * and nothing says why.
 */
function readPem(what: string, path: string, { name, label }: PemContent): string {
  const text = readText(what, path);
  if (label.test(text)) return text;
  const found =
    text.trim() === '' ? 'an empty file' : `${Buffer.byteLength(text)} bytes without one`;
  const message = `the ${what} ${path} holds no ${name} in PEM form: expected -----BEGIN …-----, found ${found}`;
  throw new GoromdbError('OPTION_INVALID', message);
}

function readText(what: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code: ErrorCode = 'FILE_UNREADABLE';
    const why = messageOf(explained(cause, path));
    throw new GoromdbError(code, `cannot read the ${what} ${path}: ${why}`, { cause });
  }
}
