import {
  CommanderError,
  Option as Flag,
  Help,
  type HelpConfiguration,
  Command as Parser,
} from 'commander';
import { messageOf } from '../common/errors.ts';
import {
  type Command,
  DEFAULT_NAME,
  type ExitCodes,
  type Task,
  typedAs,
} from './commands/command.ts';
import { addFlags, goSpelling, readFlags, toGnuSpelling } from './options/flags.ts';
import type { OptionTable } from './options/option.ts';

/** What a command line asks for. Texts end without a newline. */
export type Invocation =
  | { readonly kind: 'task'; readonly task: Task }
  /** Help or version, for standard output. */
  | { readonly kind: 'print'; readonly text: string }
  /** For standard error. */
  | { readonly kind: 'usage-error'; readonly message: string };

const HELP_COLUMNS = 80;

/**
 * Reads a command line, in Go's spelling of flags (`-addr X`) or GNU's (`--addr X`). Never throws,
 * prints or exits: the answer says what to do.
 *
 * @param argv The arguments, without those of node and the script.
 * @param version What `-version` prints.
 * @param commands Those that there are.
 */
export function parseCommandLine(
  argv: readonly string[],
  version: string,
  commands: readonly Command[],
): Invocation {
  let printed = '';
  let task: Task | undefined;
  const program = createProgram((text) => {
    printed += text;
  });
  for (const command of commands) {
    addCommand(program, command, version, (prepared) => {
      task = prepared;
    });
  }
  const [name, ...args] = commandFirst(argv);
  const parser = program.commands.find((candidate) => candidate.name() === name);
  try {
    // Without a command its help would be that of the program.
    const flags = parser === undefined ? [] : toGnuSpelling(args, parser.options);
    program.parse([name, ...flags], { from: 'user' });
    return task === undefined
      ? usageError(parser, `nothing is done by ${JSON.stringify(name)}`)
      : { kind: 'task', task };
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) {
      return { kind: 'print', text: printed.trimEnd() };
    }
    return usageError(parser, explain(error, parser, commands));
  }
}

/**
 * The arguments with the name of their command in front; `help build` is `build -help`, `version` is
 * `-version`, and `once import` is `once-import`.
 */
export function commandFirst(argv: readonly string[]): readonly string[] {
  if (argv[0] === 'help') return commandFirst([...argv.slice(1), '-help']);
  if (argv[0] === 'version') return commandFirst([...argv.slice(1), '-version']);
  const [first, second, ...rest] = argv;
  const both = `${first}-${second}`;
  if (typedAs(both) !== both) return [both, ...rest];
  return argv.length > 0 && !first.startsWith('-') ? argv : [DEFAULT_NAME, ...argv];
}

function createProgram(write: (text: string) => void): Parser {
  return new Parser('goromdb')
    .exitOverride()
    .helpCommand(false)
    .allowExcessArguments()
    .configureHelp(HELP)
    .configureOutput({
      writeOut: write,
      writeErr: () => {},
      // Help is the same text wherever it goes, so that it can be tested and pasted.
      getOutHelpWidth: () => HELP_COLUMNS,
      getOutHasColors: () => false,
    });
}

function addCommand(
  program: Parser,
  command: Command,
  version: string,
  accept: (task: Task) => void,
): void {
  const { name, summary, usage, notes = '', exitCodes, options } = command;
  const parser = program
    .command(name)
    .description(summary)
    .usage(usage)
    .addHelpText('after', notes)
    .addHelpText('after', exitCodesText(exitCodes));
  parser.action(() => accept(command.prepare({ ...readFlags(parser), args: parser.args })));
  addFlags(parser, options);
  parser
    .optionsGroup('Other:')
    .version(`goromdb ${version}`, '--version', 'print the version and exit')
    .addHelpOption(new Flag('--help', 'print this text and exit'));
}

function exitCodesText(exitCodes: ExitCodes): string {
  const help = new Help();
  const codes = Object.entries(exitCodes);
  const columns = Math.max(...codes.map(([code]) => code.length));
  const lines = codes.map(([code, meaning]) => help.formatItem(code, columns, meaning, help));
  return ['', 'Exit codes:', ...lines].join('\n');
}

