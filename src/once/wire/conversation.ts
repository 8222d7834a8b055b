import type { Socket } from 'node:net';
import { binaryProtocol } from '../../protocol/binary/binary.ts';
import { REQUEST_MAGIC } from '../../protocol/binary/packet.ts';
import { memcachedProtocol } from '../../protocol/memcached/memcached.ts';
import type { Session, SessionContext } from '../../protocol/protocol.ts';
import type { Reply } from '../../protocol/reply.ts';
import { isRespStart, respProtocol } from '../../protocol/resp/resp.ts';
import { Gathered } from '../gathered.ts';
import type { Guests } from '../guests.ts';
import { HeldBytes, type Holder } from '../held-bytes.ts';
import { keyFault } from '../item.ts';
import type { CachedStore, Item } from '../once.ts';
import { binaryRequests } from './binary.ts';
import type { Known } from './known-view.ts';
import type { Request, RequestFinder } from './request.ts';
import { respRequests } from './resp.ts';
import { textRequests } from './text.ts';

/** Keys that are read side by side for one request. */
const READS_AT_ONCE = 64;
/** Keys that one request may read. */
const KEYS_MAX = 10_000;
/** Bytes of input that all connections together may wait with. */
const INPUT_BYTES_MAX = 256 * 1024 * 1024;
/** Bytes of the values that one request reads, and of those of all requests at one time. */
const REQUEST_VALUES_BYTES_MAX = 64 * 1024 * 1024;
const VALUES_BYTES_MAX = 256 * 1024 * 1024;
/** A client that reads nothing for so long is cut off. */
const STALL_MS_MAX = 60_000;

export interface ConversationParts {
  readonly store: CachedStore;
  readonly context: SessionContext;
  /** Gives sessions what they may answer from. */
  know(known: Known): void;
  /** Is empty whenever nothing runs: all connections share it. */
  readonly reply: Reply;
  readonly guests: Guests;
}

const inputs = new HeldBytes(INPUT_BYTES_MAX);
const values = new HeldBytes(VALUES_BYTES_MAX);

/** Answers one client, one request after the other, until it goes away. */
export async function converse(socket: Socket, parts: ConversationParts): Promise<void> {
  const gathered = new Gathered();
  const holder = { cut: () => void socket.destroy() };
  let needed = 1;
  let speech: Speech | undefined;
  try {
    // The iterator reads no more while a request is being answered.
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      const isFirst = gathered.length === 0;
      if (!isFirst || chunk.length < needed) gathered.append(chunk);
      inputs.note(holder, gathered.length);
      const input = isFirst ? chunk : gathered.bytes;
      if (input.length < needed) continue;
      speech ??= speechOf(input, parts.context);
      if (speech === undefined) {
        if (isFirst) gathered.append(chunk);
        continue;
      }
      const rest = await answerAll(socket, parts, speech, input);
      if (speech.isOver || speech.session.state !== 'open') return;
      if (isFirst) gathered.append(rest);
      else gathered.dropFirst(input.length - rest.length);
      inputs.note(holder, gathered.length);
      needed = Math.max(speech.needed, gathered.length + 1);
    }
  } finally {
    inputs.note(holder, 0);
    speech?.session.close();
    socket.destroySoon();
  }
}

/** What a client speaks. */
interface Speech {
  readonly session: Session;
  readonly requests: RequestFinder;
  /** Bytes of a request to come, and whether the session reads them; else nobody does. */
  left: number;
  isForSession: boolean;
  /** Bytes of input without which there is nothing to do. */
  needed: number;
  isOver: boolean;
}

/** @returns undefined: more input decides. */
function speechOf(input: Buffer, context: SessionContext): Speech | undefined {
  const rest = { left: 0, isForSession: false, needed: 0, isOver: false };
  if (input[0] === REQUEST_MAGIC) {
    return { session: binaryProtocol.createSession(context), requests: binaryRequests, ...rest };
  }
  const isResp = isRespStart(input, 0, input.length);
  if (isResp === undefined) return undefined;
  const protocol = isResp ? respProtocol : memcachedProtocol;
  const requests = isResp ? respRequests() : textRequests();
  return { session: protocol.createSession(context), requests, ...rest };
}

