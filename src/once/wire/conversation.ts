import type { Socket } from 'node:net';
import { binaryProtocol } from '../../protocol/binary/binary.ts';
import { REQUEST_MAGIC } from '../../protocol/binary/packet.ts';
import { memcachedProtocol } from '../../protocol/memcached/memcached.ts';
import type { Session, SessionContext } from '../../protocol/protocol.ts';
import type { Reply } from '../../protocol/reply.ts';
import { isRespStart, respProtocol } from '../../protocol/resp/resp.ts';
import { keyFault } from '../item.ts';
import type { CachedStore, Item } from '../once.ts';
import { binaryRequests } from './binary.ts';
import type { Known } from './known-view.ts';
import type { Request, RequestFinder } from './request.ts';
import { respRequests } from './resp.ts';
import { textRequests } from './text.ts';

/** Keys that are read side by side for one request. */
const READS_AT_ONCE = 64;
/** Bytes of input that all connections together may wait with. */
const INPUT_BYTES_MAX = 256 * 1024 * 1024;
/** A client that reads nothing for so long is cut off. */
const STALL_MS_MAX = 60_000;

export interface ConversationParts {
  readonly store: CachedStore;
  readonly context: SessionContext;
  /** Gives sessions what they may answer from. */
  know(known: Known): void;
  /** Is empty whenever nothing runs: all connections share it. */
  readonly reply: Reply;
}

let inputBytes = 0;

/** Answers one client, one request after the other, until it goes away. */
export async function converse(socket: Socket, parts: ConversationParts): Promise<void> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  let needed = 1;
  let speech: Speech | undefined;
  try {
    // The iterator reads no more while a request is being answered.
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      pieces.push(chunk);
      bytes += chunk.length;
      inputBytes += chunk.length;
      if (inputBytes > INPUT_BYTES_MAX) return;
      if (bytes < needed) continue;
      const input = pieces.length === 1 ? chunk : Buffer.concat(pieces);
      pieces = [input];
      speech ??= speechOf(input, parts.context);
      if (speech === undefined) continue;
      const rest = await answerAll(socket, parts, speech, input);
      if (speech.isOver || speech.session.state !== 'open') return;
      // A copy: what was answered of the memory is not kept.
      pieces = rest.length === 0 ? [] : [Buffer.from(rest)];
      inputBytes -= bytes - rest.length;
      bytes = rest.length;
      needed = Math.max(speech.needed, bytes + 1);
    }
  } finally {
    inputBytes -= bytes;
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
    await answer(socket, parts, speech, request, input.subarray(at, next));
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
  const known = await readAll(parts.store, request.keys);
  if (typeof known !== 'string') return say(socket, parts, speech, bytes, known);
  return write(socket, request.fault(known.replaceAll(/[\r\n]+/g, ' ')));
}

/** @returns A text that says why not. */
async function readAll(store: CachedStore, keys: readonly Buffer[]): Promise<Known | string> {
  if (keys.length === 0) return NOTHING;
  const known = new Map<string, Item | undefined>();
  const misses: Buffer[] = [];
  for (const key of keys) {
    const item = store.cached(key);
    if (item !== undefined) known.set(key.toString('latin1'), item);
    else if (keyFault(key) === undefined) misses.push(key);
  }
  for (let i = 0; i < misses.length; i += READS_AT_ONCE) {
    const some = misses.slice(i, i + READS_AT_ONCE);
    const readings = await Promise.all(some.map((key) => store.read(key)));
    for (const [j, reading] of readings.entries()) {
      if (reading.kind === 'unavailable') return `etcd cannot be asked now: ${reading.why}`;
      const item = reading.kind === 'found' ? reading.item : undefined;
      known.set(some[j].toString('latin1'), item);
    }
  }
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
