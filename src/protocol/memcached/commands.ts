import { isUnsignedWord } from '../numbers.ts';
import type { SessionContext } from '../protocol.ts';
import { statsReply } from '../stats.ts';
import { BAD_FORMAT } from '../writes.ts';

/** What a command answers; a `fault` is the client's, and is counted. */
export interface Answer {
  readonly text: string;
  readonly isFault?: true;
}

/** @param words The command's words, itself the first. @returns undefined for no reply. */
type Command = (words: readonly string[], context: SessionContext) => Answer | undefined;

const UNKNOWN: Answer = { text: 'ERROR\r\n', isFault: true };
const OK: Answer = { text: 'OK\r\n' };

/**
 * memcached looks at this many words of a command at most; the first letters of the commands that
 * it takes for no request of HTTP, whatever follows.
 */
const WORDS_MAX = 23;
const COMMAND_LETTERS = 'acdgist';

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['version', (_words, { facts }) => ({ text: `VERSION ${facts.version}\r\n` })],
  ['verbosity', verbosity],
  ['stats', stats],
]);

/** Runs a command that reads no key and leaves the session as it is. */
export function runCommand(words: readonly string[], context: SessionContext): Answer | undefined {
  const command = COMMANDS.get(words[0]);
  return command === undefined ? UNKNOWN : command(words, context);
}

/**
 * Whether a line that is no command is the first of a request of HTTP: memcached closes such a
 * connection without a word.
 */
export function isHttp(words: readonly string[]): boolean {
  if (words.length === 0 || words.length > WORDS_MAX || COMMANDS.has(words[0])) return false;
  const verb = words[0];
  const isLikeCommand =
    verb.length < 2 || COMMAND_LETTERS.includes(verb[0]) || (verb[0] === 'm' && verb.length === 2);
  return !isLikeCommand && words.at(-1)!.startsWith('HTTP/');
}

/** Accepted, for clients that send it; the log does not depend on it. */
function verbosity(words: readonly string[]): Answer | undefined {
  if (words.length < 2 || words.length > 3) return UNKNOWN;
  if (words.at(-1) === 'noreply') return undefined;
  return isUnsignedWord(words[1]) ? OK : { text: `${BAD_FORMAT}\r\n`, isFault: true };
}

function stats(words: readonly string[], context: SessionContext): Answer {
  const text = statsReply(words, context, Date.now());
  return text === undefined ? UNKNOWN : { text };
}
