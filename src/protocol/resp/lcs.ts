import type { Entry } from '../../storage/storage.ts';
import type { Reply } from '../reply.ts';
import {
  type Call,
  type Command,
  fail,
  isInteger,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
  withView,
} from './command.ts';
import { appendArray, appendBulkCopy, appendBulkText, appendInteger, appendMap } from './output.ts';

/** LCS compares each byte of one value with each of the other, and so many pairs at most. */
const LCS_PAIRS_MAX = 256 * 1024;

/**
 * At [i, j]: how long the longest common subsequence of the first i bytes of one value and the first j
 * of the other is. That is no longer than the shorter of them, the root of LCS_PAIRS_MAX at most; the
 * table is the largest when one of them has a single byte. Each LCS of this thread uses it anew.
 */
const lengths = new Uint16Array(2 * (LCS_PAIRS_MAX + 1));

/** Pairs that cost a unit of work (reply.ts): one takes up to 5 ns, as branches miss (2026-11-28). */
const PAIRS_A_UNIT = 256;

const TOO_LONG = `ERR LCS compares at most ${LCS_PAIRS_MAX} pairs of bytes, the product of both lengths`;
const LEN_AND_IDX = 'ERR If you want both the length and indexes, please just use IDX.';

/** What a client wants to know of the longest common subsequence. */
interface LcsOptions {
  readonly wants: 'text' | 'length' | 'indexes';
  /** Shorter runs are left out of the indexes. */
  readonly runBytesMin: number;
  /** Whether the reply has the length of each run. */
  readonly withLengths: boolean;
}

/** Bytes that both values have in common, one behind the other: where they begin in each. */
interface Run {
  a: number;
  b: number;
  bytes: number;
}

/** Reads `[LEN] [IDX] [MINMATCHLEN bytes] [WITHMATCHLEN]`. @returns The options, or the error. */
function optionsOf({ args }: Call): LcsOptions | string {
  const flags = new Set<string>();
  let runBytesMin = 0;
  while (args.left > 0) {
    const option = args.nextWord();
    if (option === 'minmatchlen' && args.left > 0) {
      const text = args.nextText();
      if (!isInteger(text)) return NOT_AN_INTEGER;
      runBytesMin = Number(text);
    } else if (['len', 'idx', 'withmatchlen'].includes(option)) {
      flags.add(option);
    } else {
      return SYNTAX_ERROR;
    }
  }
  if (flags.has('len') && flags.has('idx')) return LEN_AND_IDX;
  const wants = flags.has('idx') ? 'indexes' : flags.has('len') ? 'length' : 'text';
  return { wants, runBytesMin, withLengths: flags.has('withmatchlen') };
}

function bytesOf(entry: Entry | undefined): Buffer {
  if (entry === undefined) return Buffer.alloc(0);
  return entry.buffer.subarray(entry.valueStart, entry.valueEnd);
}

/**
 * The runs of the longest common subsequence, the last one first. Where several subsequences are
 * equally long, it is the one that Redis finds: from the end on, b is shortened before a.
 */
function runsOf(a: Buffer, b: Buffer): readonly Run[] {
  const width = b.length + 1;
  // Row and column 0 are empty; the rest is written before it is read.
  lengths.fill(0, 0, width);
  for (let i = 1; i <= a.length; i++) {
    lengths[i * width] = 0;
    for (let j = 1, at = i * width + 1; j <= b.length; j++, at++) {
      if (a[i - 1] === b[j - 1]) lengths[at] = lengths[at - width - 1] + 1;
      else lengths[at] = Math.max(lengths[at - width], lengths[at - 1]);
    }
  }
  const runs: Run[] = [];
  let isInRun = false;
  for (let i = a.length, j = b.length; i > 0 && j > 0; ) {
    if (a[i - 1] === b[j - 1]) {
      if (!isInRun) runs.push({ a: i, b: j, bytes: 0 });
      const run = runs[runs.length - 1];
      run.a = --i;
      run.b = --j;
      run.bytes++;
      isInRun = true;
    } else {
      if (lengths[(i - 1) * width + j] > lengths[i * width + j - 1]) i--;
      else j--;
      isInRun = false;
    }
  }
  return runs;
}

function appendRuns(reply: Reply, runs: readonly Run[], { withLengths }: LcsOptions): void {
  appendArray(reply, runs.length);
  for (const { a, b, bytes } of runs) {
    appendArray(reply, withLengths ? 3 : 2);
    for (const start of [a, b]) {
      appendArray(reply, 2);
      appendInteger(reply, start);
      appendInteger(reply, start + bytes - 1);
    }
    if (withLengths) appendInteger(reply, bytes);
  }
}

function appendLcs(call: Call, reply: Reply, a: Buffer, b: Buffer, options: LcsOptions): void {
  const runs = a.length === 0 || b.length === 0 ? [] : runsOf(a, b);
  const length = runs.reduce((sum, { bytes }) => sum + bytes, 0);
  if (options.wants === 'length') {
    appendInteger(reply, length);
  } else if (options.wants === 'indexes') {
    appendMap(reply, call.client.resp, 2);
    appendBulkText(reply, 'matches');
    const listed = runs.filter(({ bytes }) => bytes >= options.runBytesMin);
    appendRuns(reply, listed, options);
    appendBulkText(reply, 'len');
    appendInteger(reply, length);
  } else {
    const parts = runs.toReversed().map((run) => a.subarray(run.a, run.a + run.bytes));
    appendBulkCopy(reply, Buffer.concat(parts), 0, length);
  }
}

/** LCS key key [LEN] [IDX] [MINMATCHLEN bytes] [WITHMATCHLEN] */
function lcs(call: Call, reply: Reply): void {
  const { args } = call;
  withView(call, (view) => {
    const [a, b] = [0, 1].map(() => {
      args.advance();
      return bytesOf(view.get(args.input, args.start, args.end));
    });
    const options = optionsOf(call);
    if (typeof options === 'string') {
      fail(call, reply, options);
    } else if (a.length * b.length > LCS_PAIRS_MAX) {
      fail(call, reply, TOO_LONG);
    } else {
      reply.charge((a.length * b.length) / PAIRS_A_UNIT);
      appendLcs(call, reply, a, b, options);
    }
  });
}

export const LCS: Command = {
  name: 'lcs',
  arity: -3,
  flags: ['readonly'],
  keys: [1, 2, 1],
  run: lcs,
};
