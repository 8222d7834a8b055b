import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../common/errors.ts';
import type { Endpoint } from './endpoint.ts';
import { endOfPrefix, type Follower, type Found, type KeyValue, type Watcher } from './etcd.ts';
import type { Gateway } from './gateway.ts';
import {
  LIST_KEYS_MAX,
  RESUME_MS_MAX,
  RESUME_MS_MIN,
  WATCH_CHECK_MS,
  WATCH_LINE_BYTES_MAX,
} from './limits.ts';
import {
  base64,
  foundOf,
  numberOf,
  rangeJson,
  recordOf,
  statusOf,
  type WireRecord,
} from './wire.ts';

interface WireEvents {
  readonly header?: { readonly revision?: string };
  readonly events?: readonly { readonly type?: string; readonly kv?: WireRecord }[];
  readonly canceled?: boolean;
  /** Whether the rest of these events comes in the next line. */
  readonly fragment?: boolean;
  readonly compact_revision?: string;
}

/** Keys from one on, up to the first that is not meant. */
interface KeySpan {
  readonly key: Buffer;
  readonly end: Buffer;
}

/**
 * Reports what is under a prefix, and each change of it, until the signal. When etcd has compacted changes
 * away that were not reported, it lists all again.
 */
export async function watchPrefix(
  gateway: Gateway,
  prefix: Buffer,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<void> {
  let pauseMs = RESUME_MS_MIN;
  while (!signal.aborted) {
    try {
      const found = await listAll(gateway, prefix);
      if (signal.aborted) return;
      watcher.onList(found);
      pauseMs = RESUME_MS_MIN;
      const range = { key: prefix, end: endOfPrefix(prefix) };
      await followRange(gateway, range, found.revision + 1, watcher, signal);
    } catch (error) {
      if (!signal.aborted) watcher.onBreak?.(messageOf(error));
    }
    await pause(pauseMs, signal);
    pauseMs = Math.min(2 * pauseMs, RESUME_MS_MAX);
  }
}

/**
 * Reports each change of some keys, until the signal, or until changes are compacted away that were not
 * reported. When the connection breaks, it goes on behind the last change that it has reported.
 */
export async function followRange(
  gateway: Gateway,
  range: KeySpan,
  from: number,
  follower: Follower,
  signal: AbortSignal,
): Promise<void> {
  /** Changes up to this revision were reported. */
  let revision = from - 1;
  let pauseMs = RESUME_MS_MIN;
  while (!signal.aborted) {
    let why: string;
    try {
      why = await follow(gateway, range, revision + 1, signal, (events) => {
        pauseMs = RESUME_MS_MIN;
        revision = report(events, revision, follower);
      });
    } catch (error) {
      why = messageOf(error);
    }
    if (signal.aborted) return;
    follower.onBreak?.(why);
    if (why === COMPACTED) return;
    // It does not say why: the token may be none any more, as after a restart of etcd.
    if (why === CANCELLED) await gateway.renewToken();
    await pause(pauseMs, signal);
    pauseMs = Math.min(2 * pauseMs, RESUME_MS_MAX);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}

const CANCELLED = 'etcd has cancelled the watch';
const COMPACTED = 'the changes since the last one seen are compacted away';

/** @returns The revision up to which all was reported. */
function report(
  { header, events = [], fragment }: WireEvents,
  before: number,
  follower: Follower,
): number {
  let last = before;
  for (const { type, kv = {} } of events) {
    const record = recordOf(kv);
    last = Math.max(last, record.modRevision);
    follower.onChange({ kind: type === 'DELETE' ? 'removed' : 'put', record }, record.modRevision);
  }
  // The rest of its last revision may come in the next one.
  if (fragment === true) return Math.max(before, last - 1);
  return events.length === 0 ? last : Math.max(last, numberOf(header?.revision));
}

/** All pages of a list, at one revision. */
async function listAll(gateway: Gateway, prefix: Buffer): Promise<Found> {
  const end = endOfPrefix(prefix);
  const records: KeyValue[] = [];
  let revision = 0;
  let key = prefix;
  for (;;) {
    const range = { key, end, limit: LIST_KEYS_MAX, ...(revision > 0 && { revision }) };
    const outcome = await gateway.post('/v3/kv/range', rangeJson(range), 'read', foundOf);
    if (outcome.kind !== 'done') throw new Error(outcome.why);
    const page = outcome.value;
    if (revision === 0) revision = page.revision;
    for (const record of page.records) records.push(record);
    const last = page.records.at(-1);
    if (!page.hasMore || last === undefined) return { revision, records, hasMore: false };
    key = Buffer.concat([last.key, Buffer.of(0)]);
  }
}

/** @returns Why it has ended. */
async function follow(
  gateway: Gateway,
  { key, end }: KeySpan,
  from: number,
  signal: AbortSignal,
  onEvents: (events: WireEvents) => void,
): Promise<string> {
  const endpoint = gateway.current;
  const range = { key: base64(key), range_end: base64(end), start_revision: String(from) };
  // In fragments: etcd sends a thousand revisions at once, each of values of a megabyte.
  const body = JSON.stringify({ create_request: { ...range, fragment: true } });
  const cut = new AbortController();
  const stop = (): void => cut.abort(new Error('the watch was stopped'));
  signal.addEventListener('abort', stop);
  const check = setInterval(() => void cutIfLost(gateway, endpoint, stop), WATCH_CHECK_MS);
  try {
    const response = endpoint.stream('/v3/watch', body, gateway.token, cut.signal);
    for await (const events of eventsOf(response)) {
      if (events.compact_revision !== undefined && events.compact_revision !== '0')
        return COMPACTED;
      if (events.canceled === true) return CANCELLED;
      onEvents(events);
    }
    return 'etcd has ended the watch';
  } catch (error) {
    gateway.leave(endpoint);
    return messageOf(error);
  } finally {
    clearInterval(check);
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** A stopped process keeps its connections open, and so does one without a quorum: it must be asked. */
async function cutIfLost(gateway: Gateway, endpoint: Endpoint, cut: () => void): Promise<void> {
  const path = '/v3/maintenance/status';
  const outcome = await gateway.post(path, {}, 'read', statusOf, endpoint);
  if (outcome.kind !== 'done' || outcome.value.leaderId === '0') cut();
}

/** The lines of a watch, each one a JSON object. */
async function* eventsOf(response: AsyncIterable<Buffer>): AsyncGenerator<WireEvents> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    let from = 0;
    for (let at = chunk.indexOf(0x0a); at >= 0; at = chunk.indexOf(0x0a, from)) {
      pieces.push(chunk.subarray(from, at));
      from = at + 1;
      const line = Buffer.concat(pieces).toString('utf8');
      pieces = [];
      bytes = 0;
      if (line.trim() === '') continue;
      const { result, error } = JSON.parse(line) as { result?: WireEvents; error?: object };
      if (error !== undefined) throw new Error(JSON.stringify(error));
      if (result !== undefined) yield result;
    }
    bytes += chunk.length - from;
    if (bytes > WATCH_LINE_BYTES_MAX) {
      throw new Error(`a line of more than ${WATCH_LINE_BYTES_MAX} bytes`);
    }
    pieces.push(chunk.subarray(from));
  }
}
