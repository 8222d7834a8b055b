import type { CounterName } from './counters.ts';
import { isSignedWord, isUnsignedWord, unsignedOf } from './numbers.ts';

/** The longest key that memcached's protocols can name, in bytes. */
export const ASKED_KEY_BYTES_MAX = 250;

/** A data block may announce this many bytes (memcached: INT_MAX - 2). */
const DATA_BYTES_MAX = 2 ** 31 - 3;

/** Longer than this, an expiration time counts from 1970. */
export const SPAN_SECONDS_MAX = 60 * 60 * 24 * 30;

/** The commands that write, by which refusals are counted. */
export const WRITE_COMMANDS = [
  ...(['set', 'add', 'replace', 'append', 'prepend', 'cas', 'incr', 'decr'] as const),
  ...(['delete', 'touch', 'flush_all', 'ms', 'md', 'ma'] as const),
] as const;

type WriteCommand = (typeof WRITE_COMMANDS)[number];

/**
 * What to do with a write: the reply, undefined for none, and for commands with a data block how
 * many bytes of data to swallow, and what to answer when the block does not end in `\r\n`.
 */
export interface Refusal {
  /** Which command it is, when it is well-formed and refused only because it writes. */
  readonly command?: WriteCommand;
  readonly reply: string | undefined;
  /**
   * An `add` of something that has expired already leaves nothing behind, so it can be done: it is
   * how libmemcached asks whether a key exists. This is the key; when it is absent the answer is
   * `STORED`.
   */
  readonly probedKey?: string;
  readonly dataBytes?: number;
  readonly badChunk?: string | undefined;
  readonly counter?: CounterName;
}

export const BAD_FORMAT = 'CLIENT_ERROR bad command line format';
export const BAD_CHUNK = 'CLIENT_ERROR bad data chunk';
const READ_ONLY = 'CLIENT_ERROR read-only';

/** The answer to a command with too few or too many arguments: `noreply` does not hide it. */
export const NO_COMMAND: Refusal = { reply: 'ERROR', counter: 'protocol_errors' };

/**
 * The replies to writes are those that no client in use takes as a reason to drop the server:
 * "not stored" and "not found" are ordinary outcomes, while a SERVER_ERROR makes several clients
 * mark the server as dead.
 *
 * @returns undefined for a command that does not write, and for the meta commands.
 */
export function refuseWrite(words: readonly string[]): Refusal | undefined {
  const command = words[0];
  switch (command) {
    case 'set':
    case 'add':
    case 'replace':
    case 'append':
    case 'prepend':
      return refuseStorage(command, words, 5);
    case 'cas':
      return refuseStorage(command, words, 6);
    case 'incr':
    case 'decr':
      return refuseArithmetic(command, words);
    case 'delete':
      return refuseDelete(words);
    case 'touch':
      return refuseTouch(words);
    case 'flush_all':
      return refuseFlush(words);
    default:
      return undefined;
  }
}

/** The same refusal for an owner who wants the program that writes to notice. */
export function loudly(refusal: Refusal): Refusal {
  const { command, reply } = refusal;
  const isToldAlready = reply === undefined || reply.startsWith('CLIENT_ERROR');
  return command === undefined || isToldAlready ? refusal : { ...refusal, reply: READ_ONLY };
}

/** `set <key> <flags> <exptime> <bytes> [noreply]`; `cas` has its number before `noreply`. */
function refuseStorage(command: WriteCommand, words: readonly string[], argsMin: number): Refusal {
  if (words.length < argsMin || words.length > argsMin + 1) return NO_COMMAND;
  const isQuiet = isLastNoreply(words);
  const dataBytes = dataBytesOf(words[4]);
  const numbersAreGood =
    isUnsignedWord(words[2]) &&
    isSignedWord(words[3]) &&
    (argsMin === 5 || isUnsignedWord(words[5]));
  if (!numbersAreGood || dataBytes === undefined) {
    return malformed(isQuiet, BAD_FORMAT);
  }
  // memcached reads the block of a set with an over-long key as commands. Swallowing it is what a
  // client means, and keeps data from being run.
  const isLong = words[1].length > ASKED_KEY_BYTES_MAX;
  return {
    ...(isLong
      ? malformed(isQuiet, BAD_FORMAT)
      : // A `cas` that finds no key or another one's value never says "not stored" in memcached.
        refused(command, isQuiet, command === 'cas' ? 'NOT_FOUND' : 'NOT_STORED', 'cmd_set')),
    ...(command === 'add' && !isLong && isPast(words[3]) ? { probedKey: words[1] } : {}),
    dataBytes,
    badChunk: isQuiet ? undefined : BAD_CHUNK,
  };
}

