import { skipSpaces, wordEnd } from '../line.ts';
import { BAD_CHUNK, BAD_FORMAT, dataBytesOf, NO_COMMAND, type Refusal } from '../writes.ts';
import { FLAG, type MetaWords, OPAQUE_TOO_LONG } from './meta-flags.ts';

const INVALID_FLAG = 'CLIENT_ERROR invalid or duplicate flag';
const TOO_MANY_FLAGS = 'CLIENT_ERROR options flags too long';

/** The modes of `ms`: set, add, append, prepend, replace. */
const STORE_MODES = 'SEAPR';

/** The modes of `ma`, the latter two the same as the former. */
const ARITHMETIC_MODES = 'ID+-';

/** `ms <key> <bytes> <flags>*`, of which line[from, end) is what is behind the command. */
export function refuseMetaSet(words: MetaWords, line: Buffer, from: number, end: number): Refusal {
  if (!words.findKey(line, from, end)) return NO_COMMAND;
  const { keyEnd } = words;
  const sizeStart = skipSpaces(line, keyEnd, end);
  const sizeEnd = wordEnd(line, sizeStart, end);
  const dataBytes = dataBytesOf(line.toString('latin1', sizeStart, sizeEnd));
  if (dataBytes === undefined) return malformed(BAD_FORMAT);
  const error = faultOfMetaSet(words, line, sizeEnd, end);
  // The data is swallowed also where memcached would run it as commands.
  if (error !== undefined) return { ...malformed(error), dataBytes, badChunk: error };
  return {
    command: 'ms',
    reply: `NS${echo(words, line)}`,
    dataBytes,
    badChunk: BAD_CHUNK,
    counter: 'cmd_set',
  };
}

function faultOfMetaSet(
  words: MetaWords,
  line: Buffer,
  from: number,
  end: number,
): string | undefined {
  if (words.keyIsTooLong) return BAD_FORMAT;
  if (!words.findFlags(line, from, end, 3)) return TOO_MANY_FLAGS;
  const error = words.checkFlags(line);
  if (error !== undefined) return error;
  if (!STORE_MODES.includes(mode(words, line))) return 'CLIENT_ERROR invalid mode for ms M token';
  return words.hasLongOpaque(line) ? OPAQUE_TOO_LONG : undefined;
}

/** `md <key> <flags>*` */
export function refuseMetaDelete(
  words: MetaWords,
  line: Buffer,
  from: number,
  end: number,
): Refusal {
  if (!words.findKey(line, from, end)) return NO_COMMAND;
  const error = faultOfFlags(words, line, end) ?? faultOfOpaque(words, line);
  if (error !== undefined) return malformed(error);
  return { command: 'md', reply: `NF${echo(words, line)}`, counter: 'delete_misses' };
}

/** `ma <key> <flags>*` */
export function refuseMetaArithmetic(
  words: MetaWords,
  line: Buffer,
  from: number,
  end: number,
): Refusal {
  if (!words.findKey(line, from, end)) return NO_COMMAND;
  const error =
    faultOfFlags(words, line, end) ?? faultOfMode(words, line) ?? faultOfOpaque(words, line);
  if (error !== undefined) return malformed(error);
  const isDecrement = 'D-'.includes(mode(words, line) || 'I');
  return {
    command: 'ma',
    reply: `NF${echo(words, line)}`,
    counter: isDecrement ? 'decr_misses' : 'incr_misses',
  };
}

/** What is wrong with the flags of `md` or `ma`: memcached has but one error for most of it. */
function faultOfFlags(words: MetaWords, line: Buffer, end: number): string | undefined {
  if (words.keyIsTooLong) return BAD_FORMAT;
  if (!words.findFlags(line, words.keyEnd, end, 2)) return TOO_MANY_FLAGS;
  return words.checkFlags(line) === undefined ? undefined : INVALID_FLAG;
}

function faultOfMode(words: MetaWords, line: Buffer): string | undefined {
  if (ARITHMETIC_MODES.includes(mode(words, line))) return undefined;
  return 'CLIENT_ERROR invalid mode for ma M token';
}

function faultOfOpaque(words: MetaWords, line: Buffer): string | undefined {
  return words.hasLongOpaque(line) ? OPAQUE_TOO_LONG : undefined;
}

/** The letter behind M; empty when there is no such flag. */
function mode(words: MetaWords, line: Buffer): string {
  const at = words.indexOf(line, FLAG.mode);
  return at < 0 ? '' : String.fromCharCode(line[words.starts[at] + 1]);
}

/**
 * The flags that a reply repeats, in the order asked: O(opaque), and k(key), which has b behind it
 * when the key is in base64.
 */
function echo(words: MetaWords, line: Buffer): string {
  let text = '';
  for (let i = 0; i < words.count; i++) {
    const letter = line[words.starts[i]];
    if (letter === FLAG.opaque) {
      text += ` ${line.toString('latin1', words.starts[i], words.ends[i])}`;
    } else if (letter === FLAG.key) {
      text += ` k${words.keyText()}`;
    }
  }
  return text;
}

/** Meta commands know no `noreply`, and q hides no errors. */
function malformed(reply: string): Refusal {
  return { reply, counter: 'protocol_errors' };
}
