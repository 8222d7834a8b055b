import { BATCH_KEYS_MAX } from '../../storage/storage.ts';
import { countGets } from '../counters.ts';
import type { SessionContext } from '../protocol.ts';
import type { Reply } from '../reply.ts';
import { ASKED_KEY_BYTES_MAX } from '../writes.ts';
import type { MetaReads } from './meta.ts';
import { appendValue } from './values.ts';

const END = Buffer.from('END\r\n');

/** `get ` as a word of memory, little-endian. */
const GET = 0x20746567;
const GET_BYTES = 4;

/** `mg ` likewise, of three bytes. */
const MG = 0x20676d;
const MG_BYTES = 3;

/** A meta command with more than this behind its key is left to be read alone. */
const META_FLAGS_BYTES_MAX = 64;

const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

/** Where the keys of a run begin and end. All sessions share it: it holds good within one call. */
const bounds = new Int32Array(2 * BATCH_KEYS_MAX);

/** Where the text of each command ends, before its line end, likewise. */
const textEnds = new Int32Array(BATCH_KEYS_MAX);

/**
 * Answers the first of the commands in input[start, end), as long as they are `get <key>\r\n` in the
 * form that clients send, and there are several: their keys are looked for side by side. Anything
 * else is left to be read with all its rules.
 *
 * Sixteen gets at once out of 1e6 keys, without a server: 0.60 µs each in place of 0.93,
 * out of 1e5 0.51 in place of 0.74 (medians of three runs in turn).
 *
 * @returns Where the first command begins that is not answered.
 */
export function answerGets(
  context: SessionContext,
  input: Buffer,
  start: number,
  end: number,
  reply: Reply,
): number {
  const count = findGets(input, start, end);
  if (count < 2) return start;
  const view = context.handler.view();
  let hits = 0;
  let i = 0;
  try {
    const { batch } = view;
    if (batch === undefined) return start;
    batch.locate(input, bounds, count);
    for (; i < count && !reply.isFull; i++) {
      const entry = batch.entry(i);
      reply.charge(1);
      if (entry !== undefined) {
        hits++;
        appendValue(reply, entry, input, bounds[2 * i], bounds[2 * i + 1], false);
      }
      reply.copy(END, 0, END.length);
    }
  } finally {
    view.release();
  }
  countGets(context.counters, hits, i - hits);
  return bounds[2 * i - 1] + 2;
}

/**
 * As `answerGets`, for `mg <key> <flags>*\r\n`: sixteen at once out of 1e6 keys 0.90 µs each in place of
 * 1.16, out of 1e5 0.84 in place of 0.99.
 */
export function answerMetaGets(
  reads: MetaReads,
  context: SessionContext,
  input: Buffer,
  start: number,
  end: number,
  reply: Reply,
): number {
  const count = findMetaGets(input, start, end);
  if (count < 2) return start;
  const view = context.handler.view();
  let i = 0;
  try {
    const { batch } = view;
    if (batch === undefined) return start;
    batch.locate(input, bounds, count);
    for (; i < count && !reply.isFull; i++) {
      reads.answer(input, bounds[2 * i], textEnds[i], view, context, reply, batch, i);
    }
  } finally {
    view.release();
  }
  return textEnds[i - 1] + 2;
}

/** Sets the bounds of the keys of meta gets, and where they end. @returns How many there are. */
function findMetaGets(input: Buffer, start: number, end: number): number {
  let count = 0;
  let at = start;
  while (count < BATCH_KEYS_MAX && at + MG_BYTES < end && isMetaGet(input, at)) {
    const key = at + MG_BYTES;
    const keyEnd = endOfWord(input, key, Math.min(end - 1, key + ASKED_KEY_BYTES_MAX + 1));
    const length = keyEnd - key;
    if (length === 0 || length > ASKED_KEY_BYTES_MAX) break;
    const isWhole = input[keyEnd] === SPACE || (input[keyEnd] === CR && input[keyEnd + 1] === LF);
    if (!isWhole) break;
    const next = behindLineFeed(input, keyEnd, Math.min(end, keyEnd + META_FLAGS_BYTES_MAX));
    if (next === -1 || input[next - 2] !== CR) break;
    bounds[2 * count] = key;
    bounds[2 * count + 1] = keyEnd;
    textEnds[count] = next - 2;
    count++;
    at = next;
  }
  return count;
}

function isMetaGet(input: Buffer, at: number): boolean {
  return (input[at] | (input[at + 1] << 8) | (input[at + 2] << 16)) === MG;
}

/** The offset behind the first line feed from `from` on, or -1. */
function behindLineFeed(input: Buffer, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    if (input[at] === LF) return at + 1;
  }
  return -1;
}

/** Sets the bounds of the keys of plain gets. @returns How many there are. */
function findGets(input: Buffer, start: number, end: number): number {
  let count = 0;
  let at = start;
  while (count < BATCH_KEYS_MAX && at + GET_BYTES < end && isGet(input, at)) {
    const key = at + GET_BYTES;
    const keyEnd = endOfWord(input, key, Math.min(end - 1, key + ASKED_KEY_BYTES_MAX + 1));
    const length = keyEnd - key;
    if (length === 0 || length > ASKED_KEY_BYTES_MAX) break;
    if (input[keyEnd] !== CR || input[keyEnd + 1] !== LF || keyEnd + 2 > end) break;
    bounds[2 * count] = key;
    bounds[2 * count + 1] = keyEnd;
    count++;
    at = keyEnd + 2;
  }
  return count;
}

function isGet(input: Buffer, at: number): boolean {
  const word = input[at] | (input[at + 1] << 8) | (input[at + 2] << 16) | (input[at + 3] << 24);
  return word === GET;
}

/** The first offset from `from` on that holds a space or a control character, or `end`. */
function endOfWord(input: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && input[at] > SPACE) at++;
  return at;
}
