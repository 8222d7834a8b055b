import { COMMANDS } from '../../src/cli/commands/commands.ts';
import { type Invocation, parseCommandLine as parse } from '../../src/cli/parse.ts';

/** Reads a command line as the program does, with all commands. */
export function parseCommandLine(argv: readonly string[], version: string): Invocation {
  return parse(argv, version, COMMANDS);
}
