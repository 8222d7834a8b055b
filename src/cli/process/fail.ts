import process from 'node:process';
import { GoromdbError, messageOf } from '../../common/errors.ts';
import { oneLine } from '../../common/log.ts';
import { explained } from '../../common/system-fault.ts';

/** The exit code for wrong flags, and for a file that is not right. */
export const EXIT_MISUSE = 2;

/** Prints in one line what a person can mend. @throws all else. */
export function printMisuse(error: unknown): undefined {
  if (!(error instanceof GoromdbError)) throw error;
  process.stderr.write(`goromdb: ${oneLine(error.message)}\n`);
}

/**
 * Ends the process: one line for what a person can mend, as the system's refusals are; the stack
 * only for a fault of ours.
 */
export function fail(error: unknown): never {
  const told = explained(error, 'a file');
  const isFault = told instanceof Error && !(told instanceof GoromdbError) && !('syscall' in told);
  const text = isFault ? told.stack : messageOf(told).replace(/\s*[\r\n]\s*/g, ' ');
  process.stderr.write(`goromdb: ${text}\n`);
  process.exit(1);
}
