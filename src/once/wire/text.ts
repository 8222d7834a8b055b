import { LINE_BYTES_MAX, wordsOf } from '../../protocol/line.ts';
import { FLAG, MetaWords } from '../../protocol/memcached/meta-flags.ts';
import { refuseMetaSet } from '../../protocol/memcached/meta-writes.ts';
import { refuseWrite } from '../../protocol/writes.ts';
import { keyFault } from '../item.ts';
import { VALUE_BYTES_MAX } from '../limits.ts';
import type { Creation, Wish } from '../once.ts';
import { PARTIAL, type Request, type RequestFinder, troubleOf } from './request.ts';

/** Bytes of a line that gets keys. */
export const GET_LINE_BYTES_MAX = 64 * 1024;

const LF = 0x0a;
const [G, M, N, E] = Buffer.from('gmne');
/** The end of a usual line is found faster by a loop than by a call of native code. */
const NEAR_BYTES = 64;
const CRLF = '\r\n';
const NEVER_EXPIRES = 'CLIENT_ERROR keys never expire here: the expiration time must be 0';
const BAD_CHUNK = 'CLIENT_ERROR bad data chunk';

/** How the outcomes of a creation are said. */
interface Said {
  readonly stored: string;
  readonly notStored: string;
  /** Whether a key that has the value already counts as stored. */
  readonly isSameStored: boolean;
  readonly isSilent?: boolean;
  /** Whether only success is silent. */
  readonly isQuiet?: boolean;
}

/** Requests of memcached's text protocol. */
export function textRequests(): RequestFinder {
  const words = new MetaWords();
  return {
    readsEnd: readLinesEnd,
    next(input) {
      const at = input.indexOf(LF);
      if (at < 0 || at > GET_LINE_BYTES_MAX) {
        if (input.length <= GET_LINE_BYTES_MAX) return PARTIAL;
        const text = `CLIENT_ERROR line too long: at most ${GET_LINE_BYTES_MAX} bytes\r\n`;
        return { kind: 'say', bytes: input.length, text, closes: true };
      }
      const line = input.subarray(0, input[at - 1] === 0x0d ? at - 1 : at);
      return requestOf(words, input, line, at + 1);
    },
  };
}

/** @param next Where the line ends. */
function requestOf(meta: MetaWords, input: Buffer, line: Buffer, next: number): Request {
  const words = wordsOf(line, 0, line.length);
  const [verb = ''] = words;
  if (/^(?:b?get|gets|gats?)$/.test(verb)) return reading(next);
  if (line.length > LINE_BYTES_MAX) return reading(next);
  const verbEnd = line.indexOf(verb) + verb.length;
  if (verb === 'ms') return metaSet(meta, input, line, verbEnd, next);
  const refusal = refuseWrite(words);
  const dataBytes = refusal?.dataBytes;
  if (refusal === undefined || dataBytes === undefined) return reading(next);
  const isWish = (verb === 'set' || verb === 'add') && refusal.command !== undefined;
  if (!isWish) return reading(next + dataBytes + 2);
  const isSilent = words.length > 5 && words[5] === 'noreply';
  const said = {
    ...{ stored: 'STORED', notStored: 'NOT_STORED', isSameStored: verb === 'set', isSilent },
  };
  const head = { key: Buffer.from(words[1], 'latin1'), flags: Number(words[2]), type: '' };
  const fault = Number(words[3]) === 0 ? undefined : NEVER_EXPIRES;
  return wishing(input, next, dataBytes, head, said, fault);
}

function reading(bytes: number): Request {
  return { kind: 'session', bytes };
}

/** Lines of `get`, `gets`, `gat` and of `mg`, `mn`, `me`: no line that begins so creates. */
function readLinesEnd(input: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const first = input[at];
    const second = input[at + 1];
    if (first !== G && (first !== M || (second !== G && second !== N && second !== E))) break;
    let lineFeed = at;
    const near = Math.min(end, at + NEAR_BYTES);
    while (lineFeed < near && input[lineFeed] !== LF) lineFeed++;
    if (lineFeed === near) lineFeed = input.subarray(0, end).indexOf(LF, lineFeed);
    if (lineFeed < 0 || lineFeed - at > GET_LINE_BYTES_MAX) break;
    at = lineFeed + 1;
  }
  return at;
}

/** `ms <key> <bytes> <flags>*`: S and E are modes that create. */
function metaSet(
  meta: MetaWords,
  input: Buffer,
  line: Buffer,
  verbEnd: number,
  next: number,
): Request {
  const refusal = refuseMetaSet(meta, line, verbEnd, line.length);
  const { dataBytes } = refusal;
  if (dataBytes === undefined) return reading(next);
  const tokenOf = (letter: number): string | undefined => {
    const at = meta.indexOf(line, letter);
    return at < 0 ? undefined : line.toString('latin1', meta.starts[at] + 1, meta.ends[at]);
  };
  const mode = (tokenOf(FLAG.mode) ?? 'S').toUpperCase();
  const isWish = refusal.command !== undefined && (mode === 'S' || mode === 'E');
  // The session refuses the others, and a compare-and-swap of what can never be swapped.
  if (!isWish || meta.has('C'.charCodeAt(0))) return reading(next + dataBytes + 2);
  const echo = refusal.reply!.slice('NS'.length);
  const said = {
    ...{ stored: `HD${echo}`, notStored: `NS${echo}`, isSameStored: mode === 'S' },
    isQuiet: meta.has(FLAG.quiet),
  };
  const key = Buffer.from(meta.key.subarray(meta.keyStart, meta.keyEnd));
  const head = { key, flags: Number(tokenOf('F'.charCodeAt(0)) ?? 0), type: '' };
  const fault = Number(tokenOf(FLAG.timeToLive) ?? 0) === 0 ? undefined : NEVER_EXPIRES;
  return wishing(input, next, dataBytes, head, said, fault);
}

/** @param dataStart Where the data block begins. @param fault What is wrong before it is there. */
function wishing(
  input: Buffer,
  dataStart: number,
  dataBytes: number,
  head: Omit<Wish, 'value'>,
  said: Said,
  fault: string | undefined,
): Request {
  const dataEnd = dataStart + dataBytes;
  const bytes = dataEnd + 2;
  const say = (text: string): Request => {
    return { kind: 'say', bytes, text: said.isSilent === true ? '' : text + CRLF };
  };
  if (fault !== undefined) return say(fault);
  if (dataBytes > VALUE_BYTES_MAX) return say('SERVER_ERROR object too large for cache');
  const wrong = keyFault(head.key);
  if (wrong !== undefined) return say(`CLIENT_ERROR ${wrong}`);
  if (head.flags > 0xffffffff) return say('CLIENT_ERROR bad command line format');
  if (input.length < bytes) return { kind: 'partial', needed: bytes };
  if (input.toString('latin1', dataEnd, bytes) !== CRLF) return say(BAD_CHUNK);
  const value = Buffer.from(input.subarray(dataStart, dataEnd));
  return { kind: 'create', bytes, wish: { ...head, value }, answer: (c) => answerOf(c, said) };
}

function answerOf(creation: Creation, said: Said): string {
  const { kind } = creation;
  const isStored = kind === 'created' || (kind === 'same' && said.isSameStored);
  if (said.isSilent === true || (isStored && said.isQuiet === true)) return '';
  if (isStored) return said.stored + CRLF;
  if (kind === 'same' || kind === 'conflict') return said.notStored + CRLF;
  return `SERVER_ERROR ${troubleOf(creation)}\r\n`;
}
