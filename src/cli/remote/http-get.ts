/** What belongs in this folder: asks servers over the network, and reads what they say. */
import http from 'node:http';
import https from 'node:https';
import { type Address, formatAddress } from '../../common/address.ts';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { explained } from '../../common/system-fault.ts';

/** How long a server may take for its answer. */
export const ANSWER_MS_MAX = 5_000;
/** Longest answer that is read: a few kilobytes for each data set. */
export const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

/** Where a server answers HTTP. */
export type HttpPlace = URL | Address;

export interface HttpAnswer {
  readonly status: number | undefined;
  readonly text: string;
}

/**
 * Asks a server once.
 *
 * @param path With what follows the `?`.
 * @throws GoromdbError SERVER_FAILED when there is no answer.
 */
export async function httpGet(place: HttpPlace, path: string): Promise<HttpAnswer> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const request = open(place, path, signal);
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      request.once('response', resolve).once('error', reject);
    });
    let text = '';
    for await (const piece of response.setEncoding('utf8')) {
      text += piece;
      if (text.length <= ANSWER_BYTES_MAX) continue;
      throw new Error(`expected at most ${ANSWER_BYTES_MAX} bytes, found more`);
    }
    return { status: response.statusCode, text };
  } catch (cause) {
    const message = `no answer from ${nameOf(place)}: ${messageOf(explained(cause, nameOf(place)))}${hintOf(cause)}`;
    throw new GoromdbError('SERVER_FAILED', message, { cause });
  }
}

/** A server of memcached ends the connection, as ours does; any other program may say something else. */
function hintOf(cause: unknown): string {
  const isOther = cause instanceof Error && /socket hang up|^Parse Error/.test(cause.message);
  return isOther ? ': expected the -http address of a server' : '';
}

/** As a message names it, without what a URL may hold of a password. */
export function nameOf(place: HttpPlace): string {
  return place instanceof URL ? place.origin : formatAddress(place);
}

function open(place: HttpPlace, path: string, signal: AbortSignal): http.ClientRequest {
  if (place instanceof URL) {
    const { get } = place.protocol === 'https:' ? https : http;
    return get(new URL(path, place), { agent: false, signal });
  }
  const target =
    place.kind === 'unix'
      ? { socketPath: place.path }
      : { host: place.host ?? 'localhost', port: place.port };
  return http.get({ ...target, path, agent: false, signal });
}
