import { skipSpaces, wordEnd } from './line.ts';
import { FLAG, MetaWords, OPAQUE_TOO_LONG } from './meta-flags.ts';
import { BAD_CHUNK, BAD_FORMAT, dataBytesOf, NO_COMMAND, type Refusal } from './writes.ts';

const INVALID_FLAG = 'CLIENT_ERROR invalid or duplicate flag';
const TOO_MANY_FLAGS = 'CLIENT_ERROR options flags too long';

/** The modes of `ms`: set, add, append, prepend, replace. */
const STORE_MODES = 'SEAPR';

/** The modes of `ma`, the latter two the same as the former. */
const ARITHMETIC_MODES = 'ID+-';

const words = new MetaWords();

/** `ms <key> <bytes> <flags>*`, of which line[from, end) is what stands behind the command. */
export function refuseMetaSet(line: Buffer, from: number, end: number): Refusal {
  if (!words.findKey(line, from, end)) return NO_COMMAND;
  const { keyEnd } = words;
  const sizeStart = skipSpaces(line, keyEnd, end);
  const sizeEnd = wordEnd(line, sizeStart, end);
  const dataBytes = dataBytesOf(line.toString('latin1', sizeStart, sizeEnd));
  if (dataBytes === undefined) return malformed(BAD_FORMAT);
  const error = faultOfMetaSet(line, sizeEnd, end);
  // The data is swallowed also where memcached would run it as commands.
  if (error !== undefined) return { ...malformed(error), dataBytes, badChunk: error };
  return {
    command: 'ms',
    reply: `NS${echo(line)}`,
    dataBytes,
    badChunk: BAD_CHUNK,
    counter: 'cmd_set',
  };
}

function faultOfMetaSet(line: Buffer, from: number, end: number): string | undefined {
  if (words.keyIsTooLong) return BAD_FORMAT;
  if (!words.findFlags(line, from, end, 3)) return TOO_MANY_FLAGS;
  const error = words.checkFlags(line);
  if (error !== undefined) return error;
  if (!STORE_MODES.includes(mode(line))) return 'CLIENT_ERROR invalid mode for ms M token';
  return words.hasLongOpaque(line) ? OPAQUE_TOO_LONG : undefined;
}

/** `md <key> <flags>*` */
export function refuseMetaDelete(line: Buffer, from: number, end: number): Refusal {
  if (!words.findKey(line, from, end)) return NO_COMMAND;
  const error = faultOfFlags(line, end) ?? faultOfOpaque(line);
  if (error !== undefined) return malformed(error);
  return { command: 'md', reply: `NF${echo(line)}`, counter: 'delete_misses' };
}

/** `ma <key> <flags>*` */
export function refuseMetaArithmetic(line: Buffer, from: number, end: number): Refusal {
  if (!words.findKey(line, from, end)) return NO_COMMAND;
  const error = faultOfFlags(line, end) ?? faultOfMode(line) ?? faultOfOpaque(line);
  if (error !== undefined) return malformed(error);
  const isDecrement = 'D-'.includes(mode(line) || 'I');
  return {
    command: 'ma',
    reply: `NF${echo(line)}`,
    counter: isDecrement ? 'decr_misses' : 'incr_misses',
  };
}

/** What is wrong with the flags of `md` or `ma`: memcached has but one error for most of it. */
function faultOfFlags(line: Buffer, end: number): string | undefined {
  if (words.keyIsTooLong) return BAD_FORMAT;
  if (!words.findFlags(line, words.keyEnd, end, 2)) return TOO_MANY_FLAGS;
  return words.checkFlags(line) === undefined ? undefined : INVALID_FLAG;
}

function faultOfMode(line: Buffer): string | undefined {
  if (ARITHMETIC_MODES.includes(mode(line))) return undefined;
  return 'CLIENT_ERROR invalid mode for ma M token';
}

function faultOfOpaque(line: Buffer): string | undefined {
  return words.hasLongOpaque(line) ? OPAQUE_TOO_LONG : undefined;
}

/** The letter behind M; empty when there is no such flag. */
function mode(line: Buffer): string {
  const at = words.indexOf(line, FLAG.mode);
  return at < 0 ? '' : String.fromCharCode(line[words.starts[at] + 1]);
}

/**
 * The flags that a reply repeats, in the order asked: O(opaque), and k(key), which has b behind it
 * when the key is in base64.
 */
function echo(line: Buffer): string {
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
