import process from 'node:process';
import { GoromdbError, isBadFile, messageOf } from '../../common/errors.ts';
import { oneLine } from '../../common/log.ts';
import { explained } from '../../common/system-fault.ts';
import { predecessor } from './predecessor.ts';

/** The exit code for wrong flags, and for a wrong configuration file. */
export const EXIT_MISUSE = 2;
/** The exit code for a file whose content is bad. */
export const EXIT_BAD_DATA = 3;

/**
 * Listens to standard output of a command: that nobody reads it any more is an end like any other.
 * Any other error ends the process with one line that says why.
 */
export function endWithReader(error: NodeJS.ErrnoException): never {
  if (error.code !== 'EPIPE') fail(error);
  process.exit(process.exitCode ?? 0);
}

/**
 * Prints one line for inputs that are bad, or cannot be read with the flags that were given.
 *
 * @param outcome What it means, for the end of the line.
 * @returns The exit code.
 * @throws all other errors.
 */
export function failInput(error: unknown, outcome = ''): typeof EXIT_MISUSE | typeof EXIT_BAD_DATA {
  if (!(error instanceof GoromdbError)) throw error;
  const isMisuse = error.code === 'OPTION_INVALID';
  if (!isMisuse && !isBadFile(error)) throw error;
  process.stderr.write(`goromdb: ${oneLine(error.message)}${outcome}\n`);
  return isMisuse ? EXIT_MISUSE : EXIT_BAD_DATA;
}

/** Prints one line for an error that a person can fix. @throws all others. */
export function printMisuse(error: unknown): undefined {
  if (!(error instanceof GoromdbError)) throw error;
  const text = oneLine(error.message);
  process.stderr.write(`goromdb: ${text}\n`);
  tellPredecessor(text);
}

/** Ends the process, with {@link printFailure}. */
export function fail(error: unknown): never {
  printFailure(error);
  process.exit(1);
}

/**
 * Prints one line for an error that a person can fix, such as one of the system; the stack only for a
 * fault of ours.
 */
export function printFailure(error: unknown): void {
  const shown = explained(error, 'a file');
  const isFault =
    shown instanceof Error && !(shown instanceof GoromdbError) && !('syscall' in shown);
  const text = isFault ? shown.stack : messageOf(shown).replace(/\s*[\r\n]\s*/g, ' ');
  process.stderr.write(`goromdb: ${text}\n`);
  tellPredecessor(text ?? String(shown));
}

/** A process that this one was to take over from keeps serving, and says why. */
export function tellPredecessor(why: string): void {
  try {
    predecessor()?.failed(why);
  } catch {
    // What it has handed over could not be read: that is `why`.
  }
}
