import { createHash } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { keyFault } from '../item.ts';
import type { CachedStore, Item } from '../once.ts';
import { type Answer, faultOf, NO_SNIFFING } from './answers.ts';

/** A value is final, so whoever has it may keep it: for a year, the longest that caches take. */
const FOR_EVER = 'public, max-age=31536000, immutable';

/** What is answered with an item. */
interface Told {
  readonly etag: string;
  readonly lasting: OutgoingHttpHeaders;
  /** With the value, or a part of it. */
  readonly all: OutgoingHttpHeaders;
  readonly whole: OutgoingHttpHeaders;
}

/** Of items that were asked for, as long as the cache keeps these. */
const told = new WeakMap<Item, Told>();

/** @param text The path behind `/key/`, with its escapes. */
export function keyOfPath(text: string): Buffer | Answer {
  if (/%(?![\da-f]{2})/i.test(text)) {
    return faultOf(422, 'INVALID', 'expected two hex digits behind each % of the key');
  }
  const bytes = text.replace(/%([\da-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const key = Buffer.from(bytes, 'latin1');
  const fault = keyFault(key);
  return fault === undefined ? key : faultOf(422, 'INVALID', fault);
}

/** `GET` or `HEAD` of a key. */
export async function readOne(
  store: CachedStore,
  key: Buffer,
  request: IncomingMessage,
): Promise<Answer> {
  const reading = await store.read(key);
  if (reading.kind === 'absent') return faultOf(404, 'ABSENT', 'nobody has set this key yet');
  if (reading.kind === 'unavailable') {
    const message = `whether the key is set cannot be said now (${reading.why})`;
    return faultOf(503, 'UNAVAILABLE', message);
  }
  return itemAnswer(reading.item, request);
}

/** With conditions and one range of bytes (RFC 9110, sections 13 and 14). */
export function itemAnswer(item: Item, { headers, method }: IncomingMessage): Answer {
  const { etag, lasting, all, whole } = toldOf(item);
  const { 'if-match': ifMatch } = headers;
  if (ifMatch !== undefined && !matches(ifMatch, etag, false)) {
    return faultOf(412, 'CONDITION_FAILED', 'the key has a value of another ETag');
  }
  const { 'if-none-match': ifNoneMatch, range, 'if-range': ifRange = etag } = headers;
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, etag, true)) {
    return { status: 304, headers: lasting };
  }
  const { value } = item;
  // Of other methods a range means nothing (RFC 9110, section 14.2).
  const isPart = method === 'GET' && ifRange === etag;
  const part = isPart ? partOf(range, value.length) : undefined;
  if (part === undefined) {
    return { status: 200, headers: whole, body: value };
  }
  if (part === 'none') {
    const answer = faultOf(416, 'NO_SUCH_RANGE', `the value has ${value.length} bytes`);
    const contentRange = `bytes */${value.length}`;
    return { ...answer, headers: { ...answer.headers, 'content-range': contentRange } };
  }
  const [start, end] = part;
  const contentRange = `bytes ${start}-${end - 1}/${value.length}`;
  return {
    status: 206,
    headers: { ...all, 'content-range': contentRange, 'content-length': end - start },
    body: value.subarray(start, end),
  };
}

/** What only some may read is not for a cache that others share. */
export function asPrivate(answer: Answer): Answer {
  if (answer.headers['cache-control'] !== FOR_EVER) return answer;
  const mine = { 'cache-control': FOR_EVER.replace('public', 'private') };
  return { ...answer, headers: { ...answer.headers, ...mine } };
}

function toldOf(item: Item): Told {
  const known = told.get(item);
  if (known !== undefined) return known;
  const digest = createHash('sha256').update(item.type).update('\0').update(item.value);
  const etag = `"${digest.digest('base64url').slice(0, 22)}"`;
  const lasting = { etag, 'cache-control': FOR_EVER };
  const all = {
    ...lasting,
    ...NO_SNIFFING,
    'content-type': item.type || 'application/octet-stream',
    'accept-ranges': 'bytes',
    // Whoever sets a key must not have scripts run in the name of this server.
    'content-security-policy': 'sandbox',
  };
  const whole = { ...all, 'content-length': item.value.length };
  const made = { etag, lasting, all, whole };
  told.set(item, made);
  return made;
}

/** @param isWeak Whether `W/"…"` matches as well. */
function matches(condition: string, etag: string, isWeak: boolean): boolean {
  if (condition.trim() === '*') return true;
  return condition.split(',').some((one) => {
    const text = one.trim();
    return text === etag || (isWeak && text === `W/${etag}`);
  });
}

/** @returns undefined for all of it: no range was asked for, or several, or in a form that is none. */
function partOf(
  range: string | undefined,
  length: number,
): readonly [start: number, end: number] | 'none' | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range ?? '') ?? [];
  if (first === undefined || (first === '' && last === '')) return undefined;
  if (first === '') {
    const bytes = Math.min(Number(last), length);
    return bytes === 0 ? 'none' : [length - bytes, length];
  }
  const start = Number(first);
  const end = last === '' ? length : Math.min(Number(last) + 1, length);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= length ? 'none' : [start, end];
}