const HELP: HelpConfiguration = {
  commandUsage: (command) => command.usage(),
  optionTerm: goSpelling,
  optionDescription: ({ description, defaultValueDescription: fallback }) =>
    fallback === undefined || fallback === 'false'
      ? description
      : `${description} (default: ${fallback})`,
  subcommandTerm: (command) => typedAs(command.name()),
  // The help of the default command is what `goromdb -help` prints, so it lists the others.
  visibleCommands: (command) => {
    const { commands } = (command.name() === DEFAULT_NAME && command.parent) || command;
    return commands.filter((other) => other.name() !== DEFAULT_NAME);
  },
};

/** What other servers' flags say that is so, or cannot be, here. */
const FOREIGN_FLAGS: ReadonlyMap<string, string> = new Map([
  ['m', 'there is no limit on memory: the data is in the page cache'],
  ['memory-limit', 'there is no limit on memory: the data is in the page cache'],
  ['maxmemory', 'there is no limit on memory: the data is in the page cache'],
  ['U', 'there is no UDP'],
  ['udp-port', 'there is no UDP'],
  ['d', 'it stays in the foreground: start it by systemd, or by a shell with &'],
  ['daemonize', 'it stays in the foreground: start it by systemd, or by a shell with &'],
  ['u', 'start it as the user that it is to be'],
  ['user', 'start it as the user that it is to be'],
]);

/** The flag of this command that does what another server's flag does, or the command that has the flag. */
function ownFlag(
  command: Parser | undefined,
  given: string,
  commands: readonly Command[],
): string | undefined {
  const name = given.replace(/^-+/, '');
  if (name === 'v' || name === 'V') return '; use -version';
  const optionsOf = (wanted: string | undefined): OptionTable =>
    commands.find((one) => one.name === wanted)?.options ?? {};
  const options = optionsOf(command?.name());
  const own = Object.entries(options).find(([, { elsewhere }]) => elsewhere?.includes(name));
  if (own === undefined) {
    const other = isServer(command) ? FOREIGN_FLAGS.get(name) : undefined;
    if (other !== undefined) return `; ${other}`;
    const isServers = isOther(command) && Object.hasOwn(optionsOf(DEFAULT_NAME), name);
    return isServers ? '; it is a flag of the server: goromdb without a command' : undefined;
  }
  const [flag, { placeholder, example }] = own;
  return `; use -${flag} ${placeholder}${example === undefined ? '' : `, such as ${example}`}`;
}

/** What went wrong, in Go's spelling. */
function explain(
  error: unknown,
  command: Parser | undefined,
  commands: readonly Command[],
): string {
  if (!(error instanceof CommanderError)) return messageOf(error);
  const match = /^error: unknown (option|command) '(.*?)'(?:\n\(Did you mean (.*)\?\))?$/s.exec(
    error.message,
  );
  if (match === null) return error.message;
  const [, kind, given, nearMiss] = match;
  const advice = nearMiss === undefined ? '' : `; did you mean ${nearMiss.replaceAll('--', '-')}?`;
  if (kind === 'option') {
    const shown = given.replace(/^--(?!-)/, '-');
    return `unknown flag ${shown}${ownFlag(command, given, commands) ?? advice}`;
  }
  return `unknown command ${JSON.stringify(given)}${advice || '; to serve a file: goromdb serve FILE'}`;
}

function isServer(command: Parser | undefined): boolean {
  return [DEFAULT_NAME, 'serve'].includes(command?.name() ?? DEFAULT_NAME);
}

function isOther(command: Parser | undefined): command is Parser {
  return command !== undefined && command.name() !== DEFAULT_NAME;
}

function usageError(command: Parser | undefined, message: string): Invocation {
  const help = isOther(command) ? `goromdb ${typedAs(command.name())} -help` : 'goromdb -help';
  return {
    kind: 'usage-error',
    message: `goromdb: ${message}\nRun '${help}' for all flags.`,
  };
}
