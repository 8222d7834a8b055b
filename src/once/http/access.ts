import type { IncomingMessage } from 'node:http';
import type { Address } from '../../common/address.ts';
import { bearerOf, isOfOtherSite, originFault, type Token } from '../../http/guard.ts';
import type { Authenticate } from '../../protocol/protocol.ts';
import { type Answer, faultOf } from './answers.ts';

/** What somebody must know. */
export interface Secrets {
  /** Whoever creates keys must have it, or a login. Default: everybody may. */
  readonly token?: Token | undefined;
  /** Whoever reads or creates keys must be one of them, or have the token. Default: everybody may. */
  readonly users?: Authenticate | undefined;
}

/** Who may read keys, and who may create them. */
export interface Access extends Secrets {
  readonly address: Address;
  /** Names by which clients may ask who create keys with neither token nor login. */
  readonly hosts?: readonly string[];
}

/** RFC 7617. */
const BASIC = 'Basic realm="goromdb once", charset="UTF-8"';

/** Why somebody may not do what was asked; undefined: nothing speaks against it. */
export function accessFault(
  { address, hosts = [], token, users }: Access,
  request: IncomingMessage,
  isCreation: boolean,
): Answer | undefined {
  const given = bearerOf(request);
  if (token !== undefined && given !== undefined && token(given)) return undefined;
  if (users !== undefined) {
    const login = loginOf(request);
    if (login === undefined || !users(...login)) {
      return unauthorized('a login by HTTP Basic', [BASIC, ...(token ? ['Bearer'] : [])]);
    }
    // A browser sends a login for pages of other sites, too.
    const isForeign = isCreation && isOfOtherSite(request);
    return isForeign ? forbidden('Origin is not of this server') : undefined;
  }
  if (!isCreation) return undefined;
  if (token !== undefined) return unauthorized('the token as Authorization: Bearer', ['Bearer']);
  const fault = originFault(request, address, hosts);
  return fault === undefined ? undefined : forbidden(fault);
}

function forbidden(fault: string): Answer {
  return faultOf(403, 'FORBIDDEN', fault);
}

function unauthorized(expected: string, challenges: string[]): Answer {
  const answer = faultOf(401, 'UNAUTHORIZED', `expected ${expected}`);
  return { ...answer, headers: { ...answer.headers, 'www-authenticate': challenges } };
}

/** The name and password of a request (RFC 7617, section 2). */
function loginOf({
  headers,
}: IncomingMessage): readonly [user: string, password: string] | undefined {
  const [, base64] = /^Basic +([\da-z+/]+=*)$/i.exec(headers.authorization ?? '') ?? [];
  if (base64 === undefined) return undefined;
  const login = Buffer.from(base64, 'base64').toString('utf8');
  const colon = login.indexOf(':');
  return colon < 0 ? undefined : [login.slice(0, colon), login.slice(colon + 1)];
}
