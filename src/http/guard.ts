/** Who may ask what. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Address } from '../common/address.ts';
import { GoromdbError, messageOf } from '../common/errors.ts';
import { readAtMost } from '../common/files.ts';
import { explained } from '../common/system-fault.ts';
import { TOKEN_BYTES_MAX, TOKEN_CHARS_MIN } from './limits.ts';

/**
 * The host of a `Host` header, without port and brackets, in lower case; undefined when it is none (RFC
 * 9110, section 7.2).
 */
function hostOf(header: string): string | undefined {
  const [, host] = /^(\[[\da-f:.]+\]|[^\s:/@[\]]+)(?::\d{0,5})?$/i.exec(header) ?? [];
  return host?.replace(/^\[|\]$/g, '').toLowerCase();
}

/**
 * Why a request is refused for where it comes from; undefined: it is not. A page of another site can have
 * a browser ask us, by a name of its own that leads here (DNS rebinding), but never by an IP address.
 *
 * @param hosts Names that are allowed beside localhost, IP addresses, and the host of the address.
 */
export function originFault(
  request: IncomingMessage,
  address: Address,
  hosts: readonly string[],
): string | undefined {
  if (isOfOtherSite(request)) return 'Origin is not of this server';
  // No browser opens a UNIX socket.
  if (address.kind === 'unix') return undefined;
  const host = hostOf(request.headers.host ?? '');
  const names = ['localhost', address.host, ...hosts].map((name) => name?.toLowerCase());
  if (host !== undefined && (isIP(host) !== 0 || names.includes(host))) return undefined;
  return 'Host is not a name of this server: -http-host allows one';
}

/** Whether a browser asks for a page of another server. */
export function isOfOtherSite({ headers: { host, origin } }: IncomingMessage): boolean {
  if (origin === undefined) return false;
  return !/^https?:\/\//.test(origin) || origin.replace(/^https?:\/\//, '') !== host;
}

/** Compares a token with the one of a file. */
export type Token = (given: string) => boolean;

/** @throws GoromdbError FILE_UNREADABLE, OPTION_INVALID. */
export async function readToken(path: string): Promise<Token> {
  let token: string;
  try {
    const bytes = await readAtMost(path, TOKEN_BYTES_MAX + 1, { followsLinks: true });
    token = bytes.length > TOKEN_BYTES_MAX ? '' : bytes.toString('latin1').trim();
  } catch (cause) {
    const why = messageOf(explained(cause, path));
    throw new GoromdbError('FILE_UNREADABLE', `cannot read the token file ${path}: ${why}`, {
      cause,
    });
  }
  if (token.length < TOKEN_CHARS_MIN || !/^[\x21-\x7e]+$/.test(token)) {
    // It is a secret: nothing of it is shown.
    const message = `the token file ${path}: expected one line of ${TOKEN_CHARS_MIN} to ${TOKEN_BYTES_MAX} visible ASCII characters, found another content`;
    throw new GoromdbError('OPTION_INVALID', message);
  }
  const known = digest(token);
  return (given) => timingSafeEqual(known, digest(given));
}

/** The token that a request brings (RFC 6750, section 2.1). */
export function bearerOf({ headers }: IncomingMessage): string | undefined {
  return /^Bearer +([\x21-\x7e]+)$/i.exec(headers.authorization ?? '')?.[1];
}

/** Digests have one length, which `timingSafeEqual` needs. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'latin1').digest();
}
