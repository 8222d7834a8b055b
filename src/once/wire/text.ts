import { LINE_BYTES_MAX, wordsOf } from '../../protocol/line.ts';
import { FLAG, MetaWords } from '../../protocol/memcached/meta-flags.ts';
import { refuseMetaSet } from '../../protocol/memcached/meta-writes.ts';
import { refuseWrite } from '../../protocol/writes.ts';
import { keyFault } from '../item.ts';
import { VALUE_BYTES_MAX } from '../limits.ts';
import type { Creation, Wish } from '../once.ts';
import { PARTIAL, type Request, type RequestFinder, troubleOf } from './request.ts';

/** Bytes of a line that gets keys. */
const GET_LINE_BYTES_MAX = 64 * 1024;

const LF = 0x0a;
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
  if (verb === 'get' || verb === 'gets' || verb === 'bget') return reading(next, words.slice(1));
  if (verb === 'gat' || verb === 'gats') return reading(next, words.slice(2));
  if (line.length > LINE_BYTES_MAX) return reading(next, []);
  const verbEnd = line.indexOf(verb) + verb.length;
  if (verb === 'ms') return metaSet(meta, input, line, verbEnd, next);
  if ((verb === 'mg' || verb === 'me') && words.length > 1) {
    return reading(next, [metaKey(meta, line, verbEnd)]);
  }
  const refusal = refuseWrite(words);
  const dataBytes = refusal?.dataBytes;
  if (refusal === undefined || dataBytes === undefined) return reading(next, []);
  const isWish = (verb === 'set' || verb === 'add') && refusal.command !== undefined;
  // An `add` of something that has expired asks whether the key is there.
  if (!isWish || refusal.probedKey !== undefined) {
    return reading(next + dataBytes + 2, refusal.probedKey === undefined ? [] : [words[1]]);
  }
  const isSilent = words.length > 5 && words[5] === 'noreply';
  const said = {
    ...{ stored: 'STORED', notStored: 'NOT_STORED', isSameStored: verb === 'set', isSilent },
  };
  const head = { key: Buffer.from(words[1], 'latin1'), flags: Number(words[2]), type: '' };
  const fault = Number(words[3]) === 0 ? undefined : NEVER_EXPIRES;
  return wishing(input, next, dataBytes, head, said, fault);
}

function reading(bytes: number, keys: readonly string[]): Request {
  return {
    kind: 'session',
    bytes,
    keys: keys.map((key) => Buffer.from(key, 'latin1')),
    fault: (why) => `SERVER_ERROR ${why}\r\n`,
  };
}

/** The key of a meta command, as Latin-1 text. */
function metaKey(meta: MetaWords, line: Buffer, verbEnd: number): string {
  if (!meta.findKey(line, verbEnd, line.length) || meta.keyIsTooLong) return '';
  meta.findFlags(line, meta.keyEnd, line.length, 2);
  meta.checkFlags(line);
  return meta.key.toString('latin1', meta.keyStart, meta.keyEnd);
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
  if (dataBytes === undefined) return reading(next, []);
  const tokenOf = (letter: number): string | undefined => {
    const at = meta.indexOf(line, letter);
    return at < 0 ? undefined : line.toString('latin1', meta.starts[at] + 1, meta.ends[at]);
  };
  const mode = (tokenOf(FLAG.mode) ?? 'S').toUpperCase();
  const isWish = refusal.command !== undefined && (mode === 'S' || mode === 'E');
  // The session refuses the others, and a compare-and-swap of what can never be swapped.
  if (!isWish || meta.has('C'.charCodeAt(0))) return reading(next + dataBytes + 2, []);
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
