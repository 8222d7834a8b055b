import { recordBytes } from '../../storage/record.ts';
import type { DataSetInfo, Entry } from '../../storage/storage.ts';
import type { SessionContext } from '../protocol.ts';
import type { Reply } from '../reply.ts';
import { skipSpaces, wordEnd } from './line.ts';
import { FLAG, MetaWords, OPAQUE_TOO_LONG } from './meta-flags.ts';
import { protocolError } from './protocol-error.ts';
import { BAD_FORMAT } from './writes.ts';

const HIT = Buffer.from('HD');
const VALUE = Buffer.from('VA ');
const MISS = Buffer.from('EN');
const LINE_END = Buffer.from('\r\n');

/** Time left to live: records never expire. */
const FOREVER = Buffer.from('-1');

const words = new MetaWords();

/**
 * `mg <key> <flags>*` (memcached's protocol.txt, "Meta Get"), of which line[from, end) is what
 * stands behind the command. Flags that would change the item (T, N, R) are checked and then do
 * nothing: there is nothing to prolong, to recache or to make.
 */
export function metaGet(
  line: Buffer,
  from: number,
  end: number,
  context: SessionContext,
  reply: Reply,
): void {
  const error = faultOf(line, from, end);
  if (error !== undefined) {
    protocolError(context, reply, error);
    return;
  }
  const view = context.handler.view();
  try {
    const entry = view.get(words.key, words.keyStart, words.keyEnd);
    count(context, entry !== undefined);
    if (entry === undefined) appendMiss(line, reply);
    else appendHit(line, entry, view.info, reply);
  } finally {
    view.release();
  }
}

function faultOf(line: Buffer, from: number, end: number): string | undefined {
  if (!words.findKey(line, from, end)) return 'ERROR';
  if (words.keyIsTooLong) return BAD_FORMAT;
  if (!words.findFlags(line, words.keyEnd, end, 2)) {
    return 'CLIENT_ERROR options flags are too long';
  }
  return words.checkFlags(line) ?? (words.hasLongOpaque(line) ? OPAQUE_TOO_LONG : undefined);
}

/** A hit with a time to live is a touch to memcached, and a miss is a miss. */
function count(context: SessionContext, isHit: boolean): void {
  const { counters } = context;
  if (isHit && words.has(FLAG.timeToLive)) {
    counters.cmd_touch++;
    counters.touch_hits++;
    return;
  }
  counters.cmd_get++;
  if (isHit) counters.get_hits++;
  else counters.get_misses++;
}

/** `EN` and what is echoed. It is all that q hides: a value is what the client asks for. */
function appendMiss(line: Buffer, reply: Reply): void {
  if (words.has(FLAG.quiet)) return;
  reply.copy(MISS, 0, MISS.length);
  for (let i = 0; i < words.count; i++) {
    const letter = line[words.starts[i]];
    if (letter === FLAG.opaque) appendFlag(line, i, words.ends[i], reply);
    else if (letter === FLAG.key) appendKey(line, i, reply);
  }
  reply.copy(LINE_END, 0, LINE_END.length);
}

function appendHit(line: Buffer, entry: Entry, info: DataSetInfo, reply: Reply): void {
  const { buffer, valueStart, valueEnd } = entry;
  const withValue = words.has(FLAG.value);
  if (withValue) {
    reply.copy(VALUE, 0, VALUE.length);
    reply.decimal(valueEnd - valueStart);
  } else {
    reply.copy(HIT, 0, HIT.length);
  }
  for (let i = 0; i < words.count; i++) appendHitFlag(line, i, entry, info, reply);
  reply.copy(LINE_END, 0, LINE_END.length);
  if (!withValue) return;
  reply.lend(buffer, valueStart, valueEnd);
  reply.copy(LINE_END, 0, LINE_END.length);
}

/** Appends what the flag at `i` asks for, if it asks for anything, in the order asked. */
function appendHitFlag(
  line: Buffer,
  i: number,
  entry: Entry,
  info: DataSetInfo,
  reply: Reply,
): void {
  const letterEnd = words.starts[i] + 1;
  switch (line[words.starts[i]]) {
    case FLAG.size:
      appendNumber(line, i, entry.valueEnd - entry.valueStart, reply);
      return;
    case FLAG.clientFlags:
      appendNumber(line, i, entry.flags, reply);
      return;
    case FLAG.cas:
      appendNumber(line, i, entry.cas, reply);
      return;
    case FLAG.timeLeft:
      appendFlag(line, i, letterEnd, reply);
      reply.copy(FOREVER, 0, FOREVER.length);
      return;
    case FLAG.hit:
      // Hits are not recorded by key.
      appendNumber(line, i, 0, reply);
      return;
    case FLAG.lastAccess:
      appendNumber(line, i, secondsSinceLoaded(info), reply);
      return;
    case FLAG.opaque:
      appendFlag(line, i, words.ends[i], reply);
      return;
    case FLAG.key:
      appendKey(line, i, reply);
      return;
  }
}

/** Appends the flag as it stands in the line, with the space before it, up to `end`. */
function appendFlag(line: Buffer, i: number, end: number, reply: Reply): void {
  reply.copy(line, words.starts[i] - 1, end);
}

function appendNumber(line: Buffer, i: number, value: number, reply: Reply): void {
  appendFlag(line, i, words.starts[i] + 1, reply);
  reply.decimal(value);
}

function appendKey(line: Buffer, i: number, reply: Reply): void {
  appendFlag(line, i, words.starts[i] + 1, reply);
  if (words.isBase64) reply.text(words.keyText());
  else reply.copy(words.key, words.keyStart, words.keyEnd);
}

/** The last access to a key is not recorded; the whole data set came to life when it was loaded. */
function secondsSinceLoaded(info: DataSetInfo): number {
  return Math.max(0, Math.floor((Date.now() - info.loadedAt) / 1000));
}

/** `me <key> [b]` (memcached's protocol.txt, "Meta Debug"). */
export function metaDebug(
  line: Buffer,
  from: number,
  end: number,
  context: SessionContext,
  reply: Reply,
): void {
  const isFound = words.findKey(line, from, end) && !words.keyIsTooLong;
  if (!isFound || !decodesForDebug(line, end)) {
    protocolError(context, reply, BAD_FORMAT);
    return;
  }
  context.counters.cmd_meta++;
  const view = context.handler.view();
  try {
    const entry = view.get(words.key, words.keyStart, words.keyEnd);
    reply.text(entry === undefined ? 'EN\r\n' : debugLine(entry, view.info));
  } finally {
    view.release();
  }
}

/** Decodes the key when the word behind it is b, the only flag that `me` knows. */
function decodesForDebug(line: Buffer, end: number): boolean {
  const flag = skipSpaces(line, words.keyEnd, end);
  const flagEnd = wordEnd(line, flag, end);
  if (flagEnd - flag !== 1 || line[flag] !== FLAG.base64) return true;
  words.findFlags(line, flag, flagEnd, 2);
  return words.checkFlags(line) === undefined;
}

function debugLine(entry: Entry, info: DataSetInfo): string {
  const { key, keyStart, keyEnd, isBase64 } = words;
  const encoding = isBase64 ? 'base64' : 'latin1';
  const valueBytes = entry.valueEnd - entry.valueStart;
  const size = recordBytes(keyEnd - keyStart, valueBytes, entry.flags);
  return `ME ${key.toString(encoding, keyStart, keyEnd)} exp=-1 la=${secondsSinceLoaded(info)} cas=${entry.cas} fetch=no cls=1 size=${size}\r\n`;
}
