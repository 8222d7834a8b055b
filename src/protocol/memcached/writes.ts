import type { CounterName } from '../counters.ts';

/** The longest key that memcached's protocols can name, in bytes. */
export const ASKED_KEY_BYTES_MAX = 250;

/** A data block may announce this many bytes (memcached: INT_MAX - 2). */
const DATA_BYTES_MAX = 2 ** 31 - 3;

/**
 * What to do with a refused write: the reply, undefined for none, and for commands with a data
 * block how many bytes of data to swallow, and what to answer when the block does not end in
 * `\r\n`.
 */
export interface Refusal {
  readonly reply: string | undefined;
  readonly dataBytes?: number;
  readonly badChunk?: string | undefined;
  readonly counter?: CounterName;
}

const BAD_FORMAT = 'CLIENT_ERROR bad command line format';
const BAD_CHUNK = 'CLIENT_ERROR bad data chunk';

/** The answer to a command with too few or too many arguments: `noreply` does not hide it. */
const NO_COMMAND: Refusal = { reply: 'ERROR', counter: 'protocol_errors' };

/** Meta commands know no `noreply`. */
const BAD_META: Refusal = { reply: BAD_FORMAT, counter: 'protocol_errors' };

/** `incr` and `decr` take unsigned 64-bit numbers. */
const DELTA_MAX = 2n ** 64n - 1n;

/**
 * The replies to writes are those that no client in use takes as a reason to drop the server:
 * "not stored" and "not found" are ordinary outcomes, while a SERVER_ERROR makes several clients
 * mark the server as dead.
 */
export function refuseWrite(words: readonly string[]): Refusal | undefined {
  switch (words[0]) {
    case 'set':
    case 'add':
    case 'replace':
    case 'append':
    case 'prepend':
      return refuseStorage(words, 5);
    case 'cas':
      return refuseStorage(words, 6);
    case 'ms':
      return refuseMetaSet(words);
    case 'md':
    case 'ma':
      return refuseMeta(words);
    case 'incr':
    case 'decr':
      return refuseArithmetic(words);
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

/** `set <key> <flags> <exptime> <bytes> [noreply]`; `cas` has its number before `noreply`. */
function refuseStorage(words: readonly string[], argsMin: number): Refusal {
  if (words.length < argsMin || words.length > argsMin + 1) return NO_COMMAND;
  const isQuiet = isLastNoreply(words);
  const dataBytes = lengthOf(words[4]);
  const numbersAreGood =
    isUnsigned(words[2]) && isInteger(words[3]) && (argsMin === 5 || isUnsigned(words[5]));
  if (!numbersAreGood || dataBytes === undefined) {
    return malformed(isQuiet, BAD_FORMAT);
  }
  // memcached reads the block of a set with an over-long key as commands. Swallowing it is what a
  // client means, and keeps data from being run.
  const isLong = words[1].length > ASKED_KEY_BYTES_MAX;
  return {
    ...(isLong ? malformed(isQuiet, BAD_FORMAT) : refused(isQuiet, 'NOT_STORED', 'cmd_set')),
    dataBytes,
    badChunk: isQuiet ? undefined : BAD_CHUNK,
  };
}

/** `ms <key> <bytes> <flags>*` */
function refuseMetaSet(words: readonly string[]): Refusal {
  if (words.length < 2) return NO_COMMAND;
  const dataBytes = lengthOf(words[2]);
  if (dataBytes === undefined) return BAD_META;
  if (words[1].length > ASKED_KEY_BYTES_MAX) {
    return { ...BAD_META, dataBytes, badChunk: BAD_CHUNK };
  }
  const reply = `NS${echo(words[1], words.slice(3))}`;
  return { reply, dataBytes, badChunk: BAD_CHUNK, counter: 'cmd_set' };
}

/** `md <key> <flags>*` and `ma <key> <flags>*` */
function refuseMeta(words: readonly string[]): Refusal {
  if (words.length < 2) return NO_COMMAND;
  if (words[1].length > ASKED_KEY_BYTES_MAX) return BAD_META;
  return { reply: `NF${echo(words[1], words.slice(2))}` };
}

/**
 * The flags that a meta reply repeats, in the order asked: O(opaque), and k(key), which has b
 * behind it when the key is in base64.
 */
function echo(key: string, flags: readonly string[]): string {
  const keyText = flags.includes('b') ? ` k${key} b` : ` k${key}`;
  return flags.map((flag) => (flag[0] === 'O' ? ` ${flag}` : flag === 'k' ? keyText : '')).join('');
}

/** `incr <key> <value> [noreply]` */
function refuseArithmetic(words: readonly string[]): Refusal {
  if (words.length < 3 || words.length > 4) return NO_COMMAND;
  const isQuiet = isLastNoreply(words);
  if (words[1].length > ASKED_KEY_BYTES_MAX) return malformed(isQuiet, BAD_FORMAT);
  if (!isUnsigned(words[2]) || BigInt(words[2]) > DELTA_MAX) {
    return malformed(isQuiet, 'CLIENT_ERROR invalid numeric delta argument');
  }
  return refused(isQuiet, 'NOT_FOUND', words[0] === 'incr' ? 'incr_misses' : 'decr_misses');
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
  return refused(isQuiet, 'NOT_FOUND', 'delete_misses');
}

/** `touch <key> <exptime> [noreply]` */
function refuseTouch(words: readonly string[]): Refusal {
  if (words.length < 3 || words.length > 4) return NO_COMMAND;
  const isQuiet = isLastNoreply(words);
  if (words[1].length > ASKED_KEY_BYTES_MAX) return malformed(isQuiet, BAD_FORMAT);
  if (!isInteger(words[2])) return malformed(isQuiet, 'CLIENT_ERROR invalid exptime argument');
  return refused(isQuiet, 'NOT_FOUND', 'cmd_touch');
}

/** `flush_all [delay] [noreply]` */
function refuseFlush(words: readonly string[]): Refusal {
  if (words.length > 3) return NO_COMMAND;
  const isQuiet = isLastNoreply(words);
  return refused(isQuiet, 'CLIENT_ERROR flush_all not allowed', 'cmd_flush');
}

/** memcached looks at the last word only, whatever stands before it. */
function isLastNoreply(words: readonly string[]): boolean {
  return words.at(-1) === 'noreply';
}

/** `noreply` hides error lines as well. */
function refused(isQuiet: boolean, reply: string, counter: CounterName): Refusal {
  return { reply: isQuiet ? undefined : reply, counter };
}

function malformed(isQuiet: boolean, reply: string): Refusal {
  return refused(isQuiet, reply, 'protocol_errors');
}

function isInteger(word: string): boolean {
  return /^[+-]?\d{1,20}$/.test(word);
}

function isUnsigned(word: string): boolean {
  return /^\+?\d{1,20}$/.test(word);
}

function lengthOf(word: string | undefined): number | undefined {
  if (word === undefined || !isUnsigned(word)) return undefined;
  const length = Number(word);
  return length <= DATA_BYTES_MAX ? length : undefined;
}
