import type { IncomingMessage } from 'node:http';
import { keyFault, wishFault } from '../item.ts';
import { VALUE_BYTES_MAX, WISHES_MAX } from '../limits.ts';
import type { CachedStore, Wish } from '../once.ts';
import {
  type Answer,
  CREATIONS,
  creationAnswer,
  faultOf,
  jsonAnswer,
  messageOfCreation,
} from './answers.ts';
import { withBody } from './body.ts';

/** Bytes of JSON: a character of the longest value may take six of them, as \u0001 does. */
const JSON_BYTES_MAX = 8 * 1024 * 1024;

/** Objects, lists, and commas between what is in them: the largest list of keys has fewer. */
const JSON_PARTS_MAX = 8 * WISHES_MAX;

/** Half of a character, which UTF-8 cannot hold. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** What a value is that came as a text in JSON. */
const TEXT_TYPE = 'text/plain; charset=utf-8';
const BYTES_TYPE = 'application/octet-stream';

/** `POST /key` with `{"key": …, "value": …}`. */
export function createOne(store: CachedStore, request: IncomingMessage): Promise<Answer> {
  return withBody(request, JSON_BYTES_MAX, async (body) => {
    const wish = wishOf(hasManyParts(body) ? undefined : parsed(body));
    if (typeof wish === 'string') return invalid(wish);
    return wishAnswer(wish) ?? creationAnswer(await store.create(wish));
  });
}

/** `POST /keys` with a list of such objects: what came of each is in the answer, in their order. */
export function createMany(store: CachedStore, request: IncomingMessage): Promise<Answer> {
  return withBody(request, JSON_BYTES_MAX, async (body) => {
    if (hasManyParts(body)) return notSoMany('many more');
    const list = parsed(body);
    if (!Array.isArray(list)) return invalid('expected a list of objects with key and value');
    if (list.length === 0) return invalid('expected at least one key, found none');
    if (list.length > WISHES_MAX) return notSoMany(String(list.length));
    const wishes: Wish[] = [];
    const names = new Set<string>();
    for (const [i, one] of list.entries()) {
      const wish = wishOf(one);
      const fault = typeof wish === 'string' ? wish : (keyFault(wish.key) ?? wishFault(wish));
      if (typeof wish === 'string' || fault !== undefined) return invalid(`at [${i}]: ${fault}`);
      names.add(wish.key.toString('latin1'));
      if (names.size === wishes.length) return invalid(`at [${i}]: expected each key once`);
      wishes.push(wish);
    }
    const creations = await store.createAll(wishes);
    const results = creations.map((creation, i) => {
      const [status, code] = CREATIONS[creation.kind];
      const key = wishes[i].key.toString('utf8');
      return { key, status, code, message: messageOfCreation(creation) };
    });
    return jsonAnswer(207, { results });
  });
}

function notSoMany(found: string): Answer {
  const message = `expected 1 to ${WISHES_MAX} keys, found ${found}: nothing was created`;
  return faultOf(413, 'TOO_MANY', message);
}

/** `PUT /key/KEY` with the value as the body. */
export function putOne(
  store: CachedStore,
  key: Buffer,
  request: IncomingMessage,
): Answer | Promise<Answer> {
  const { headers } = request;
  const { 'if-none-match': condition, 'content-type': type = BYTES_TYPE } = headers;
  if (condition !== '*') {
    const message = 'expected If-None-Match: *, since a key is created and never replaced';
    return faultOf(428, 'CONDITION_MISSING', message);
  }
  // Else whoever did not escape it would create another key, for ever.
  if (request.url?.includes('?')) return invalid('expected a path without ?: in a key it is %3F');
  // Nor keep, for ever, a part of a value, or what nobody could decode.
  const { 'transfer-encoding': coding = 'chunked' } = headers;
  const isEncoded = headers['content-encoding'] !== undefined || coding.toLowerCase() !== 'chunked';
  if (isEncoded || headers['content-range'] !== undefined) {
    return invalid('expected a whole value as it is: without a range, and not compressed');
  }
  return withBody(request, VALUE_BYTES_MAX, async (body) => {
    // A copy: the memory of a body may be larger than what is in it.
    const wish = { key, value: Buffer.from(body), flags: 0, type };
    return wishAnswer(wish) ?? creationAnswer(await store.create(wish));
  });
}

/** Why a wish cannot be granted; undefined: it can. */
function wishAnswer(wish: Wish): Answer | undefined {
  const key = keyFault(wish.key);
  if (key !== undefined) return invalid(key);
  const fault = wishFault(wish);
  if (fault === undefined) return undefined;
  const isLarge = wish.value.length > VALUE_BYTES_MAX;
  return isLarge ? faultOf(413, 'TOO_LARGE', `${fault}: nothing was created`) : invalid(fault);
}

function invalid(fault: string): Answer {
  return faultOf(422, 'INVALID', `${fault}: nothing was created`);
}

/** @returns undefined: it is no JSON in UTF-8. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown;
  } catch {
    return undefined;
  }
}

/**
 * Whether there is too much in JSON to be read: 8 MiB of `[],[],…` took a second, in which nobody else
 * was answered (2026-11-28).
 */
function hasManyParts(body: Buffer): boolean {
  let parts = 0;
  let isInText = false;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i];
    if (byte === QUOTE) isInText = !isInText;
    else if (isInText && byte === BACKSLASH) i++;
    else if (!isInText && (byte === COMMA || byte === BRACE || byte === BRACKET)) parts++;
    if (parts > JSON_PARTS_MAX) return true;
  }
  return false;
}

const [QUOTE, BACKSLASH, COMMA, BRACE, BRACKET] = Buffer.from('"\\,{[');

/** @returns A text that says what is wrong. */
function wishOf(json: unknown): Wish | string {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    return 'expected a JSON object with key and value';
  }
  const { key, value, valueBase64, type, ...others } = json as Record<string, unknown>;
  const [other] = Object.keys(others);
  if (other !== undefined) {
    return `expected key, value or valueBase64, and type, found ${JSON.stringify(other)}`;
  }
  if (typeof key !== 'string' || LONE_SURROGATE.test(key)) return 'expected a key that is a text';
  if (type !== undefined && typeof type !== 'string') return 'expected a type that is a text';
  const isText = typeof value === 'string' && valueBase64 === undefined;
  const bytes = isText ? Buffer.from(value, 'utf8') : bytesOf(value, valueBase64);
  if (bytes === undefined || (isText && LONE_SURROGATE.test(value))) {
    return 'expected a value that is a text, or a valueBase64';
  }
  const fallback = isText ? TEXT_TYPE : BYTES_TYPE;
  return { key: Buffer.from(key, 'utf8'), value: bytes, flags: 0, type: type ?? fallback };
}

function bytesOf(value: unknown, base64: unknown): Buffer | undefined {
  if (value !== undefined || typeof base64 !== 'string') return undefined;
  const bytes = Buffer.from(base64, 'base64');
  // Node skips what is no base64.
  return bytes.toString('base64') === base64 ? bytes : undefined;
}