/**
 * Whether an expiration time is over: it is negative, or it is a time and not a span (more than 30
 * days, memcached protocol.txt, "Expiration times") and lies before now.
 */
function isPast(exptime: string): boolean {
  const seconds = Number(exptime);
  return seconds < 0 || (seconds > SPAN_SECONDS_MAX && seconds < Date.now() / 1000);
}

/** `incr <key> <value> [noreply]` */
function refuseArithmetic(command: 'incr' | 'decr', words: readonly string[]): Refusal {
  if (words.length < 3 || words.length > 4) return NO_COMMAND;
  const isQuiet = isLastNoreply(words);
  if (words[1].length > ASKED_KEY_BYTES_MAX) return malformed(isQuiet, BAD_FORMAT);
  if (!isUnsignedWord(words[2])) {
    return malformed(isQuiet, 'CLIENT_ERROR invalid numeric delta argument');
  }
  return refused(command, isQuiet, 'NOT_FOUND', `${command}_misses`);
}

/** `delete <key> [0] [noreply]` */
function refuseDelete(words: readonly string[]): Refusal {
  if (words.length < 2 || words.length > 4) return NO_COMMAND;
  // A lone `noreply` is the key.
  const isQuiet = words.length > 2 && isLastNoreply(words);
  const rest = words.slice(2, isQuiet ? -1 : undefined);
  if (rest.length > 1 || (rest.length === 1 && rest[0] !== '0')) {
    return malformed(isQuiet, `${BAD_FORMAT}.  Usage: delete <key> [noreply]`);
  }
  if (words[1].length > ASKED_KEY_BYTES_MAX) return malformed(isQuiet, BAD_FORMAT);
  return refused('delete', isQuiet, 'NOT_FOUND', 'delete_misses');
}

/** `touch <key> <exptime> [noreply]` */
function refuseTouch(words: readonly string[]): Refusal {
  if (words.length < 3 || words.length > 4) return NO_COMMAND;
  const isQuiet = isLastNoreply(words);
  if (words[1].length > ASKED_KEY_BYTES_MAX) return malformed(isQuiet, BAD_FORMAT);
  if (!isSignedWord(words[2])) return malformed(isQuiet, 'CLIENT_ERROR invalid exptime argument');
  return refused('touch', isQuiet, 'NOT_FOUND', 'cmd_touch');
}

/** `flush_all [delay] [noreply]` */
function refuseFlush(words: readonly string[]): Refusal {
  if (words.length > 3) return NO_COMMAND;
  const isQuiet = isLastNoreply(words);
  return refused('flush_all', isQuiet, 'CLIENT_ERROR flush_all not allowed', 'cmd_flush');
}

/** memcached looks at the last word only, whatever is before it. */
function isLastNoreply(words: readonly string[]): boolean {
  return words.at(-1) === 'noreply';
}

function refused(
  command: WriteCommand,
  isQuiet: boolean,
  reply: string,
  counter: CounterName,
): Refusal {
  return { command, reply: isQuiet ? undefined : reply, counter };
}

/** `noreply` hides error lines as well. */
function malformed(isQuiet: boolean, reply: string): Refusal {
  return { reply: isQuiet ? undefined : reply, counter: 'protocol_errors' };
}

/** How long a data block is, when its length is one that memcached takes. */
export function dataBytesOf(word: string): number | undefined {
  const length = unsignedOf(word);
  return length !== undefined && length <= DATA_BYTES_MAX ? length : undefined;
}
