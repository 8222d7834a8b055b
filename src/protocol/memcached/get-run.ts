import { BATCH_KEYS_MAX } from '../../storage/storage.ts';
import { countGets } from '../counters.ts';
import type { SessionContext } from '../protocol.ts';
import type { Reply } from '../reply.ts';
import { appendValue } from './values.ts';
import { ASKED_KEY_BYTES_MAX } from './writes.ts';

const END = Buffer.from('END\r\n');

/** `get ` as a word of memory, little-endian. */
const GET = 0x20746567;
const GET_BYTES = 4;

const SPACE = 0x20;
const CR = 0x0d;
const LF = 0x0a;

/** Where the keys of a run begin and end. All sessions share it: it holds good within one call. */
const bounds = new Int32Array(2 * BATCH_KEYS_MAX);

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