/** @returns The input that is not done with. */
async function answerAll(
  socket: Socket,
  parts: ConversationParts,
  speech: Speech,
  input: Buffer,
): Promise<Buffer> {
  let at = 0;
  while (at < input.length && speech.session.state === 'open') {
    if (speech.left > 0) {
      const next = Math.min(input.length, at + speech.left);
      speech.left -= next - at;
      if (speech.isForSession) await say(socket, parts, speech, input.subarray(at, next), NOTHING);
      at = next;
      continue;
    }
    const request = speech.requests.next(input.subarray(at));
    if (request.kind === 'partial') {
      speech.needed = request.needed ?? 0;
      break;
    }
    speech.needed = 0;
    const next = Math.min(input.length, at + request.bytes);
    speech.left = at + request.bytes - next;
    speech.isForSession = request.kind === 'session';
    parts.guests.begin(socket);
    await answer(socket, parts, speech, request, input.subarray(at, next));
    parts.guests.end(socket);
    if (request.kind === 'say' && request.closes === true) {
      speech.isOver = true;
      break;
    }
    at = next;
  }
  return input.subarray(at);
}

const NOTHING: Known = new Map();

async function answer(
  socket: Socket,
  parts: ConversationParts,
  speech: Speech,
  request: Exclude<Request, { kind: 'partial' }>,
  bytes: Buffer,
): Promise<void> {
  if (request.kind === 'say') return write(socket, request.text);
  if (request.kind === 'create') {
    return write(socket, request.answer(await parts.store.create(request.wish)));
  }
  const holder = { cut: () => void socket.destroy() };
  try {
    const known = await readAll(parts.store, request.keys, holder);
    if (typeof known !== 'string') return await say(socket, parts, speech, bytes, known);
    return await write(socket, request.fault(known.replaceAll(/[\r\n]+/g, ' ')));
  } finally {
    values.note(holder, 0);
  }
}

/** @returns A text that says why not. */
async function readAll(
  store: CachedStore,
  keys: readonly Buffer[],
  holder: Holder,
): Promise<Known | string> {
  if (keys.length === 0) return NOTHING;
  if (keys.length > KEYS_MAX) return `expected at most ${KEYS_MAX} keys, found ${keys.length}`;
  const known = new Map<string, Item | undefined>();
  const misses = new Map<string, Buffer>();
  let bytes = 0;
  const learn = (name: string, item: Item | undefined): void => {
    bytes += item?.value.length ?? 0;
    known.set(name, item);
  };
  for (const key of keys) {
    const name = key.toString('latin1');
    if (known.has(name)) continue;
    const item = store.cached(key);
    if (item !== undefined) learn(name, item);
    else if (keyFault(key) === undefined) misses.set(name, key);
  }
  const names = [...misses.keys()];
  for (let i = 0; i < names.length && bytes <= REQUEST_VALUES_BYTES_MAX; i += READS_AT_ONCE) {
    values.note(holder, bytes);
    const some = names.slice(i, i + READS_AT_ONCE);
    const readings = await Promise.all(some.map((name) => store.read(misses.get(name)!)));
    for (const [j, reading] of readings.entries()) {
      if (reading.kind === 'unavailable') return `etcd cannot be asked now: ${reading.why}`;
      learn(some[j], reading.kind === 'found' ? reading.item : undefined);
    }
  }
  if (bytes > REQUEST_VALUES_BYTES_MAX) {
    return `expected values of at most ${REQUEST_VALUES_BYTES_MAX} bytes together, found more`;
  }
  values.note(holder, bytes);
  return known;
}

/** Has the session answer, and sends what it says. */
async function say(
  socket: Socket,
  { know, reply }: ConversationParts,
  { session }: Speech,
  bytes: Buffer,
  known: Known,
): Promise<void> {
  let at = 0;
  do {
    know(known);
    let used = 0;
    let text: Buffer;
    try {
      used = session.receive(bytes, at, bytes.length, reply);
      text = Buffer.concat(reply.take());
    } finally {
      reply.reset();
      know(NOTHING);
    }
    at += used;
    await write(socket, text);
    if (used === 0 && text.length === 0) return;
  } while (at < bytes.length && session.state === 'open');
}

/** Sends, and waits until the client has taken enough of it. */
async function write(socket: Socket, text: Buffer | string): Promise<void> {
  if (text.length === 0 || socket.destroyed) return;
  if (socket.write(text)) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      socket.off('drain', done).off('close', done);
      resolve();
    };
    const timer = setTimeout(() => socket.destroy(), STALL_MS_MAX);
    socket.once('drain', done).once('close', done);
  });
}
