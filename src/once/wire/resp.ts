import { Args, RequestFrame } from '../../protocol/resp/frame.ts';
import { INLINE_BYTES_MAX, requestOfLine } from '../../protocol/resp/inline.ts';
import { keyFault } from '../item.ts';
import { KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../limits.ts';
import type { Creation, Wish } from '../once.ts';
import { PARTIAL, type Request, type RequestFinder, troubleOf } from './request.ts';

const STAR = 0x2a;
const LF = 0x0a;
const ZERO = 0x30;
const NINE = 0x39;
const GET_HEAD = Buffer.from('*2\r\n$3\r\nGET\r\n$');
const LOWER_GET_HEAD = Buffer.from('*2\r\n$3\r\nget\r\n$');
/** The largest value, its key and what is around them; or some 10,000 keys to read. */
const REQUEST_BYTES_MAX = VALUE_BYTES_MAX + 64 * 1024;

/** Commands that the session answers. */
const READING: readonly string[] = [
  ...['get', 'strlen', 'getrange', 'substr', 'type', 'ttl', 'pttl', 'mget', 'exists'],
  ...['ping', 'echo', 'hello', 'client', 'command', 'quit', 'select', 'info', 'auth', 'reset'],
  ...['readonly', 'readwrite', 'time', 'config'],
];

/** Requests of Redis' protocol. */
export function respRequests(): RequestFinder {
  const frame = new RequestFrame();
  const args = new Args();
  /** The version of the protocol: in RESP3, nil is said in another way. */
  let version = 2;
  return {
    readsEnd: getsEnd,
    next(input) {
      if (input[0] !== STAR) return inline(input, this.next);
      const end = input.length;
      const head = frame.readHead(input, 0, end);
      if (head === 'partial') return PARTIAL;
      if (head === 'broken') return reading(end);
      if (frame.argc <= 0) return reading(frame.next);
      for (;;) {
        const presence = frame.readArgs(input, 0, end, REQUEST_BYTES_MAX);
        if (presence === 'more') continue;
        if (presence === 'partial') return PARTIAL;
        frame.finish();
        if (presence === 'broken') return reading(end);
        if (presence === 'large') return tooLarge(end);
        break;
      }
      args.begin(input, input.indexOf(LF) + 1, end, frame.argc);
      const words: Buffer[] = [];
      while (args.advance()) words.push(input.subarray(args.start, args.end));
      const name = words[0].toString('latin1').toLowerCase();
      if (name === 'reset' && words.length === 1) {
        version = 2;
        return { kind: 'session', bytes: frame.next, logsOut: true };
      }
      const spoken = name === 'hello' ? words[1]?.toString('latin1') : undefined;
      if (spoken === '2' || spoken === '3') version = Number(spoken);
      return requestOf(name, words, frame.next, version === 3 ? '_\r\n' : '$-1\r\n');
    },
  };
}

function requestOf(name: string, words: readonly Buffer[], bytes: number, nil: string): Request {
  if (READING.includes(name)) return reading(bytes);
  if (name === 'set' || name === 'setnx') return setting(name, words, bytes, nil);
  const shown = name.slice(0, 32).replaceAll(/[^\w.-]/g, '?');
  return error(bytes, `READONLY keys are created and read here; there is no '${shown}'`);
}

/** `SET <key> <value> [NX]`, `SETNX <key> <value>`. */
function setting(name: string, words: readonly Buffer[], bytes: number, nil: string): Request {
  if (words.length < 3 || (name === 'setnx' && words.length > 3)) {
    return error(bytes, `ERR wrong number of arguments for '${name}' command`);
  }
  const [, key, value, ...options] = words;
  const names = options.map((word) => word.toString('latin1').toLowerCase());
  if (names.length > 1 || (names.length === 1 && names[0] !== 'nx')) {
    return error(
      bytes,
      'ERR syntax error: keys never expire and never change here; only NX may be',
    );
  }
  const fault = keyFault(key);
  if (fault !== undefined) return error(bytes, `ERR ${fault}`);
  if (value.length > VALUE_BYTES_MAX) {
    return error(bytes, `ERR expected a value of at most ${VALUE_BYTES_MAX} bytes`);
  }
  const wish: Wish = { key: Buffer.from(key), value: Buffer.from(value), flags: 0, type: '' };
  const answer = (creation: Creation): string => {
    const { kind } = creation;
    if (kind !== 'created' && kind !== 'same' && kind !== 'conflict') {
      return `-TRYAGAIN ${troubleOf(creation)}\r\n`;
    }
    if (name === 'setnx') return kind === 'created' ? ':1\r\n' : ':0\r\n';
    if (names.length === 1) return kind === 'created' ? '+OK\r\n' : nil;
    if (kind !== 'conflict') return '+OK\r\n';
    return '-CONFLICT the key has another value, and keeps it\r\n';
  };
  return { kind: 'create', bytes, wish, answer };
}

/** A line of words, as a person types it: means what the array of them does. */
function inline(input: Buffer, next: RequestFinder['next']): Request {
  const at = input.indexOf(LF);
  // The session says that it is too long, or what is wrong with its quotes.
  if ((at < 0 ? input.length : at) > INLINE_BYTES_MAX) return reading(input.length);
  if (at < 0) return PARTIAL;
  const request = requestOfLine(input, 0, at);
  if (request === undefined) return reading(at + 1);
  const found = next(request);
  return found.kind === 'partial' ? reading(at + 1) : { ...found, bytes: at + 1 };
}

function reading(bytes: number): Request {
  return { kind: 'session', bytes };
}

/** Requests in the form in which all clients write `GET`. */
function getsEnd(input: Buffer, start: number, end: number): number {
  for (let at = start; ; ) {
    if (end - at < GET_HEAD.length || !isGetHead(input, at)) return at;
    let bytes = 0;
    let digit = at + GET_HEAD.length;
    while (digit < end && input[digit] >= ZERO && input[digit] <= NINE && bytes <= KEY_BYTES_MAX) {
      bytes = bytes * 10 + input[digit++] - ZERO;
    }
    const next = digit + bytes + 2 * '\r\n'.length;
    if (next > end || bytes > KEY_BYTES_MAX) return at;
    at = next;
  }
}

function isGetHead(input: Buffer, at: number): boolean {
  for (let i = 0; i < GET_HEAD.length; i++) {
    if (input[at + i] !== GET_HEAD[i] && input[at + i] !== LOWER_GET_HEAD[i]) return false;
  }
  return true;
}

function error(bytes: number, text: string): Request {
  return { kind: 'say', bytes, text: `-${text}\r\n` };
}

function tooLarge(bytes: number): Request {
  const text = `-ERR Protocol error: expected at most ${REQUEST_BYTES_MAX} bytes\r\n`;
  return { kind: 'say', bytes, text, closes: true };
}
