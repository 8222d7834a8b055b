/**
 * What belongs in this folder: a file for each command, which says all about it, and the list of
 * them.
 */
import { misuse, type OptionTable, type ValuesOf } from '../options/option.ts';

/** The command that runs when none is named. */
export const DEFAULT_NAME = 'server';

/** Commands that are typed as two words. */
const TWO_WORDS: readonly string[] = ['once-import', 'once-export'];

/** How the name of a command is typed: `once-import` as `once import`. */
export function typedAs(name: string): string {
  return TWO_WORDS.includes(name) ? name.replace('-', ' ') : name;
}

/** Each exit code of a command, and what it means. */
export type ExitCodes = Readonly<Record<number, string>>;

/** What a command line says after the name of the command. */
interface CommandLine<Table extends OptionTable> {
  readonly values: ValuesOf<Table>;
  /** The names of the options that were not left to their defaults. */
  readonly given: ReadonlySet<string>;
  /** The words that are not flags. */
  readonly args: readonly string[];
}

interface CommandParts<Table extends OptionTable, Request, Codes extends ExitCodes> {
  readonly name: string;
  readonly summary: string;
  /** How it is written, without `Usage:`. */
  readonly usage: string;
  /** The text below the flags in the help. */
  readonly notes?: string;
  /** For the help, docs/exit-codes.md and the manual: `run` returns no other code. */
  readonly exitCodes: Codes;
  readonly options: Table;
  /** Whether it takes more than flags, or the words that it takes. */
  readonly takesArguments?: true | readonly string[];
  /** Reads the request. @throws GoromdbError OPTION_INVALID. */
  read(line: CommandLine<Table>): Request;
  /**
   * Runs it.
   *
   * @param argv The whole command line, for a log.
   * @returns The exit code.
   * @throws any error: the program ends with 1, and with one line if a person can fix it.
   */
  run(request: Request, argv: readonly string[]): Promise<keyof NoInfer<Codes> & number>;
}

/** A command that was asked for. */
export interface Task {
  readonly command: string;
  readonly request: unknown;
  /** See `CommandParts.run`. */
  readonly run: (argv: readonly string[]) => Promise<number>;
}

export interface Command
  extends Omit<CommandParts<OptionTable, unknown, ExitCodes>, 'read' | 'run'> {
  /** @throws GoromdbError OPTION_INVALID. */
  readonly prepare: (line: CommandLine<OptionTable>) => Task;
}

export function defineCommand<Table extends OptionTable, Request, Codes extends ExitCodes>(
  parts: CommandParts<Table, Request, Codes>,
): Command {
  const { name: command, options, takesArguments } = parts;
  return {
    ...parts,
    prepare: (line) => {
      if (takesArguments === undefined) refuseArguments(line.args, options);
      const request = parts.read(line as CommandLine<Table>);
      return { command, request, run: (argv) => parts.run(request, argv) };
    },
  };
}

/** As in Go, `-gzipped false` sets the flag and leaves an argument over. */
function refuseArguments([arg]: readonly string[], options: OptionTable): void {
  if (arg === undefined) return;
  const boolean = Object.keys(options).find((name) => options[name].placeholder === undefined);
  const hint =
    boolean !== undefined && /^(?:true|false|[01tf])$/i.test(arg)
      ? `; a boolean needs "=", as in -${boolean}=${arg}`
      : '';
  throw misuse(`${JSON.stringify(arg)} is not expected: there are only flags here${hint}`);
}
