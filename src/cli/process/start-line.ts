import process from 'node:process';
import { VERSION } from '../../common/version.ts';
import { quoted } from './shell-words.ts';

/** Longest part of a command line that the log shows. */
const COMMAND_LINE_CHARS_MAX = 2_000;

/**
 * The first line of a log: version, process and command line.
 *
 * @param argv The arguments, without node and the script.
 */
export function startLine(argv: readonly string[]): string {
  const line = ['goromdb', ...argv.map(withoutValue)].map(quoted).join(' ');
  const shown = line.slice(0, COMMAND_LINE_CHARS_MAX);
  return `goromdb ${VERSION} starts, pid ${process.pid}, Node ${process.version}: ${shown}`;
}

/** Values of records must not be in a log. */
function withoutValue(arg: string, at: number, argv: readonly string[]): string {
  const isCanary = /^--?canary$/.test(argv[at - 1] ?? '');
  return arg.replace(isCanary ? /^([^=]*=).*$/s : /^(--?canary=[^=]*=).*$/s, '$1…');
}
